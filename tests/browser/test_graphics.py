"""The chart, the map, the small line and the picture, each alone on a page, under the policy of the dashboard."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import pixelake.web
from pixelake.web.auth import POLICY
from tests.browser.conftest import PATIENCE

HERE = Path(__file__).parent
STATIC = Path(pixelake.web.__file__).parent
EVIL = "<img src=x onerror=alert(1)>\u202e"
SHOWN = "<img src=x onerror=alert(1)>\u2039U+202E\u203a"
"""What a page makes of it."""
DRAWN = "() => document.querySelector('#place .uplot canvas')?.width > 0"
INK = """name => {
  const canvas = document.querySelector('.uplot canvas');
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const pen = copy.getContext('2d', { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] > 200 && wanted.every((each, part) => Math.abs(each - data[at + part]) < 6)) found += 1;
  return found;
}"""
"""How many dots of the plot have the colour of a token."""

EDGES = """() => {
  const canvas = document.querySelector('.uplot canvas');
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const pen = copy.getContext('2d', { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const sides = [0, canvas.width - 1].map(x => pen.getImageData(x, 0, 1, canvas.height).data);
  return sides.flatMap(data => [...data].filter((value, at) => at % 4 === 3 && value)).length;
}"""
"""How many dots at the left and right edge of the plot have ink."""

Show = Callable[..., Page]


class _Files(SimpleHTTPRequestHandler):
    """The dashboard's static files, and the pages of these tests."""

    def translate_path(self, path: str) -> str:
        root = STATIC if path.startswith("/static/") else HERE
        return str(root / path.partition("?")[0].lstrip("/"))

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the pages are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(HERE)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def show(browser: Browser, origin: str) -> Iterator[Show]:
    """Draws a graphic on a page of its own; at the end nothing may have been complained of."""
    complaints: list[str] = []
    contexts = []

    def shown(kind: str, given: Mapping[str, Any], away: str = "", *, picks: bool = True, **options: Any) -> Page:
        usual = {"viewport": {"width": 900, "height": 600}, "locale": "en-GB", "timezone_id": "America/New_York"}
        context = browser.new_context(**usual | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        if away:
            page.route(away, lambda route: route.fulfill(status=503))
        page.on("console", lambda message: away or complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto(f"{origin}/pages/graphics.html")
        page.wait_for_selector("[data-ready]", state="attached")
        page.evaluate("([kind, given, picks]) => show(kind, given, picks)", [kind, dict(given), picks])
        return page

    yield shown
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def functions(browser: Browser, origin: str) -> Iterator[Page]:
    """A page on which functions are called that draw nothing."""
    page = browser.new_page(locale="en-GB", timezone_id="America/New_York")
    page.goto(f"{origin}/pages/graphics.html")
    page.wait_for_selector("[data-ready]", state="attached")
    yield page
    page.close()


def _hours(start: datetime, number: int) -> list[str]:
    return [f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}" for hour in range(number)]


HOURS = _hours(datetime(2026, 3, 2, 23, tzinfo=UTC), 49)
"""Two days of Berlin, and when they are over."""


def _chart(**more: Any) -> dict[str, Any]:
    values = [100 + hour for hour in range(48)]
    line = {"name": "visitors", "label": "Visitors", "colour": "--chart-1", "values": values, "kind": "area"}
    usual = {"title": "Visitors", "series": [line], "buckets": HOURS[:48], "interval": "hour", "zone": "Europe/Berlin"}
    return usual | more


def _plain(values: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"name": "v", "label": "Hits", "colour": "--chart-2", "values": values, "kind": "line"} | more]


def _point(page: Page, share: float) -> None:
    """The mouse over the plot, at a share of its width."""
    box = page.locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)


def _slider(page: Page) -> Any:
    return page.get_by_role("slider")


# --- the chart


def test_bucket_under_the_mouse_is_told(show: Show) -> None:
    """The tooltip has both periods, the change, and why the hour is unusual; what is not over is said to be so far."""
    unusual = [{"begins": HOURS[47], "ends": HOURS[48], "reason": "147 hits; 8 to 20 are usual on Wednesdays"}]
    before = [{"name": "visitors", "values": [70] * 47 + [98]}]
    page = show("Chart", _chart(before=before, unusual=unusual, open=True, until=HOURS[48]))
    page.wait_for_function(DRAWN)
    _point(page, 0.999)
    tip = page.locator(".chart-tip")
    expect(tip).to_contain_text("Wed 4 Mar")
    expect(tip).to_contain_text("23:00 so far")
    assert tip.locator(".chart-line b").inner_text() == "147"
    assert tip.locator(".chart-line .past").inner_text() == "98"
    assert tip.locator("em").inner_text() == "+50%"
    expect(tip.locator(".chart-odd")).to_have_text("147 hits; 8 to 20 are usual on Wednesdays")
    _point(page, 0.5)
    expect(tip.locator(".chart-odd")).to_have_count(0)
    page.mouse.move(5, 5)
    expect(tip).to_have_count(0)


def test_both_periods_and_unusual_hours_are_drawn(show: Show) -> None:
    """Each has ink in its own colour, and has none when it is not given."""
    unusual = [{"begins": HOURS[20], "ends": HOURS[22], "reason": "many"}]
    page = show("Chart", _chart(before=[{"values": list(range(48))}], unusual=unusual))
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(100)
    assert [page.evaluate(INK, name) > 20 for name in ("--chart-1", "--chart-before", "--warn")] == [True] * 3
    page.evaluate("given => show('Chart', given)", _chart())
    page.wait_for_timeout(100)
    assert page.evaluate(INK, "--chart-1") > 20
    assert [page.evaluate(INK, name) for name in ("--warn", "--chart-before")] == [0, 0]


def test_bucket_that_is_not_over_is_dashed(show: Show) -> None:
    """The last stretch has less ink than one that is over; of bars it is hatched."""
    for kind in ("line", "bars"):
        given = _chart(series=_plain([100, 100, 100], kind=kind), buckets=HOURS[:3])
        page = show("Chart", given)
        page.wait_for_function(DRAWN)
        page.wait_for_timeout(100)
        over = page.evaluate(INK, "--chart-2")
        page.evaluate("given => show('Chart', given)", given | {"open": True})
        page.wait_for_timeout(100)
        assert 0.5 * over < page.evaluate(INK, "--chart-2") < 0.95 * over


def test_walking_by_keyboard(show: Show) -> None:
    """Arrows, Home and End go from bucket to bucket and say each; Enter picks it; Escape leaves."""
    page = show("Chart", _chart(open=True))
    page.wait_for_function(DRAWN)
    slider = _slider(page)
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "Tue 3 Mar, 00:00: Visitors 100")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "2")
    expect(page.locator(".chart-tip")).to_contain_text("01:00")
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "Wed 4 Mar, 23:00, so far: Visitors 147")
    page.keyboard.press("Enter")
    assert page.evaluate("picked") == [[HOURS[1], HOURS[2]], [HOURS[47], ""]]
    page.keyboard.press("Escape")
    expect(page.locator(".chart-tip")).to_have_count(0)


