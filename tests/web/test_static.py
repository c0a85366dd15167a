"""The files of the pages: small, whole, and loaded at once."""

import gzip
import re
from pathlib import Path
from runpy import run_path

import pytest

from pixelake.web.api import STATIC

PAGES = sorted(STATIC.glob("*.html"))
PRELOAD = run_path(str(Path(__file__).parents[2] / "scripts" / "preload"))
IMPORT = PRELOAD["IMPORT"]
OWN = [file for file in STATIC.glob("*.js") if file.is_file()]
DANGEROUS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")
MOST_JS, MOST = 100_000, 500_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_load_all_modules_at_once(page):
    """A page names every module that its own imports, so that the browser need not find one after the other."""
    text = page.read_text()
    scripts = re.findall(r'<script src="/static/([^"]+)" type="module">', text)
    assert text.count('type="module"') == len(scripts)
    wanted = set[str]().union(*(PRELOAD["imported"](STATIC / script) for script in scripts))
    found = re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', text)
    assert sorted(found) == sorted(wanted), "run scripts/preload"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_files_that_are_there(page):
    """No page asks for what is not there, or for what lies elsewhere; nothing runs or styles inline."""
    text = page.read_text()
    for name in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert re.match(r"/(?!/)|#|data:,", name), name
        if name.startswith("/static/"):
            assert (STATIC / name.removeprefix("/static/")).is_file(), name
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


def test_nothing_parses_html_or_makes_code():
    """No module of ours hands text to a parser of HTML, or makes code of it."""
    for file in OWN:
        assert not DANGEROUS.search(file.read_text()), file.name


LATER = re.compile(r"""\bimport\(\s*["']\./([^"']+)["']\s*\)""")
VENDOR = re.compile(r"vendor/[\w.-]+/[\w.-]+")


def reached(page: Path) -> set[Path]:
    """Every file of the folder that a page may load, at once or later."""
    found, left = set[Path](), [page]
    while left:
        file = left.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        if file.suffix in {".html", ".js"} and "vendor" not in file.parts:
            text = file.read_text()
            names = [*IMPORT.findall(text), *LATER.findall(text), *VENDOR.findall(text)]
            names += re.findall(r'(?:src|href)="/static/([^"]+)"', text)
            left += [STATIC / name for name in names]
    return found


def weight(files: set[Path]) -> int:
    """Bytes, each file gzipped alone."""
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_are_light(page):
    """All JavaScript that a page may load is at most 100 kB without the chart library, all of it at most 500 kB."""
    files = reached(page)
    assert weight({file for file in files if file.suffix == ".js" and "uplot" not in file.as_posix()}) <= MOST_JS
    assert weight(files) <= MOST
