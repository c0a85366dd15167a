"""A report in a real browser: hostile names run nothing, nothing is fetched, and it fits the screen."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pixelake.operate.report import words
from pixelake.operate.report.page import page
from tests.operate.report.made import NAUGHTY, report


@pytest.mark.parametrize("for_mail", [False, True], ids=["file", "mail"])
@pytest.mark.parametrize(
    "site", [NAUGHTY[0], NAUGHTY[1], NAUGHTY[4], "x" * 5_000], ids=["script", "img", "style", "long"]
)
def test_hostile_names_are_only_shown(browser: Browser, tmp_path: Path, site: str, for_mail: bool) -> None:
    """No dialog, no request but the file itself, no violation of its policy, nothing on the console."""
    file = tmp_path / "report.html"
    file.write_text(page(report(NAUGHTY, site=site), for_mail=for_mail, closing=NAUGHTY[0]), encoding="utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 800})
    shown, told, fetched = context.new_page(), [], []
    shown.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error('csp', e.blockedURI))")
    shown.on("console", lambda message: told.append(message.text))
    shown.on("pageerror", lambda error: told.append(str(error)))
    shown.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    shown.on("request", lambda request: fetched.append(request.url))
    shown.goto(file.as_uri())
    text = shown.locator("body").inner_text()
    width = shown.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert (told, fetched) == ([], [file.as_uri()])
    assert words.name(site, "") in text
    assert width <= 390
