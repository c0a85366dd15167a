"""The collector's images in a real browser, on a page of another origin, and what a page may read of its answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, Page

from pixelake.operate.demo import sample_page
from tests.browser.conftest import PATIENCE
from tests.crash.campaign import Server, settle
from tests.crash.test_restore import send
from tests.sinks import eventually

EVIL = "<script>alert(1)</script>\"'&]]>\u202e"

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
LOAD = """source => new Promise(done => {
  const image = new Image();
  image.onload = () => done([image.naturalWidth, image.naturalHeight]);
  image.onerror = () => done(null);
  image.src = `${source}&again=${Math.random()}`;
})"""
"""Its size when it is there, null where the browser calls it broken.

A document asks once for an image, however often it shows it and whatever its headers say.
"""

FETCH = """async ([source, options]) => {
  const answer = await fetch(source, options);
  return [answer.status, answer.headers.get("X-Pixelake"), answer.headers.get("Retry-After")];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Everything, running."""
    folder = tmp_path_factory.mktemp("images")
    made = Server(folder / "data", folder / "log")
    try:
        made.start()
        send(made, 0, 1)  # it answers
        yield made
    finally:
        made.kill_all()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of another origin, in a browser that does not call itself headless; it must not ask anything."""
    dialogs: list[str] = []
    with sample_page("") as address, browser.new_context(user_agent=CHROME) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        yield page
    assert dialogs == []


def at(server: Server, target: str) -> str:
    """The address of something at the collector."""
    return f"http://127.0.0.1:{server.port}{target}"


def events(server: Server, site: str) -> list[dict[str, object]]:
    """What the lake holds of a site, once all is there."""
    settle(server)
    query = f"select event, path, count(*) as n from events where site = '{site}' group by all order by 1"
    return json.loads(server.ask("sql", query, "--format", "json"))


def test_images_load(server: Server, page: Page) -> None:
    """GIF and PNG are one pixel wide; a 204 is a broken image to the browser; each counts as a view."""
    sizes = [page.evaluate(LOAD, at(server, f"{path}?site=plain")) for path in ("/pixel.gif", "/pixel.png", "/204")]
    assert sizes == [[1, 1], [1, 1], None]
    assert [(row["event"], row["n"]) for row in events(server, "plain")] == [("pageview", 3)]


def test_a_badge_is_what_its_site_makes_it(server: Server, page: Page, tmp_path: Path) -> None:
    """Without a badge one pixel; with one an image of a text, whose count follows. Both are hits, and no views."""
    badge = at(server, "/badge.svg?site=Shown.example")
    assert page.evaluate(LOAD, badge) == [1, 1]
    server.ask("sites", "badge", "Shown.example")
    eventually(lambda: page.evaluate(LOAD, badge)[1] == 20)
    loads = events(server, "shown.example")
    assert [row["event"] for row in loads] == ["badge"]
    eventually(lambda: shown(page, badge) >= int(str(loads[0]["n"])))
    page.set_content(f'<img src="{badge}&label=loads"> <img src="{badge}&label=caf%C3%A9+%E4%BD%A0&text=%F0%9F%A6%8A">')
    page.wait_for_function("[...document.images].every(each => each.complete && each.naturalHeight === 20)")
    page.screenshot(path=tmp_path / "badges.png")
    server.ask("sites", "badge", "shown.example", "--off")
    eventually(lambda: page.evaluate(LOAD, badge) == [1, 1])


def shown(page: Page, badge: str) -> int:
    """The count on a badge."""
    image = page.evaluate("async source => (await fetch(source)).text()", badge)
    label = ET.fromstring(image).get("aria-label")
    assert label
    return int(label.removeprefix("views: ").replace(",", ""))


def test_hostile_text_is_only_text(server: Server, page: Page) -> None:
    """As an image and as a document of its own; nothing runs."""
    server.ask("sites", "badge", "evil.example")
    badge = at(server, "/badge.svg?site=evil.example&") + page.evaluate(
        "evil => new URLSearchParams({label: evil, text: evil}).toString()", EVIL
    )
    eventually(lambda: page.evaluate(LOAD, badge)[1] == 20)
    page.goto(badge)
    assert page.locator("text").all_text_contents() == [EVIL[:-1]] * 2
    assert page.locator("svg").get_attribute("aria-label") == f"{EVIL[:-1]}: {EVIL[:-1]}"
    assert page.get_by_role("img").count() == 1
    assert page.locator("script").count() == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_a_page_may_send_with_credentials(server: Server, page: Page, kind: str) -> None:
    """As `sendBeacon` does; what is not simple is asked for first, and the answer can be read."""
    options = {"method": "POST", "credentials": "include", "headers": {"Content-Type": kind}, "body": "{}"}
    assert page.evaluate(FETCH, [at(server, "/events?site=sent"), options]) == [204, None, None]


def test_a_page_may_read_why_it_was_refused(server: Server, page: Page) -> None:
    """Status and reason, of what was answered with an image and of what was not."""
    options = {"method": "POST", "credentials": "include", "body": "x" * 2_000_000}
    assert page.evaluate(FETCH, [at(server, "/events"), options]) == [413, "body_too_large", None]


def test_a_sandboxed_frame_may_send(server: Server, page: Page) -> None:
    """Its origin is ``null``."""
    script = f"""
      fetch("{at(server, "/events?site=framed")}", {{
        method: "POST", credentials: "include", headers: {{"Content-Type": "application/json"}}, body: "{{}}",
      }}).then(answer => parent.postMessage(answer.status, "*"), () => parent.postMessage("blocked", "*"));"""
    told = page.evaluate(
        """script => new Promise(done => {
          addEventListener("message", message => done([message.data, message.origin]));
          const frame = document.createElement("iframe");
          frame.sandbox = "allow-scripts";
          frame.srcdoc = "<script>" + script + "</" + "script>";
          document.body.append(frame);
        })""",
        script,
    )
    assert told == [204, "null"]
