"""Every hostile text in every place, over HTTP; then on every page, in every file, on the terminal: only ever text."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests import hostile
from tests.running import Running, running

SITE = "naughty.example"
PATIENCE = 30_000
"""Milliseconds: other work may take the processor."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MAKERS: dict[str, Callable[[str], bytes]] = {
    "views": lambda text: hostile.as_view(text, SITE),
    "events": lambda text: hostile.as_event(text, SITE),
    "bodies": lambda text: hostile.in_json(text, SITE),
    "sites": hostile.as_site,
    "heads": hostile.in_head,
}
PAGES = Path(__file__).parent / "pages"
WATCH = (PAGES / "watch.js").read_text()
"""Before any script of a page: tells what breaks its policy, and what opens a window or a dialog."""
MADE = (PAGES / "made.js").read_text()
"""What is on a page that text must not have put there."""
NOTHING = {"elements": [], "code": [], "links": [], "faults": [], "ran": None, "wide": 0, "controls": []}


@dataclass(frozen=True)
class Naughty:
    """A server that was sent all of it; `answers` has status and reason of each request, by its kind."""

    server: Running
    answers: dict[str, list[tuple[int, str]]]

    @property
    def port(self) -> int:
        """Of the pixel."""
        return int(self.server.pixel.rpartition(":")[2])

    @property
    def origin(self) -> str:
        """Of the dashboard, with a last slash."""
        return self.server.dashboard.partition("?")[0]

    @property
    def client(self) -> httpx.Client:
        """Whoever holds the access token."""
        token = self.server.dashboard.partition("token=")[2]
        return httpx.Client(base_url=self.origin, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def command(self, *arguments: str) -> list[str]:
        """One of `pixelake` on its folder."""
        return [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.server.data)]


@pytest.fixture(scope="module")
def naughty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Naughty]:
    """All of it is in the lake, or among the rejects."""
    with running(tmp_path_factory.mktemp("naughty"), "--lake-window", "0.5") as server:
        made = Naughty(server, {})
        for kind, maker in MAKERS.items():
            made.answers[kind] = hostile.send(made.port, map(maker, hostile.TEXTS))
        with made.client as client:
            server.until(lambda: "settled" if client.get("api/v1/status").json()["in_stream"] == 0 else None)
        yield made


Watched = Callable[..., Page]


@pytest.fixture
def watched(browser: Browser, naughty: Naughty) -> Iterator[Watched]:
    """Opens a page; at the end nothing may have run, complained, broken the policy, or been fetched elsewhere."""
    told: list[str] = []
    contexts = []

    def opened(behind: str, width: int = 1280, *, known: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda one: one.url.startswith((naughty.origin, "blob:", "file:")) or told.append(one.url))
        page.on("popup", lambda other: told.append(f"a window: {other.url}"))
        if known:
            page.request.get(naughty.server.dashboard)  # the cookie
        page.goto(behind if ":" in behind else naughty.origin + behind)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


def settled(page: Page) -> None:
    """No part of the page waits for an answer."""
    page.locator("main").first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def is_only_text(page: Page, *own: str) -> None:
    """Nothing was made of the texts, nothing is wrong, and the page is no wider than its window."""
    assert page.evaluate(MADE, own) == NOTHING, page.url


# --- sent ------------------------------------------------------------------------------------------


def test_every_text_is_taken_or_refused_with_a_reason(naughty: Naughty) -> None:
    """2xx, or a 4xx that says why; never a 5xx."""
    for kind, answers in naughty.answers.items():
        for text, (status, why) in zip(hostile.TEXTS, answers, strict=True):
            assert status in {200, 204} or (400 <= status < 500 and why), (kind, ascii(text)[:80], status, why)


def test_what_was_taken_is_accounted_for(naughty: Naughty) -> None:
    """Each hit that was taken is an event or a reject with a reason that is documented, and the sums hold."""
    taken = sum(status in {200, 204} for answers in naughty.answers.values() for status, _ in answers)
    with naughty.client as client:
        status = client.get("api/v1/status").json()
        reasons = {row["value"] for row in client.get("api/v1/rejects").json()["rows"]}
    assert status["accepted"] == status["settled"] >= taken
    assert status["outcomes"] == status["in_lake"] + status["rejected"]
    assert reasons == {"bad_site", "too_long"}


