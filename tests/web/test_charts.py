"""The table of panels."""

from pixelake.web.charts import CHARTS


def test_every_panel_is_whole():
    """Every panel has its own name, a known kind, and a sentence that says what it means."""
    assert len({chart.name for chart in CHARTS}) == len(CHARTS)
    assert {chart.kind for chart in CHARTS} <= {"figure", "rest", "line", "list"}
    assert all(chart.title and chart.unit and chart.help.endswith(".") for chart in CHARTS)