def test_taking_a_stretch_by_keyboard(show: Show) -> None:
    """Shift with arrows takes several buckets, in either direction."""
    page = show("Chart", _chart(until=HOURS[48]))
    page.wait_for_function(DRAWN)
    _slider(page).focus()
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".u-select").evaluate("box => box.offsetWidth") > 10
    page.keyboard.press("Enter")
    assert page.evaluate("picked") == [[HOURS[45], HOURS[48]]]
    assert page.locator(".u-select").evaluate("box => box.offsetWidth") == 0


def test_dragging_and_clicking(show: Show) -> None:
    """A drag picks what it went over, a click the bucket under it; where nothing can be picked neither does."""
    page = show("Chart", _chart())
    page.wait_for_function(DRAWN)
    _point(page, 10 / 47)
    page.mouse.down()
    _point(page, 15 / 47)
    _point(page, 20 / 47)
    page.mouse.up()
    assert page.evaluate("picked") == [[HOURS[10], HOURS[21]]]
    _point(page, 30 / 47)
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("picked")[1:] == [[HOURS[30], HOURS[31]]]
    page = show("Chart", _chart(), picks=False)
    page.wait_for_function(DRAWN)
    _point(page, 0.5)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".chart-tip")).to_have_count(1)


def test_tapping(show: Show) -> None:
    """A finger's first tap shows the bucket, the second one picks it."""
    page = show("Chart", _chart(), viewport={"width": 360, "height": 640}, has_touch=True)
    page.wait_for_function(DRAWN)
    page.locator(".u-over").tap(position={"x": 120, "y": 60})
    expect(page.locator(".chart-tip")).to_have_count(1)
    assert page.evaluate("picked") == []
    page.locator(".u-over").tap(position={"x": 120, "y": 60})
    assert len(page.evaluate("picked")) == 1


