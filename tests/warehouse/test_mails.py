"""Tests of the question `mails`: small cases, with their arithmetic."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.warehouse.ask import Answer
from pixelake.warehouse.filters import Test as Where
from tests.warehouse.answered import answered, written

DAY = timedelta(days=1)
FROM = datetime(2026, 3, 10, tzinfo=UTC)
NOON = FROM + timedelta(hours=12)

Asking = Callable[..., Answer]


def opened(user: str | None = None, *, message: str | None = "m", recipient: str | None = None, **more: Any) -> Any:
    """An open of a mail."""
    named = [("message", message), ("recipient", recipient)]
    return {
        "event": "open",
        "received_at": NOON,
        "user_id": user,
        "properties": [(name, [told]) for name, told in named if told is not None],
        "prefetch": False,
        **more,
    }


def clicked(user: str | None = None, **more: Any) -> Any:
    """A click on a link of a mail."""
    return opened(user, **more) | {"event": "click"}


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    """Asks of a day with these rows, unless another period is given."""

    def asking(rows: list[Any], start: datetime = FROM, end: datetime = FROM + DAY, **asked: Any) -> Answer:
        return answered(written(tmp_path, rows), "mails", start, end, **asked)

    return asking


def only(answer: Answer) -> dict[str, Any]:
    """The one row."""
    rows: list[dict[str, Any]] = answer.table.to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_opens_by_who_fetched(ask: Asking) -> None:
    """Each open is in one column: 14 = 1 repeat + 2 scanners + 3 machines + 1 Apple + 2 Gmail + 2 others + 3 people."""
    row = only(
        ask(
            [
                opened("a", duplicate=True, bot=True),
                opened("b", proxy="scanner"),
                opened("b", proxy="scanner", method="HEAD"),
                opened("c", bot=True),
                opened("c", prefetch=True),
                opened("c", method="HEAD"),
                opened("d", proxy="apple-mpp"),
                opened("e", proxy="gmail"),
                opened("e", proxy="gmail"),
                opened("f", proxy="yahoo"),
                opened("f", proxy="a-service-of-tomorrow"),
                opened("g"),
                opened("g"),
                opened("h", proxy="private-relay"),
            ]
        )
    )
    kinds = ("duplicates", "scanners", "machines", "apple_mpp", "gmail", "proxies", "opens")
    assert [row[name] for name in kinds] == [1, 2, 3, 1, 2, 2, 3]
    assert row["opens_gross"] == sum(row[name] for name in kinds) == 14


def test_unique_opens(ask: Asking) -> None:
    """7 opens: e twice (Gmail), f (Yahoo), g twice, h and i: 5 different ones; Apple and the bot tell nothing."""
    rows = [
        opened("e", proxy="gmail"),
        opened("e", proxy="gmail"),
        opened("f", proxy="yahoo"),
        opened("g"),
        opened("g"),
        opened("h"),
        opened(None, recipient="i"),
        opened("j", proxy="apple-mpp"),
        opened("k", bot=True),
    ]
    row = only(ask(rows))
    assert (row["opens"] + row["gmail"] + row["proxies"], row["unique_opens"]) == (7, 5)


def test_a_user_id_is_more_than_a_recipient(ask: Asking) -> None:
    """Who has both is known by the user_id: two names of one user are one."""
    assert only(ask([opened("u", recipient="x"), opened("u", recipient="y")]))["unique_opens"] == 1


def test_an_open_of_nobody_knows(ask: Asking) -> None:
    """One open without a recipient, and how many opened is not answerable: null with the reason; the rest is."""
    answer = ask([opened("a"), opened(None), clicked("a")])
    row = only(answer)
    assert (row["opens"], row["without_recipient"], row["unique_opens"], row["click_to_open"]) == (2, 1, None, None)
    assert row["unique_clicks"] == 1
    assert "recipient" in answer.notes["unique_opens"]
    assert "unique_clicks" not in answer.notes


def test_machines_need_no_recipient(ask: Asking) -> None:
    """A fetch of Apple's, a scanner's or a bot's without a recipient leaves the number of people known."""
    rows = [opened("a"), opened(None, proxy="apple-mpp"), opened(None, proxy="scanner"), clicked(None, bot=True)]
    answer = ask(rows)
    row = only(answer)
    assert (row["unique_opens"], row["unique_clicks"], row["click_to_open"]) == (1, 0, 0.0)
    assert answer.notes == {}


