"""What a month costs: the arithmetic, where its figures are from, and what people see."""

import json
import math
import re
from pathlib import Path

import pytest

from pixelake import hit_json
from pixelake.aws import terms
from pixelake.aws.cost import CLAIMS, Bill, as_text, bill
from pixelake.aws.cost_inputs import KNOWN, Inputs, told
from pixelake.aws.cost_lines import DESIGNS, MONTH, Load, capacity, live_units, machines, whole
from pixelake.aws.prices import prices
from pixelake.cli import run
from pixelake.collect.pixel import STAY, Answers
from pixelake.errors import SettingsError
from pixelake.hit import Hit

MANY = 200e6
"""Events of a month at which batches of a hundred fill before their window ends, and no price is of a second step."""
NO_LOGS = ("log_call=0", "answer_bytes=0", "cold=0")
BROWSER = (Path(__file__).parents[2] / "bench" / "browser.http").read_text("ascii")


def a_million(of: Bill, *names: str) -> float:
    """Dollars of these lines, or of all that are not fixed, a million events."""
    items = [item for item in of.items if (item.name in names if names else not item.fixed)]
    assert {item.name for item in items} >= set(names)
    return sum(item.dollars for item in items) / of.events * 1e6


def test_the_published_design_of_a_stream() -> None:
    """At 256 MB and 20 ms, batches of 100 with one object and 28 write units each: $1.53, and $10.95 a shard."""
    figures = (
        "batch=100",
        "commit_puts=1",
        "commit_gets=0",
        "file_gets=0",
        "live_write=28",
        "live_hit=0",
        "live_read=0",
    )
    small = ("consume_memory=256", "call_ms=192", "consume_us=0", "keep_us=0", "months_kept=0", "shards=1")
    found = bill("stream", MANY, told([*figures, *small, *NO_LOGS]))
    by_hand = 1.00 + 0.20 + 0.083 + 0.014 + 0.010 + 0.05 + 0.175
    assert a_million(found) == pytest.approx(by_hand, rel=0.05)
    assert next(item.dollars for item in found.items if item.name == "Kinesis: shards") == pytest.approx(10.95)


def test_the_published_design_of_firehose() -> None:
    """A put a hit, billed as 5 KB: $1.37 without conversion and what gathers; $50 for 30 million are more."""
    found = bill("firehose", MANY, told(["ingest_memory=128", "ingest_ms=15", *NO_LOGS]))
    mine = a_million(found, "HTTP API", "ingest: calls", "ingest: time", "Firehose")
    assert mine == pytest.approx(1.00 + 0.23 + 4.77 * 0.029, rel=0.05)
    assert CLAIMS["firehose"][1] == pytest.approx(1.67, rel=0.01)
    assert mine < CLAIMS["firehose"][1]


def test_the_published_design_of_the_edge() -> None:
    """Half a kilobyte a line and an answer: $1.20 plain; packing leaves a tenth of Firehose's; $1.05 by logs."""
    figures = told(["log_bytes=500", "answer_bytes=500", "packed_bytes=5120"])
    names = ("CloudFront", "answers", "real-time logs", "Kinesis: puts", "Firehose")
    plain = bill("edge-plain", MANY, figures)
    assert a_million(plain, *names) == pytest.approx(1.00 + 0.04 + 0.01 + 0.014 + 0.138, rel=0.05)
    assert a_million(bill("edge", MANY, figures), "Firehose") == pytest.approx(0.0138, rel=0.05)
    assert a_million(bill("edge-standard", MANY, figures)) == pytest.approx(1.05, rel=0.05)


def test_the_published_design_of_a_queue() -> None:
    """Batches of ten, a write unit a hit: $5.64, of which the REST API alone is more than the post claims for all."""
    figures = ("queue_batch=10", "live_write=0", "live_hit=1", "live_read=0", "commit_puts=0", "commit_gets=0")
    small = ("file_gets=0", "call_ms=6", "consume_us=0", "keep_us=0", "months_kept=0", "cold=0", "answer_bytes=500")
    found = bill("queue", MANY, told([*figures, *small]))
    by_hand = 1.00 + 3.50 + 0.40 + 0.08 + 0.03 + 0.625
    assert a_million(found) == pytest.approx(by_hand, rel=0.05)
    assert a_million(found, "REST API") > CLAIMS["queue"][1]