def test_nothing_of_it_is_in_the_log(naughty: Naughty) -> None:
    """No traceback, no text from outside, and no byte that a terminal obeys."""
    log = naughty.server.log
    assert "Traceback" not in log
    assert "window.ran" not in log
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", log)


# --- as names --------------------------------------------------------------------------------------


AS_JSON = {"Content-Type": "application/json"}


def _named(text: str) -> list[tuple[str, str, object]]:
    """Requests that would call something so: method, path, body."""
    goal, steps = {"filters": ["event is x"]}, {"steps": [["event is x"], ["path is /"]]}
    return [
        ("PUT", f"queries/{hostile.quoted(text)}", {"sql": "select 1"}),
        ("PUT", "queries/kept", {"sql": text, "site": text}),
        ("PUT", f"declared/goal?site={SITE}&name={hostile.quoted(text)}", goal),
        ("PUT", f"declared/goal?site={SITE}&name=hostile", {"filters": [f"title is {text}"]}),
        ("PUT", f"declared/funnel?site={SITE}&name={hostile.quoted(text)}", steps),
        ("PUT", f"declared/funnel?site={SITE}&name=hostile", {"steps": [[text], [f"path is {text}"]]}),
        ("POST", "shares", {"name": text, "site": SITE}),
        ("POST", "shares", {"name": "x", "site": text, "ancestors": [text]}),
        ("POST", "users", {"name": text, "role": "viewer", "password": text, "sites": [text]}),
        ("POST", "tokens", {"name": text, "site": text}),
        ("POST", "site", {"site": text, "zone": text}),
        ("PATCH", "site", {"site": SITE, "zone": text, "policy": text}),
    ]


def test_names_are_taken_or_refused_in_a_sentence(naughty: Naughty) -> None:
    """Goals, funnels, queries, links, users, tokens, sites: never a 5xx; what is refused is told in a line of JSON."""
    with naughty.client as client:
        for text in [hostile.MARKUP["img"], *list(hostile.VECTORS.values())[::2]]:
            for method, path, body in _named(text):
                answer = client.request(method, f"api/v1/{path}", content=json.dumps(body), headers=AS_JSON)
                if answer.status_code not in {200, 201, 204}:
                    assert answer.status_code in {400, 404}, (method, path, answer.text)
                    assert set(answer.json()) <= {"error", "hint", "parameter"}
                    assert "\n" not in answer.json()["error"]
        assert {each["name"] for each in client.get("api/v1/queries").json()["queries"]} >= {hostile.MARKUP["img"]}
        assert {each["name"] for each in client.get("api/v1/shares").json()} >= {hostile.MARKUP["img"]}


# --- looked at -------------------------------------------------------------------------------------


def _look_through(page: Page, panel: Locator, *, whole_lists: bool = False) -> None:
    """Every tab of a panel, and its whole list."""
    panel.scroll_into_view_if_needed()
    for tab in panel.get_by_role("tab").all():
        tab.click()
        settled(page)
        assert panel.locator(".list li, .nothing").count(), tab.inner_text()
        whole = panel.get_by_role("button", name="All", exact=True)
        if whole_lists and whole.is_enabled():
            whole.click()
            page.locator("dialog tbody tr").first.wait_for()
            is_only_text(page)
            page.keyboard.press("Escape")
    is_only_text(page)


def test_the_overview_on_a_phone(watched: Watched) -> None:
    """The panels with the longest names: none of them makes the page wider."""
    page = watched(f"?site={SITE}&period=today", 360)
    settled(page)
    for panel in page.locator("[data-panel=Pages], [data-panel=Sources]").all():
        _look_through(page, panel)


def test_the_overview(watched: Watched) -> None:
    """Every tab of every panel, with its whole list: names are there, as text."""
    page = watched(f"?site={SITE}&period=today")
    settled(page)
    for panel in page.locator(".panel").all():
        _look_through(page, panel, whole_lists=True)
    page.get_by_role("tab", name="Titles").click()
    page.locator("[data-panel=Pages]").get_by_role("button", name="All", exact=True).click()
    page.get_by_label("Search", exact=True).fill("<img src=x onerror=window.ran")
    expect(page.locator("dialog tbody th").first).to_contain_text("<img src=x onerror=window.ran=1>")


