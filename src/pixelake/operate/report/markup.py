"""HTML that cannot be broken out of: text is escaped where it is put in, and styles stand at each element.

Programs for mail drop style sheets; so what an element looks like by day is written at it. What a screen by night,
a phone or a printer changes stands in `SHEET`.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

SANS: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
STYLES: Final = {
    "body": f"margin:0;padding:0;background:#f6f8fa;color:#15202b;font:15px/1.5 {SANS}",
    "sheet": "max-width:760px;margin:0 auto;padding:32px 28px 40px;background:#ffffff",
    "brand": "margin:0 0 18px;font-size:13px;font-weight:600;letter-spacing:.02em;color:#0e7490",
    "title": "overflow-wrap:anywhere;margin:0;font-size:28px;line-height:1.25;font-weight:650;word-break:break-word",
    "period": "margin:4px 0 28px;color:#5a6876",
    "figures": "width:100%;border-collapse:collapse;table-layout:fixed;margin:0 0 24px",
    "figure": "padding:14px 12px 14px 0;vertical-align:top;border-top:1px solid #e3e8ed;text-align:left",
    "label": "display:block;font-size:13px;font-weight:400;color:#5a6876",
    "value": "font-size:26px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap",
    "change": "font-size:13px;font-weight:400;color:#5a6876;white-space:nowrap;font-variant-numeric:tabular-nums",
    "part": "margin:0 0 26px;break-inside:avoid",
    "heading": "margin:0 0 8px;padding:0 0 6px;font-size:15px;line-height:1.4;font-weight:650;"
    "border-bottom:1px solid #e3e8ed",
    "unit": "float:right;font-size:13px;font-weight:400;color:#5a6876",
    "legend": "margin:6px 0 0;font-size:13px;color:#5a6876",
    "key": "color:#0e7490;font-weight:700",
    "key-before": "color:#5a6876;font-weight:700",
    "key-mark": "color:#b45309;font-weight:700",
    "list": "width:100%;border-collapse:collapse;table-layout:fixed;font-size:14px",
    "name": "padding:4px 10px 4px 0;font-weight:400;text-align:left;vertical-align:top;word-break:break-word;"
    "overflow-wrap:anywhere",
    "number": "width:76px;padding:4px 0;text-align:right;vertical-align:top;white-space:nowrap;"
    "font-variant-numeric:tabular-nums",
    "side": "width:62px;padding:4px 0;text-align:right;vertical-align:top;white-space:nowrap;color:#5a6876;"
    "font-size:13px;line-height:21px;font-variant-numeric:tabular-nums",
    "track": "height:3px;margin-top:2px;background:#f0f3f5;border-radius:2px",
    "bar": "height:3px;background:#0e7490;border-radius:2px;font-size:0;line-height:0",
    "text": "margin:0 0 8px;font-size:14px;overflow-wrap:anywhere",
    "quiet": "margin:0 0 8px;font-size:14px;color:#5a6876",
    "small": "overflow-wrap:anywhere;margin:0 0 6px;font-size:12px;line-height:1.5;color:#5a6876",
    "good": "color:#0e7490;font-weight:700",
    "bad": "color:#b42318;font-weight:700",
    "columns": "width:100%;border-collapse:collapse;table-layout:fixed",
    "column": "padding:0 6px;vertical-align:bottom;text-align:center;font-size:12px;color:#5a6876;height:150px",
    "column-label": "padding:6px 0 0;text-align:center;font-size:12px;color:#5a6876;border-top:1px solid #e3e8ed",
    "pillar": "background:#0e7490;border-radius:3px 3px 0 0;font-size:0;line-height:0",
    "pillar-mark": "background:#b45309;border-radius:3px 3px 0 0;font-size:0;line-height:0",
}
"""Class -> what it looks like by day."""
SHEET: Final = """
:root{color-scheme:light dark}
@media (min-width:720px),print{.parts{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));column-gap:32px}}
summary{cursor:pointer;color:#5a6876;font-size:13px}
@media (max-width:600px){
.sheet{padding:20px 16px 28px!important}.value{font-size:21px!important}
.title{font-size:24px!important}
.figures tr{display:block!important}.figure{display:inline-block!important;width:46%!important}}
@media (prefers-color-scheme:dark){
.body{background:#0b1117!important;color:#e6edf3!important}.sheet{background:#111922!important}
.period,.label,.change,.unit,.legend,.side,.quiet,.small,.key-before,.column,.column-label,summary{color:#9fb0bf!important}
.brand,.key,.good{color:#3fb6cf!important}.key-mark{color:#f0a34b!important}.bad{color:#ff8a7a!important}
.figure,.heading,.column-label{border-color:#26323d!important}.track{background:#1c2731!important}
.bar,.pillar{background:#3fb6cf!important}.pillar-mark{background:#f0a34b!important}.now{stroke:#3fb6cf}.area,.dot-now{fill:#3fb6cf}.mark{stroke:#f0a34b}
.before{stroke:#9fb0bf}.grid{stroke:#26323d}.tick,.dot-before{fill:#9fb0bf}}
@media print{
@page{margin:16mm}.body{background:#ffffff!important;color:#15202b!important}
.sheet{max-width:none!important;padding:0!important;background:#ffffff!important}details{display:none}
.bar,.pillar,.pillar-mark,.track{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
"""What a class looks like elsewhere."""


class Html(str):
    """HTML as it is. Any other text is escaped where it is put in."""

    __slots__ = ()


def el(tag: str, look: str, *inner: str, **attributes: str) -> Html:
    """An element of a class of `STYLES`; none if `look` is empty.

    Args:
        tag: its name; ours.
        look: its class.
        inner: what is in it: `Html` as it is, all other text escaped.
        attributes: others of it; ``_`` in a name stands for ``-``. Values are escaped.
    """
    style = ";".join(filter(None, (STYLES.get(look, ""), attributes.pop("style", ""))))
    given = {"class": look, **{name.replace("_", "-"): value for name, value in attributes.items()}, "style": style}
    told = "".join(f' {name.strip("-")}="{escape(value)}"' for name, value in given.items() if value)
    return Html(f"<{tag}{told}>{joined(inner)}</{tag}>")


def joined(parts: Iterable[str]) -> Html:
    """One after the other: `Html` as it is, all other text escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def isolated(text: str) -> Html:
    """A name of any script, which turns none of the text around it."""
    return Html(f"<bdi>{escape(text)}</bdi>")