def test_table_behind_the_chart(show: Show) -> None:
    """All numbers and reasons are in a table: always for screen readers, by a button for all, without a shift."""
    unusual = [{"begins": HOURS[3], "ends": HOURS[5], "reason": "103 hits; 8 to 20 are usual"}]
    page = show("Chart", _chart(before=[{"values": [50] * 48}], unusual=unusual))
    page.wait_for_function(DRAWN)
    table = page.get_by_role("table", name="Visitors")
    assert table.get_by_role("row").count() == 49
    row = table.get_by_role("row").nth(4).locator("th, td").all_inner_texts()
    assert row == ["Tue 3 Mar, 03:00", "103", "50", "103 hits; 8 to 20 are usual"]
    assert "Europe/Berlin" in table.get_by_role("columnheader").first.inner_text()
    before = page.locator("#place").bounding_box()
    page.get_by_role("button", name="Show as table").click()
    expect(page.locator(".uplot")).to_have_count(0)
    assert table.bounding_box()["width"] > 500  # type: ignore[index]
    assert page.locator("#place").bounding_box() == before
    page.get_by_role("button", name="Show as chart").click()
    page.wait_for_function(DRAWN)


def test_table_in_place_of_a_chart_that_cannot_be_drawn(show: Show) -> None:
    """Without its library, the table is in sight of all."""
    page = show("Chart", _chart(), away="**/uPlot.iife.min.js")
    assert page.get_by_role("table").bounding_box()["width"] > 500  # type: ignore[index]
    expect(page.get_by_role("slider")).to_have_count(0)


def test_day_of_25_hours(show: Show) -> None:
    """The hour that the clock has twice is there twice, with the names of its times; the clock is the site's."""
    hours = _hours(datetime(2026, 10, 24, 22, tzinfo=UTC), 25)
    page = show("Chart", _chart(series=_plain(list(range(25))), buckets=hours))
    page.wait_for_function(DRAWN)
    names = page.get_by_role("rowheader").all_inner_texts()
    assert (len(names), len(set(names))) == (25, 25)
    assert names[0] == "Sun 25 Oct, 00:00"
    assert names[2:4] == ["Sun 25 Oct, 02:00 CEST", "Sun 25 Oct, 02:00 CET"]


@pytest.mark.parametrize(
    ("interval", "buckets", "names"),
    [
        pytest.param("minute", ["2026-03-02T10:00:00", "2026-03-02T10:01:00"], ["Mon 2 Mar, 10:00"], id="minute"),
        pytest.param("day", ["2026-03-02", "2026-03-03"], ["Mon, 2 March 2026"], id="day"),
        pytest.param("week", ["2026-03-02T00:00:00", "2026-03-09T00:00:00"], ["Week of 2 Mar 2026"], id="week"),
        pytest.param("month", ["2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"], ["March 2026"], id="month"),
        pytest.param(None, [EVIL, "Firefox"], [SHOWN], id="words"),
    ],
)
def test_what_buckets_are_called(show: Show, interval: str | None, buckets: list[str], names: list[str]) -> None:
    """Each length of bucket has its own words, in the zone of the site; what is no time is plain text."""
    page = show("Chart", _chart(series=_plain([1, 2]), buckets=buckets, interval=interval))
    page.wait_for_function(DRAWN)
    assert page.get_by_role("rowheader").all_inner_texts()[:1] == names


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(("minute", 60, 60, "Europe/Berlin", 8), ["3 Mar", "00:10", "00:20"], id="ten minutes"),
        pytest.param(("hour", 3600, 24, "Europe/Berlin", 9), ["3 Mar", "03:00", "06:00"], id="three hours"),
        pytest.param(
            ("hour", 3600, 24 * 20, "Europe/Berlin", 9), ["3 Mar", "6 Mar", "9 Mar"], id="third days of hours"
        ),
        pytest.param(("hour", 3600, 24 * 30, "Europe/Berlin", 9), ["9 Mar", "16 Mar", "23 Mar"], id="Mondays of hours"),
        pytest.param(("day", 86400, 7, "UTC", 9), ["2 Mar", "3 Mar", "4 Mar"], id="days"),
        pytest.param(("day", 86400, 7, "UTC", 4), ["2 Mar", "4 Mar", "6 Mar"], id="every second day"),
        pytest.param(("day", 86400, 400, "UTC", 14), ["Apr", "May", "Jun"], id="months of days"),
        pytest.param(("week", 7 * 86400, 60, "UTC", 6), ["Apr", "Jul", "Oct"], id="quarters of weeks"),
        pytest.param(("hour", 3600, 24, "no/zone", 9), ["3 Mar", "03:00", "06:00"], id="a zone that is none"),
    ],
)
def test_what_an_axis_names(functions: Page, asked: tuple[str, int, int, str, int], expected: list[str]) -> None:
    """As many buckets as fit, at natural places: round minutes and hours, midnights, Mondays, firsts of a month."""
    start = datetime(2026, 3, 2, 23, tzinfo=UTC).timestamp() * 1000
    interval, step, number, zone, most = asked
    found = functions.evaluate(
        """async ([start, step, number, ...rest]) => {
          const { ticks } = await import("/static/buckets.js");
          const begins = Array.from({ length: number }, (_, at) => start + at * step * 1000);
          return ticks(begins, ...rest).map(({ text }) => text);
        }""",
        [start, step, number, interval, zone, most],
    )
    assert len(found) <= most
    assert found[:3] == expected