def test_a_filter_by_each_vector(watched: Watched, naughty: Naughty) -> None:
    """Whatever a row is offered for as a filter finds the row again, and is a chip that is only text."""
    page = watched(f"?site={SITE}&period=today&people=false")
    asked = """async (texts) => {
      const { askable, test } = await import("/static/address.js");
      return texts.map((text) => (askable(text) ? test("title", "is", text) : null));
    }"""
    texts = [text for text in hostile.VECTORS.values() if text and text.isprintable() and len(text) < 300][::4]
    with naughty.client as client:
        found = page.evaluate(asked, texts)
        assert None not in found
        for text, wanted in zip(texts, found, strict=True):
            given = {"site": SITE, "period": "today", "people": "false", "filter": wanted}
            assert client.get("api/v1/overview", params=given).json()["rows"][0]["hits"], ascii(text)
    assert page.evaluate(asked, ["a\x00b", "x" * 2_001]) == [None, None]
    page.goto(f"{naughty.origin}?site={SITE}&filter={quote(json.dumps(['is', 'title', [hostile.MARKUP['img']]]))}")
    expect(page.locator(".chip")).to_contain_text("title is <img src=x onerror=window.ran=1>")
    settled(page)
    is_only_text(page)


@pytest.mark.parametrize("width", [1280, 360])
def test_live_while_they_come(watched: Watched, naughty: Naughty, width: int) -> None:
    """New rows appear one by one, and their panel opens."""
    page = watched("live", width)
    settled(page)
    for texts in (hostile.MARKUP, hostile.UNICODE, hostile.FORMULAS):
        hostile.send(naughty.port, [hostile.as_event(text, "live.example") for text in texts.values()])
        page.wait_for_timeout(600)
    hostile.send(naughty.port, [hostile.as_event("the last one", "live.example")])
    expect(page.locator(".stream-rows")).to_contain_text("the last one")
    is_only_text(page)
    page.locator(".stream-rows button").nth(5).click()
    page.locator("dialog .fields").first.wait_for()
    is_only_text(page)


@pytest.mark.parametrize("width", [1280, 360])
def test_events_and_rejects(watched: Watched, naughty: Naughty, width: int) -> None:
    """Rows with every column, some hundred of them, and the panels of many."""
    page = watched(f"events?site={SITE}&people=false", width)
    columns = ["event", "page", "title", "source", "referrer", "user_id", "url", "browser", "value", "marks"]
    page.evaluate("(names) => localStorage.setItem('pixelake.events.columns', JSON.stringify(names))", columns)
    page.reload()
    settled(page)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(200)
    is_only_text(page)
    wanted = "hit_id in (select max(hit_id) from events group by title)"
    query = f"select hit_id, received_at from events where {wanted} and title is not null order by length(title) desc"
    with naughty.client as client:
        rows = client.get(
            "api/v1/sql", params={"q": f"{query} limit {4 if width < 400 else 10}", "format": "rows"}
        ).json()
    for row in rows:
        page.evaluate("(hash) => { location.hash = hash }", f"hit={row['hit_id']}&at={row['received_at']}")
        page.locator("dialog .fields").first.wait_for()
        is_only_text(page)
    page.goto(f"{naughty.origin}events#tab=rejects")
    settled(page)
    page.locator("tbody tr button").nth(3).click()
    page.locator("dialog .raw").wait_for()
    is_only_text(page)


