"""The table of figures, charts and panels."""

from pixelake.event import FIELDS
from pixelake.warehouse.filters import filterable
from pixelake.warehouse.questions import questions
from pixelake.web.charts import CHARTS, FIGURES, PANELS

KINDS = {"figure", "series", "marks", "list", "map"}
NO_COLUMN = {"", "page", "by", "properties"}


def test_every_chart_is_whole():
    """Every chart has its own name, a known kind, and a sentence that says what it means."""
    assert len({chart.name for chart in CHARTS}) == len(CHARTS)
    assert {chart.kind for chart in CHARTS} == KINDS
    assert all(chart.title and chart.help.endswith(".") for chart in CHARTS)
    assert all(chart.panel for chart in PANELS)
    assert not any(chart.panel for chart in FIGURES)


def test_every_chart_shows_what_its_question_answers():
    """The question is there, and has each column that is named."""
    for chart in CHARTS:
        columns = {column.name for column in questions()[chart.question].columns}
        named = {chart.column, *chart.more} | ({chart.key} if chart.kind != "figure" else set())
        assert named <= columns, chart.name


def test_a_choice_is_an_option():
    """What a tab lets choose is an option of its question, with the values that it takes."""
    for chart in PANELS:
        if chart.by:
            option = next(each for each in questions()[chart.question].options if each.name == chart.by[0])
            assert set(chart.by[1]) <= set(option.choices), chart.name


def test_a_click_filters_by_a_column():
    """What a row filters by is a column that may be filtered by."""
    columns = filterable({field.name: field.type for field in FIELDS})
    for chart in PANELS:
        assert chart.filter in NO_COLUMN or chart.filter in columns, chart.name
        assert chart.filter != "by" or (chart.by and set(chart.by[1]) <= set(columns)), chart.name
