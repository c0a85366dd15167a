"""A report as HTML."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pixelake.operate.report import words
from pixelake.operate.report.page import page
from tests.operate.report.made import NAUGHTY, report

VOID = {"meta"}


class Read(HTMLParser):
    """What stands in a page: its elements, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """The last one that began ends: they are nested well."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Text."""
        self.text += data


@pytest.mark.parametrize("for_mail", [False, True], ids=["file", "mail"])
def test_names_are_text(for_mail: bool) -> None:
    """Names that look like markup add no element and no attribute, and are shown as they are."""
    plain, hostile = Read(page(report(), for_mail=for_mail)), Read(page(report(NAUGHTY), for_mail=for_mail))
    assert set(hostile.tags) <= set(plain.tags)
    assert {name for name, _ in hostile.attributes} <= {name for name, _ in plain.attributes}
    assert "script" not in hostile.tags
    assert not hostile.open
    for each in NAUGHTY:
        assert words.name(each, "") in hostile.text


@pytest.mark.parametrize("for_mail", [False, True], ids=["file", "mail"])
def test_a_hostile_site_is_text(for_mail: bool) -> None:
    """Also in the title of the document."""
    read = Read(page(report(site=NAUGHTY[4]), for_mail=for_mail))
    assert read.text.count(NAUGHTY[4]) == 2
    assert "script" not in read.tags


@pytest.mark.parametrize("for_mail", [False, True], ids=["file", "mail"])
def test_it_loads_nothing(for_mail: bool) -> None:
    """No element fetches anything, and the policy within would let none."""
    read = Read(page(report(NAUGHTY), for_mail=for_mail))
    assert not set(read.tags) & {"script", "img", "link", "iframe", "object", "video", "a", "form"}
    assert not {name for name, _ in read.attributes} & {"src", "href", "srcset", "background", "action"}
    assert "url(" not in page(report(NAUGHTY), for_mail=for_mail)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes


def test_a_mail_needs_no_svg() -> None:
    """Programs for mail show none: the chart of a mail is a table, with each number in it."""
    mail, file = Read(page(report(), for_mail=True)), Read(page(report()))
    assert "svg" not in mail.tags
    assert "svg" in file.tags
    assert "Thu 12" in mail.text


def test_an_empty_period_says_so() -> None:
    """Lists without a row, a chart without a hit: words, and no fault."""
    empty = report(panels=[replace(each, rows=[]) for each in report().panels], points=[])
    for for_mail in (False, True):
        text = Read(page(empty, for_mail=for_mail)).text
        assert text.count("Nothing in this period.") == len(empty.panels)


def test_changes_and_sums_are_told() -> None:
    """A figure has its change, the sums whether they hold."""
    text = Read(page(report(sums={**report().sums, "in_lake": 99}))).text
    assert "+12%" in text
    assert "✗ 4 outcomes = 99 in the lake" in text
    assert "✓ 5 accepted = 1 in the stream + 4 settled" in text
