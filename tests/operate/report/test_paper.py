"""A report as a PDF."""

import builtins
import re

import pypdfium2
import pytest

from pixelake.errors import SettingsError
from pixelake.operate.report import words
from pixelake.operate.report.paper import breakable, pdf
from tests.operate.report.made import NAUGHTY, report


def read(document: bytes) -> str:
    """Its text, without any space."""
    opened = pypdfium2.PdfDocument(document)
    return "".join(page.get_textpage().get_text_range() for page in opened)


def squeezed(text: str) -> str:
    """Without what moves when lines are broken."""
    return re.sub(r"[\s\u200b\ufffe\x02-]", "", text)


def test_it_has_the_numbers() -> None:
    """Figures, lists and sums stand in it; it is an A4 page or more."""
    document = pypdfium2.PdfDocument(pdf(report()))
    assert [round(each) for each in document[0].get_size()] == [595, 842]
    text = read(pdf(report()))
    for each in ("shop.example", "1,204", "+12%", "/pricing", "9 to 15 Nov 2026", "5 accepted"):
        assert each in text


def test_hostile_names_are_text() -> None:
    """What looks like Typst, HTML or a formula is set as it is; what no font has, does no harm."""
    text = squeezed(read(pdf(report(NAUGHTY, site=NAUGHTY[7]))))
    for each in NAUGHTY[:10]:
        assert squeezed(words.name(each, "")) in text


def test_nothing_has_happened() -> None:
    """A report without a single row is a page, too."""
    assert "shop.example" in read(pdf(report((), panels=[], points=[], unusual=[], notes=[], sums={})))


def test_long_words_can_be_broken() -> None:
    """Places where a line may end take nothing away from a word."""
    assert breakable("/pricing and more") == "/pricing and more"
    assert breakable("/a" * 50).replace("\u200b", "") == "/a" * 50
    assert max(map(len, breakable("x" * 500).split("\u200b"))) <= 13


def test_without_typst_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: who lacks it is told how to get it."""
    real = builtins.__import__

    def without(name, *rest):
        if name == "typst":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match="typst") as told:
        pdf(report())
    assert "pixelake[report]" in told.value.hint