def test_explore(watched: Watched, naughty: Naughty) -> None:
    """An answer of SQL with names of columns that are hostile, too; funnels, goals, the shop, cohorts."""
    text = f"""select event as "{hostile.MARKUP["img"]}", * from events where site = '{SITE}'"""
    page = watched(f"explore?site={SITE}#sql?q={quote(text)}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".answer-rows tbody tr").nth(150).wait_for()
    is_only_text(page)
    page.get_by_role("button", name="Row 30, whole").click()
    page.locator("dialog dd").first.wait_for()
    is_only_text(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Saved").click()
    page.get_by_text(hostile.MARKUP["img"]).first.wait_for()
    step = quote(f"title is {hostile.MARKUP['img']}")
    for tab in (f"funnels?step={step}&step={step}", "goals", f"shop?order={step}", "cohorts"):
        page.goto(f"{naughty.origin}explore?site={SITE}&period=today#{tab}")
        page.reload()
        settled(page)
        is_only_text(page)


@pytest.mark.parametrize("path", ["sites", "sites#settings?site=--1", "account"])
def test_names_on_the_pages_of_owners(watched: Watched, path: str) -> None:
    """Sites that are called oddly, and links, users and tokens that are."""
    page = watched(path, 360)
    settled(page)
    page.wait_for_timeout(300)
    is_only_text(page)


def test_a_shared_link(watched: Watched, naughty: Naughty) -> None:
    """Whoever has it sees the same, as text."""
    with naughty.client as client:
        made = client.post("api/v1/shares", json={"name": hostile.MARKUP["svg"], "site": SITE}).json()
    page = watched(made["address"].lstrip("/") + "?period=today", known=False)
    settled(page)
    _look_through(page, page.locator("[data-panel=Pages]"))


def test_a_report(watched: Watched, naughty: Naughty, tmp_path) -> None:
    """A file in a browser: no script runs, nothing is fetched."""
    file = tmp_path / "report.html"
    given = ("report", "--site", SITE, "--period", "today", "--output", str(file))
    subprocess.run(naughty.command(*given), check=True, capture_output=True, timeout=60)
    page = watched(file.as_uri(), 390, known=False)
    assert "javascript" in page.inner_text("body")
    is_only_text(page, "head > style", "head > meta[http-equiv=Content-Security-Policy]")


def test_directions_stay_where_they_belong(watched: Watched, naughty: Naughty) -> None:
    """What stands behind a text that is written from the right is still at its right, in its order."""
    hebrew = hostile.UNICODE["hebrew"]
    event = hostile.as_event(hebrew, "rtl.example").replace(b"Referer: ", b"X-Was: ", 1)
    page = watched("live?site=")
    settled(page)
    hostile.send(naughty.port, [event])
    line = page.locator(".stream-rows li", has_text="rtl.example").first
    line.wait_for()
    places = line.locator(".line-who bdi").evaluate_all("(all) => all.map((each) => each.getBoundingClientRect().left)")
    assert len(places) >= 2
    assert places == sorted(places)


# --- in files and on a terminal --------------------------------------------------------------------


@pytest.mark.parametrize("question", ["titles", "pages", "events", "properties", "newest", "refused"])
def test_files(naughty: Naughty, question: str) -> None:
    """CSV in which no text is a formula; JSON and Parquet are made as well."""
    given = {"period": "today", "people": "false", "limit": "10000"}
    with naughty.client as client:
        for form in ("csv", "rows", "parquet"):
            answer = client.get(f"api/v1/{question}", params=given | {"format": form})
            assert answer.status_code == 200, (form, answer.text[:300])
            if form == "csv":
                cells = csv.reader(io.StringIO(answer.content.decode("utf-8", "surrogatepass"), newline=""))
                texts = [cell for row in cells for cell in row if not re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)]
                assert [ascii(text) for text in texts if text.startswith(FORMULA)] == []
                assert len(texts) > 100


def _on_a_terminal(command: Sequence[str]) -> str:
    """What a command prints there."""
    ours, theirs = pty.openpty()
    clean = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=clean) as process:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # Linux says so where nobody writes any more
                break
            told += part
        process.wait(60)
    os.close(ours)
    return told.decode("utf-8", "replace")


TYPED = {
    "pages": ["query", "pages", "--limit", "1000"],
    "titles in CSV": ["query", "titles", "--limit", "1000", "--format", "csv"],
    "sql": ["sql", "select event, title, url, properties, user_agent from events"],
    "sql in JSON": ["sql", "select title, event from events", "--format", "json"],
    "a name of a column": ["sql", 'select 1 as "\x1b[31m\x9b1A"'],
    "an error that quotes a row": ["sql", "select title::int from events where title like '%' || chr(27) || '%'"],
    "rejects": ["rejects", "list", "--limit", "1000"],
    "status": ["status", "--once"],
    "sites": ["sites", "list"],
}


@pytest.mark.parametrize("name", TYPED)
def test_terminals_obey_nothing(naughty: Naughty, name: str) -> None:
    """No control but the ends of lines and our own colours, no direction, no separator."""
    told = _on_a_terminal(naughty.command(*TYPED[name]))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", told) if name != "a name of a column" else told.replace("\x1b[1m", "")
    plain = plain.replace("\x1b[0m", "").replace("\r\n", "\n")
    assert plain.strip()
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]", plain) == []


def test_colours_are_ours_alone(naughty: Naughty) -> None:
    """A text that asks for red is written out; nothing but bold headings is there."""
    told = _on_a_terminal(naughty.command("sql", "select title from events where title like '%' || chr(27) || '%'"))
    assert "\\x1b[31mred" in told
    assert set(re.findall(r"\x1b\[[0-9;]*m", told)) <= {"\x1b[1m", "\x1b[0m"}
