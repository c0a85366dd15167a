"""Whether settings could send a weekly mail."""

import pytest

from pixelake import build, settings
from pixelake.errors import SettingsError
from pixelake.operate.report.plan import check, is_wanted
from pixelake.settings import Settings, listed

WHOLE = {
    "report_sites": ("shop.example",),
    "report_to": ("a@shop.example",),
    "report_from": "reports@shop.example",
    "smtp": "smtp://me:secret@mail.example",
}


def test_all_of_it_or_nothing() -> None:
    """Without it nothing is sent and nothing is asked for; with all of it there is a mail."""
    check(Settings())
    check(Settings(**WHOLE))
    assert (is_wanted(Settings()), is_wanted(Settings(**WHOLE))) == (False, True)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_missing_is_told(name: str) -> None:
    """Who wants a mail and forgets something hears what, before anything starts."""
    with pytest.raises(SettingsError, match=f"{name} is empty"):
        build.check(Settings(**{**WHOLE, name: type(WHOLE[name])()}))


WRONG = {
    "an hour": {"report_hour": 24},
    "a recipient": {"report_to": ("a@x", "b@x\nBcc: v@x")},
    "a sender": {"report_from": "me"},
    "a server": {"smtp": "mail.example"},
    "too many sites": {"report_sites": tuple(f"{n}.example" for n in range(101))},
    "too many recipients": {"report_to": tuple(f"{n}@x" for n in range(101))},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_is_told(wrong: dict[str, object]) -> None:
    """It is an error of the settings, with a hint, in one line."""
    with pytest.raises(SettingsError) as told:
        check(Settings(**{**WHOLE, **wrong}))
    assert told.value.hint
    assert "\n" not in str(told.value)


def test_the_day_is_a_day() -> None:
    """A word that is none is refused as it is read."""
    with pytest.raises(SettingsError, match="report_day"):
        settings.load({"report_day": "someday"}, {})


PASSWORDS = ("smtp://me:secret@h:25", "smtp://me@x.org:secret@h", "smtp://me:se/cr@et@h", "smtps//me:secret@h")


@pytest.mark.parametrize("url", PASSWORDS)
def test_the_password_is_never_shown(url: str) -> None:
    """Also if the URL is written wrong: `pixelake settings` shows the rest of it."""
    (shown,) = [row["value"] for row in listed(Settings(smtp=url)) if row["name"] == "smtp"]
    assert shown.startswith(url.partition("me")[0] + "me")
    assert not {"secret", "se/cr", "et@"} & {part for part in ("secret", "se/cr", "et@") if part in shown}
    with pytest.raises(SettingsError) as told:
        check(Settings(**{**WHOLE, "smtp": url + "/path"}))
    assert "se" not in f"{told.value}".removeprefix("smtp is no URL of a server for mail")