def test_machines_at_a_billion() -> None:
    """Straight to S3, $0.20 a million; of these $0.06 are TLS handshakes, which AWS bills as data out.

    On Lightsail, whose price has the transfer in it, it is below $0.10 with all lines.
    """
    found = bill("fleet-s3", 1e9, Inputs())
    names = {"answers", "TLS handshakes", "load balancer", "machines", "disks", "lake: commits", "live store: writes"}
    assert names <= {item.name for item in found.items}
    assert not {item.name for item in found.items} & {"keep: calls", "keep: time", "machines: metrics"}
    assert found.dollars / 1e3 == pytest.approx(0.20, abs=0.005)
    rest = bill("fleet-s3", 1e9, told(["handshake_bytes=0"]))
    assert found.dollars - rest.dollars == pytest.approx(64 + 5, abs=1)
    assert bill("lightsail", 1e9, Inputs()).dollars / 1e3 <= 0.10
    assert all(found.dollars < bill(design, 1e9, Inputs()).dollars / 4 for design in ("stream", "firehose", "queue"))


def test_the_live_page_is_not_cheaper_still() -> None:
    """The window of the machines is the stack's; one twice as long spares a fifth of the live store, no more."""
    of = Inputs()
    assert of.live_every == terms.LIVE_WINDOW
    often, rarely = (_live(told([f"live_every={seconds}"])) for seconds in (0.5, 6 * terms.LIVE_WINDOW))
    assert rarely > 0.75 * _live(of)
    assert often > 3 * _live(of)


def _live(of: Inputs) -> float:
    """Dollars of the live store's writes, straight to S3, at a billion."""
    (found,) = (item.dollars for item in bill("fleet-s3", 1e9, of).items if item.name == "live store: writes")
    return found


def test_a_write_of_many_hits() -> None:
    """It grows with each hit, less from when on it shows no more; beyond 5,000 it is two, and then four."""
    of = Inputs()
    assert live_units(of, 0) == of.live_write
    assert live_units(of, 100) == pytest.approx(2 + 10)
    assert live_units(of, 3_000) == pytest.approx(40 + 51)
    assert live_units(of, 6_000) == pytest.approx(2 * live_units(of, 3_000))
    assert live_units(of, 11_400) == pytest.approx(4 * live_units(of, 2_850))


def test_a_firewall() -> None:
    """By hand: $5, $1 a rule, $0.60 a million; a REST API in place of the HTTP API; none before a balancer."""
    firewall = ("firewall", "firewall: rules", "firewall: requests")
    for design in ("stream", "firehose", "edge", "edge-plain", "edge-standard", "queue"):
        items = {item.name: item for item in bill(design, 10e6, told(["waf=1", "waf_lists=2"])).items}
        assert [items[name].dollars for name in firewall] == pytest.approx([5.0, 6.0, 6.0])
        assert [items[name].fixed for name in firewall] == [True, True, False]
        plain = bill(design, 10e6, Inputs())
        assert not {item.name for item in plain.items} & set(firewall)
        dearer = 10 * (3.50 - 1.00) if design in {"stream", "firehose"} else 0.0
        assert sum(item.dollars for item in items.values()) - plain.dollars == pytest.approx(17.0 + dearer)
    for design in ("fleet", "fleet-s3", "lightsail"):
        assert bill(design, 10e6, told(["waf=1"])) == bill(design, 10e6, Inputs())


def test_cold_starts() -> None:
    """By hand: a hundredth of ten million calls, 0.27 s of a core each. A core is 1,769 MiB, whatever they have."""
    items = {item.name: item for item in bill("stream", 10e6, Inputs()).items}
    assert items["ingest: cold starts"].units == pytest.approx(1e5 * 0.27 * 1_769 / 1_024)
    assert items["ingest: cold starts"].dollars == pytest.approx(0.777, abs=0.001)
    assert items["keep: cold starts"].fixed
    warm = {item.name for item in bill("stream", 10e6, told(["cold=0"])).items}
    assert not any("cold starts" in name for name in warm)