def test_clicks_with_scanners_apart(ask: Asking) -> None:
    """8 clicks = 2 of scanners + 3 of machines or repeated + 3 of people, who are 2."""
    rows = [
        clicked("a", proxy="scanner"),
        clicked("a", proxy="scanner", method="HEAD"),
        clicked("b", bot=True),
        clicked("b", method="HEAD"),
        clicked("b", duplicate=True),
        clicked("c"),
        clicked("c"),
        clicked("d", proxy="office"),
    ]
    row = only(ask(rows))
    assert [row[name] for name in ("clicks_gross", "click_scanners", "click_machines", "clicks", "unique_clicks")] == [
        8,
        2,
        3,
        3,
        2,
    ]


def test_click_to_open(ask: Asking) -> None:
    """Opened: a b c d (4). Clicked: a b, and z, whom Apple hides. Both: a b (2). 2/4, not 3/4."""
    rows = [*(opened(user) for user in "abcd"), opened("z", proxy="apple-mpp"), *(clicked(user) for user in "abz")]
    row = only(ask(rows))
    assert (row["unique_opens"], row["unique_clicks"], row["opened_and_clicked"]) == (4, 3, 2)
    assert row["click_to_open"] == 0.5


def test_nobody_opened(ask: Asking) -> None:
    """Then there is no rate: null, with the reason."""
    answer = ask([clicked("a")])
    row = only(answer)
    assert (row["unique_opens"], row["click_to_open"]) == (0, None)
    assert "nobody opened" in answer.notes["click_to_open"]


def test_by_message(ask: Asking) -> None:
    """A row a message on request; all is their sum: who reads two messages is a recipient of each.

    m: a b open, a clicks: 1/2. n: a opens and clicks: 1/1. All: 2 + 1 = 3 opened, 1 + 1 = 2 clicked: 2/3.
    """
    rows = [opened("a"), opened("b"), clicked("a"), opened("a", message="n"), clicked("a", message="n")]
    told = ask(rows, options={"by": "message"}).table.to_pylist()
    assert [(row["value"], row["unique_opens"], row["click_to_open"]) for row in told] == [("m", 2, 0.5), ("n", 1, 1.0)]
    row = only(ask([]))
    assert (row["value"], row["unique_opens"], row["opened_and_clicked"]) == (None, 3, 2)
    assert row["click_to_open"] == pytest.approx(2 / 3)


def test_what_is_unknown_of_one_message_is_known_of_another(ask: Asking) -> None:
    """An open without a recipient takes the number of its message away, and that of all; not that of another."""
    rows = [opened("a"), opened(None, message="n")]
    told = ask(rows, options={"by": "message"}).table.to_pylist()
    assert {row["value"]: row["unique_opens"] for row in told} == {"m": 1, "n": None}
    assert only(ask([]))["unique_opens"] is None


def test_opens_without_a_message(ask: Asking) -> None:
    """They are a row of their own, the last; a click that names no message is none of a mail."""
    rows = [opened("a"), opened("b", message=None), opened("c", message=""), clicked("a", message=None), opened("d")]
    told = ask(rows, options={"by": "message"}).table.to_pylist()
    assert [(row["value"], row["opens"], row["clicks_gross"]) for row in told] == [("m", 2, 0), (None, 2, 0)]


def test_nobody_is_named_by_default(ask: Asking) -> None:
    """The answer has one row of counts, and no column that names a recipient."""
    answer = ask([opened("someone@example.com"), opened("b", message="n")])
    assert answer.table.num_rows == 1
    assert "someone" not in str(answer.table.to_pylist())


def test_other_names_and_filters(ask: Asking) -> None:
    """The events may be called anything, and a filter picks some of them."""
    rows = [
        opened("a", country="DE") | {"event": "mail.open"},
        clicked("a", country="DE") | {"event": "mail.click"},
        opened("b", country="FR") | {"event": "mail.open"},
    ]
    names = {"open": "mail.open", "click": "mail.click"}
    row = only(ask(rows, options=names, filter=Where("country", "is", ("DE",))))
    assert (row["unique_opens"], row["unique_clicks"], row["click_to_open"]) == (1, 1, 1.0)


def test_sites_have_messages_of_their_own(ask: Asking) -> None:
    """The same user and message at two sites is two recipients."""
    assert only(ask([opened("a", site="x"), opened("a", site="y")]))["unique_opens"] == 2


def test_a_period_that_is_not_whole_days(ask: Asking) -> None:
    """Only what lies in it, its begin included, its end not."""
    rows = [opened("a", received_at=NOON + timedelta(hours=hours)) for hours in (-1, 0, 1)]
    assert only(ask(rows, NOON, NOON + timedelta(hours=1)))["opens"] == 1


def test_before_there_is_anything(ask: Asking) -> None:
    """No mails, no rows, and nothing to be said."""
    answer = ask([])
    assert (answer.table.num_rows, answer.notes) == (0, {})
    assert "click_to_open" in answer.table.column_names