def test_empty_periods(show: Show) -> None:
    """A period without a hit says so over the axes; one without buckets, and one of nothing known, are no error."""
    page = show("Chart", _chart(series=_plain([0] * 48)))
    page.wait_for_function(DRAWN)
    expect(page.locator(".chart-empty")).to_have_text("Nothing was counted in this period.")
    height = page.locator(".chart").bounding_box()["height"]  # type: ignore[index]
    for given in (_chart(series=_plain([]), buckets=[]), _chart(series=_plain([None] * 48)), _chart(open=True)):
        page.evaluate("given => show('Chart', given)", given)
        page.wait_for_timeout(50)
        assert page.locator(".chart").bounding_box()["height"] == height  # type: ignore[index]
    _slider(page).focus()
    page.keyboard.press("ArrowLeft")


def test_labels_are_whole(show: Show) -> None:
    """No label is cut off at the edge of the plot, not those of hours with AM and PM either."""
    page = show("Chart", _chart(series=_plain(list(range(25))), buckets=HOURS[3:28]), locale="en-US")
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(100)
    for width in (900, 860, 700, 420):
        page.set_viewport_size({"width": width, "height": 600})
        page.wait_for_timeout(150)
        assert page.evaluate(EDGES) == 0


def test_colours_and_width_follow_the_page(show: Show) -> None:
    """Another colour scheme draws the plot anew in its colours; a narrower page a narrower plot."""
    page = show("Chart", _chart(), color_scheme="light")
    page.wait_for_function(DRAWN)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"name => ({INK})(name) > 20", arg="--chart-1")
    page.set_viewport_size({"width": 400, "height": 600})
    page.wait_for_function("() => document.querySelector('.uplot').offsetWidth < 400")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.wait_for_function(f"name => ({INK})(name) > 20", arg="--chart-1")


def test_same_values_are_not_drawn_again(show: Show) -> None:
    """A page that is drawn anew with the same lists keeps the plot, and what the mouse points at."""
    page = show("Chart", _chart())
    page.wait_for_function(DRAWN)
    page.evaluate("document.querySelector('.uplot').dataset.same = 'yes'")
    page.evaluate("given => show('Chart', given)", _chart())
    expect(page.locator(".uplot")).to_have_attribute("data-same", "yes")
    page.evaluate("given => show('Chart', given)", _chart(series=_plain([1] * 48)))
    expect(page.locator(".uplot")).not_to_have_attribute("data-same", "yes")


def test_text_from_outside_in_a_chart(show: Show) -> None:
    """Labels, reasons and values are text, in the legend, the tooltip, the table and the list."""
    unusual = [{"begins": HOURS[0], "ends": HOURS[48], "reason": EVIL, "what": "page", "value": EVIL}]
    page = show("Chart", _chart(title=EVIL, series=_plain([1] * 48, label=EVIL), unusual=unusual, listed=True))
    page.wait_for_function(DRAWN)
    _point(page, 0.5)
    for place in (".chart-keys", ".chart-tip", ".chart-table", ".chart-unusual"):
        expect(page.locator(place)).to_contain_text(SHOWN)
    assert page.locator("img").count() == 0


# --- the map

ROWS = [{"value": "DE", "count": 900}, {"value": "US", "count": 9000}, {"value": "SG", "count": 3}]


def _map(**more: Any) -> dict[str, Any]:
    return {"rows": ROWS, "label": "Visitors"} | more


def _fill(page: Page, code: str) -> str:
    return str(page.locator(f".world-map [data-code={code}]").first.evaluate("each => getComputedStyle(each).fill"))


