"""The alert rules are good, and each has a test that makes it fire and one in which it does not."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pixelake.telemetry import METRICS
from tests.running import running

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "alerts.yml"
TESTS = (FOLDER / "alerts_test.yml", FOLDER / "alerts_days_test.yml")


def _yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def _promtool(*arguments: str, text: str | None = None) -> str:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("no promtool: install prometheus")
    result = subprocess.run(
        [tool, *arguments], cwd=FOLDER, input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_rules_are_rules() -> None:
    """Prometheus takes them."""
    assert "SUCCESS" in _promtool("check", "rules", RULES.name)


def test_what_makes_them_fire() -> None:
    """Each fires when its test says so, and not otherwise."""
    assert "SUCCESS" in _promtool("test", "rules", *(path.name for path in TESTS))


def test_every_rule_is_tested() -> None:
    """Of each rule there is a moment at which it fires, and one at which it does not."""
    rules = {rule["alert"] for group in _yaml(RULES)["groups"] for rule in group["rules"]}
    fires, silent = set(), set()
    for case in (case for path in TESTS for test in _yaml(path)["tests"] for case in test["alert_rule_test"]):
        (fires if case.get("exp_alerts") else silent).add(case["alertname"])
    assert rules == fires == silent


def test_they_ask_for_what_there_is() -> None:
    """Every metric in a rule is one of ours; and every rule says how bad it is and what to do."""
    known = set(METRICS) | {f"{name}_bucket" for name, each in METRICS.items() if each.type == "histogram"}
    for rule in (rule for group in _yaml(RULES)["groups"] for rule in group["rules"]):
        assert set(re.findall(r"pixelake_\w+", rule["expr"])) <= known, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "action"}


def test_what_a_running_server_shows(tmp_path: Path) -> None:
    """A scrape is well-formed and named as Prometheus wants it; every metric that is set at once is there."""
    with running(tmp_path) as server:
        server.metrics(until="pixelake_sink_lag_seconds{")
        page = server.metrics(until="pixelake_checked_timestamp_seconds")
    _promtool("check", "metrics", text=page)
    for name in (
        "pixelake_checked_timestamp_seconds",
        "pixelake_disk_free_bytes",
        "pixelake_hits_total",
        'pixelake_processes_resident_bytes{role="collect"}',
        'pixelake_processes_written_bytes_total{role="consume"}',
        'pixelake_sink_lag_seconds{sink="lake"}',
        "pixelake_salts_overdue",
        "pixelake_sums_off",
    ):
        value = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        assert value, name
        assert float(value[1]) >= 0
    assert set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)) <= set(METRICS)