def test_starts_are_those_of_the_page() -> None:
    """Import and first call, less a call that is not the first, as the page on what functions weigh says."""
    text = (Path(__file__).parents[2] / "docs" / "deploy" / "function-sizes.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| \d+ \| \d+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    assert {name for name, *_ in rows} == set(terms.FUNCTIONS)
    for name, *seconds in rows:
        loaded, first, after = map(float, seconds)
        assert getattr(Inputs(), f"{name}_start") == pytest.approx(1e3 * (loaded + first - after)), name


def test_what_lambda_logs_of_a_call() -> None:
    """Nothing, by the level of the stacks; at INFO, $0.16 a million."""
    assert terms.SYSTEM_LOGS == "WARN"
    assert "ingest: its log" not in {item.name for item in bill("stream", 10e6, Inputs()).items}
    assert a_million(bill("stream", 10e6, told(["log_call=350"])), "ingest: its log") == pytest.approx(0.163, abs=0.001)


def test_machines_bear_what_comes() -> None:
    """Their capacity is what was measured, divided by the margin: for the average all day, and for the peak."""
    of = Inputs()
    by = whole(of)
    all_day, most = capacity(of, by)
    assert most == pytest.approx(2 / ((55.0 + 20.5 + 28.9) * 1e-6 * 3))
    for events in (0.0, 1e9, 1e11):
        count, rate = machines(Load(events, of), by), events / MONTH
        assert count >= 2
        assert count * all_day >= rate
        assert count * most >= rate * of.peak


def test_measured_figures_are_so() -> None:
    """The bytes of the image's answer, and of a browser's hit as it lies in a stream."""
    assert len(Answers().image("GET", STAY)) == Inputs().answer_bytes
    fill = {"site": "7", "page": "123", "event": "a" * 16, "host": "pixel.example", "connection": "keep-alive"}
    text = BROWSER
    for name, value in {**fill, "major": "130", "build": "6723"}.items():
        text = text.replace("{" + name + "}", value)
    line = hit_json.encode(Hit(1_700_000_000_000_000, "203.0.113.9", "203.0.113.9", _head(text), hit_id="a" * 22))
    assert len(line) == pytest.approx(Inputs().hit_bytes, rel=0.02), len(line)


def _head(text: str) -> bytes:
    return text.strip().replace("\r\n", "\n").replace("\n", "\r\n").encode() + b"\r\n\r\n"


def test_a_setting_of_the_stacks_moves_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures begin as the terms of the stacks: the window, the memory, the shards."""
    of = Inputs()
    assert (of.window, of.batch, of.consume_memory) == (
        terms.CONSUME.window,
        terms.CONSUME.batch,
        terms.FUNCTIONS["consume"].memory,
    )
    before = bill("stream", 1e6, of).fixed
    monkeypatch.setattr(terms, "SHARDS", terms.SHARDS + 1)
    assert bill("stream", 1e6, of).fixed == pytest.approx(before + 10.95)


@pytest.mark.parametrize("design", DESIGNS)
def test_more_costs_more(design: str) -> None:
    """No sum falls with the events or is nothing; what is free is never more than the list; nothing is negative."""
    bills = [bill(design, events, Inputs()) for events in (0.0, 1.0, 1e4, 1e6, 3e7, 1e9, 1e11)]
    sums = [each.dollars for each in bills]
    assert sums == sorted(sums)
    assert all(0 <= item.free <= item.dollars + 1e-9 for each in bills for item in each.items)
    assert bills[0].dollars == pytest.approx(bills[0].fixed)
    assert bills[0].a_million is None


def test_steps_and_what_is_free() -> None:
    """The next million is cheaper behind a step; two lines of one price share what is free of it."""
    price = prices().of["http_api"]
    assert price.of(300e6) == pytest.approx(300)
    assert price.of(400e6) == pytest.approx(300 + 90)
    items = bill("stream", 10e6, Inputs()).items
    free = sum(item.free for item in items if item.unit == prices().of["lambda_requests"].unit)
    assert free == pytest.approx(0.20)


def test_each_price_and_each_figure_says_where_it_is_from() -> None:
    """A page and a month of each price, the date of all; a unit and a kind of source of each figure."""
    assert prices().date >= "2026-11-22"
    for price in prices().of.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert price.seen <= prices().date
        assert not price.quoted or re.fullmatch(r"https://\S+ \(.*(20\d\d|no month).*\)", price.quoted)
        assert price.steps[-1][0] == math.inf
    kinds = ("measured: ", "set: ", "taken: ", "derived: ", "AWS: ", "0: ", "as a call of ")
    assert all(each.metadata["source"].startswith(kinds) for each in KNOWN.values())
    used = {line.price for design in DESIGNS.values() for line in design(Load(1e9, Inputs()))}
    assert used <= set(prices().of)


@pytest.mark.parametrize("wrong", ["peak=x", "peak=-1", "peak=nan", "peak=inf", "hit_bytes=0", "nope=1", "peak"])
def test_figures_that_are_none(wrong: str) -> None:
    """A name that is none, or what is no number that it may be, is refused with a hint."""
    with pytest.raises(SettingsError) as caught:
        told([wrong])
    assert caught.value.hint


@pytest.mark.parametrize("name", KNOWN)
def test_no_figure_breaks_it(name: str) -> None:
    """Any of them may be as small as it may be."""
    for design in DESIGNS:
        assert bill(design, 1e6, told([f"{name}={KNOWN[name].metadata['least']}"])).dollars >= 0


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A table for people, the same for programs; a topology's lines if it is named."""
    assert run(["aws", "cost", "--events-per-month", "30e6"]) == 0
    assert "$50 for 30 million: 1.67 a million" in capsys.readouterr().out
    assert run(["aws", "cost", "--events-per-month", "30e6", "--topology", "queue", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["bills"]
    assert found["published"]["a_million"] == 1
    assert sum(line["dollars"] for line in found["lines"]) == pytest.approx(found["list"], abs=0.01)
    assert run(["aws", "cost", "--events-per-month", "30e6", "--topology", "queue"]) == 0
    text = capsys.readouterr().out
    assert all(line["name"] in text for line in found["lines"])
    assert run(["aws", "cost", "--figures", "--set", "peak=7"]) == 0
    assert all(name in capsys.readouterr().out for name in ["peak                            7"])


@pytest.mark.parametrize("wrong", [[], ["--events-per-month", "nan"], ["--events-per-month", "-1"]])
def test_a_month_of_what(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a number of events that is one, it says so in a line."""
    assert run(["aws", "cost", *wrong]) == 2
    assert capsys.readouterr().err


def test_all_is_told() -> None:
    """Each line of a bill is in its text."""
    found = bill("edge", 1e9, Inputs())
    text = "\n".join(as_text([found], lines=True))
    assert all(item.name in text for item in found.items)


def test_the_page_says_so() -> None:
    """The tables of the page are what the program says."""
    text = (Path(__file__).parents[2] / "docs" / "deploy" / "aws" / "cost.md").read_text("utf-8")
    rows = {
        name: rest.split(" | ") for name, rest in re.findall(r"^\| `([\w-]+)` \| ([\d,.| ]+) \|$", text, re.MULTILINE)
    }
    assert set(rows) == set(DESIGNS)
    for name, row in rows.items():
        bills = [bill(name, events, Inputs()) for events in (1e6, 30e6, 1e9)]
        sums = [f"{dollars:,.0f}" for dollars in (bills[0].fixed, *(each.dollars for each in bills))]
        assert row == [*sums, f"{bills[-1].dollars / 1e3:.3f}"]
    whole = re.findall(r"^\| .* \| ([\d.]+) \|$", text.partition("`fleet-s3`, $")[2], re.MULTILINE)
    assert sum(map(float, whole[:-1])) == pytest.approx(float(whole[-1]), abs=0.02)
    assert float(whole[-1]) == pytest.approx(bill("fleet-s3", 1e9, Inputs()).dollars, abs=0.01)