def test_projection_is_equal_earth(functions: Page) -> None:
    """Its width and height are the published ones, its poles 0.59 times the equator; areas are true everywhere."""
    found = functions.evaluate("[[0, 0], [180, 0], [0, 90], [180, 90]].map(place => equalEarth(...place))")
    expected = [(0, 0), (2.70662996, 0), (0, 1.31736281), (0.5925 * 2.70662996, 1.31736281)]
    for (x, y), (x_expected, y_expected) in zip(found, expected, strict=True):
        assert (x, y) == (pytest.approx(x_expected, abs=1e-4), pytest.approx(y_expected, abs=1e-4))
    area = functions.evaluate(
        """() => [0, 30, 60, 80].map(at => {
          const near = 1e-4;
          const [[x0, y0], [x1, y1], [x2, y2]] = [[50, at], [50 + near, at], [50, at + near]]
            .map(place => equalEarth(...place));
          const true_ = Math.cos(at * Math.PI / 180) * (near * Math.PI / 180) ** 2;
          return ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / true_;
        })"""
    )
    assert area == pytest.approx([1, 1, 1, 1], rel=1e-3)


def test_countries_are_coloured_by_how_many(show: Show) -> None:
    """More is stronger, none is grey; a country too small for the map is a dot; the legend has the numbers."""
    page = show("WorldMap", _map())
    page.wait_for_selector(".world-map path")
    assert len({_fill(page, code) for code in ("US", "DE", "SG", "FR")}) == 4
    assert _fill(page, "FR") == _fill(page, "BR")
    expect(page.locator(".world-dots circle")).to_have_attribute("data-code", "SG")
    assert page.locator(".world-legend span").all_inner_texts() == ["1", "1,125", "9,000"]
    expect(page.get_by_role("img")).to_have_accessible_name("Map of visitors by country; the list has the same")


def test_no_country_is_torn_apart(show: Show) -> None:
    """Nothing crosses the map: not the ones on both sides of the date line; the Antarctic is not there."""
    page = show("WorldMap", _map(rows=[]))
    page.wait_for_selector(".world-map path")
    widths = page.evaluate(
        """Object.fromEntries([...document.querySelectorAll(".world-land path")].map(path => {
          const { x, y, width, height } = path.getBBox();
          return [path.dataset.code, { x, y, width, height }];
        }))"""
    )
    assert len(widths) > 170
    assert "AQ" not in widths
    assert "XK" in widths
    assert widths["FJ"]["width"] < 15
    assert widths["RU"]["width"] < 450
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 961 and box["y"] >= 0 for box in widths.values())


def test_pointing_and_clicking_on_the_map(show: Show) -> None:
    """A country is named with its number; a click on one with hits picks it, on one without does not."""
    page = show("WorldMap", _map())
    page.wait_for_selector(".world-map path")
    page.locator("[data-code=BR]").click()
    page.locator("[data-code=DE]").click()
    expect(page.locator(".world-tip")).to_have_text("Germany 900 visitors")
    page.locator("[data-code=SG]").last.click()
    assert page.evaluate("picked") == [["DE"], ["SG"]]
    page.mouse.move(1, 1)
    expect(page.locator(".world-tip")).to_have_count(0)


def test_rows_that_are_no_country(show: Show) -> None:
    """What is not known, no country at all, or hostile is counted beside the map; a map of nothing says so."""
    rows = [{"value": None, "count": 5}, {"value": "ZZ", "count": 2}, {"value": EVIL, "count": 1}, *ROWS]
    page = show("WorldMap", _map(rows=rows))
    expect(page.locator(".world-away")).to_have_text("8 elsewhere or unknown")
    page.evaluate("given => show('WorldMap', given)", _map(rows=[]))
    expect(page.locator(".world-legend")).to_have_text("No country is known yet.")


def test_countries_light_up(show: Show) -> None:
    """What was hit less than two seconds ago glows, and is dark again by itself; not where motion is unwanted."""
    lit = [["DE", 0], ["SG", 0.5], ["FR", 60], ["ZZ", 0]]
    page = show("WorldMap", _map())
    page.wait_for_selector(".world-map path")
    page.evaluate("given => show('WorldMap', given)", _map(lit=lit))
    glow = page.locator(".world-glow [data-lit]")
    assert sorted(glow.evaluate_all("all => all.map(each => each.dataset.lit)")) == ["DE", "SG"]
    page.wait_for_function("() => getComputedStyle(document.querySelector('[data-lit=DE]')).opacity > 0.2")
    page.wait_for_function("() => getComputedStyle(document.querySelector('[data-lit=DE]')).opacity == 0")
    page = show("WorldMap", _map(), reduced_motion="reduce")
    page.wait_for_selector(".world-map path")
    page.evaluate("given => show('WorldMap', given)", _map(lit=lit))
    expect(page.locator(".world-glow")).to_be_hidden()


def test_map_that_does_not_come(show: Show) -> None:
    """Why it is not there is said, and it can be tried again."""
    page = show("WorldMap", _map(), away="**/countries-110m.json")
    page.get_by_role("button", name="Try again").wait_for()
    page.unroute("**/countries-110m.json")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".world-map path")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


# --- the small line


def test_small_line(show: Show) -> None:
    """It has its words, goes from zero up, is in pieces where values are missing, and is there for nothing too."""
    page = show("Spark", {"values": [1, 3, None, 2, 4], "label": "Visitors, last 30 days"})
    assert page.get_by_role("img", name="Visitors, last 30 days").locator("polyline").count() == 2
    assert page.locator("polyline").first.get_attribute("points") == "2.0,20.0 25.0,8.0"
    for values in ([], [None], [0, 0], [7]):
        page.evaluate("given => show('Spark', given)", {"values": values})
        expect(page.locator("svg.spark")).to_have_attribute("aria-hidden", "true")
    expect(page.locator("svg.spark circle")).to_have_count(1)


# --- the picture

SAVED = """async title => {
  const place = document.getElementById("place");
  const picture = await savePicture(place, `example.com: ${title}`, ["Last 7 days", "Europe/Berlin"], title);
  const drawn = await createImageBitmap(picture);
  const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(drawn, 0, 0);
  const { data } = pen.getImageData(0, 0, drawn.width, drawn.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
  return { type: picture.type, width: drawn.width, height: drawn.height, colours: [...colours] };
}"""
"""Saves the picture, and tells what is in it."""


def _saved(page: Page, title: str) -> tuple[str, dict[str, Any]]:
    with page.expect_download() as waiting:
        picture = page.evaluate(SAVED, title)
    assert waiting.value.path().read_bytes().startswith(b"\x89PNG")
    return waiting.value.suggested_filename, picture


def test_picture_of_a_chart(show: Show) -> None:
    """A PNG with the colours of the chart, its legend, and room for title and notes around the plot."""
    page = show("Chart", _chart(before=[{"values": list(range(48))}]))
    page.wait_for_function(DRAWN)
    name, picture = _saved(page, "Visitors")
    plot = page.locator(".uplot canvas").bounding_box()
    assert plot
    assert (name, picture["type"]) == ("Visitors.png", "image/png")
    assert picture["width"] == pytest.approx(plot["width"] + 56, abs=2)
    assert picture["height"] > plot["height"] + 100
    assert {"255 255 255", "14 116 144", "154 168 180"} <= set(picture["colours"])


def test_picture_of_a_map(show: Show) -> None:
    """A PNG with the countries in their colours, also in the dark."""
    page = show("WorldMap", _map(), color_scheme="dark")
    page.wait_for_selector(".world-map path")
    _, picture = _saved(page, "Places")
    assert {"111 211 232", "31 41 51", "19 26 34"} <= set(picture["colours"])


def test_picture_of_nothing(show: Show) -> None:
    """What is not drawn is no picture, and that is said."""
    page = show("Spark", {"values": []})
    page.evaluate("document.getElementById('place').replaceChildren()")
    said = page.evaluate("() => savePicture(document.getElementById('place'), 'x').catch(error => error.message)")
    assert said == "There is no chart to save: it has not been drawn yet"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("example.com: Visitors", "example.com-Visitors.png", id="plain"),
        pytest.param("../../etc/passwd", "etc-passwd.png", id="folders"),
        pytest.param('a\\b:c*?"<>|\u202e\x00d.png', "a-b-c-d.png", id="what a file system refuses"),
        pytest.param("CON", "pixelake-CON.png", id="reserved"),
        pytest.param("...", "pixelake-picture.png", id="nothing left"),
        pytest.param("größe 数", "größe-数.png", id="other scripts"),
        pytest.param("x" * 500, "x" * 80 + ".png", id="long"),
    ],
)
def test_name_of_a_picture(functions: Page, given: str, expected: str) -> None:
    """Any title becomes a name that every file system takes, in no other folder."""
    assert functions.evaluate("name => fileName(name)", given) == expected
