"""HTML and SVG elements as text. What is no `Html` is escaped, so no file's name can break a page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = {"img", "meta", "br"}


class Html(str):
    """Text that is markup already."""


def tag(name: str, /, *children: str | Iterable[str], **attributes: object) -> Html:
    """An element.

    Args:
        children: text, elements, or iterables of them.
        attributes: by their names, `_` for `-`, and one at the end is dropped: `class_`. None leaves one out, True has
            no value.

    >>> tag("a", "a < b", tag("b", "c"), class_="x", data_value=1.5, hidden=True, title=None)
    '<a class="x" data-value="1.5" hidden>a &lt; b<b>c</b></a>'
    """
    opening = "".join(_attribute(each, value) for each, value in attributes.items() if value is not None)
    if name in _VOID:
        return Html(f"<{name}{opening}>")
    return Html(f"<{name}{opening}>{joined(*children)}</{name}>")


def joined(*children: str | Iterable[str]) -> Html:
    """Text and elements one after the other, escaped where they are text."""
    parts = []
    for child in children:
        if isinstance(child, str):
            parts.append(child if isinstance(child, Html) else escape(child))
        else:
            parts.append(joined(*child))
    return Html("".join(parts))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], **attributes: object) -> Html:
    """A table with one row of heads; what is no cell yet becomes one, the first of each row a head."""
    head = tag("tr", [_cell("th", each, scope="col") for each in heads])
    return tag("table", tag("thead", head), tag("tbody", [_row(cells) for cells in rows]), **attributes)


def _row(cells: Iterable[str]) -> Html:
    first, *rest = cells
    return tag("tr", _cell("th", first, scope="row"), [_cell("td", each) for each in rest])


def _cell(kind: str, content: str, **attributes: object) -> str:
    already = isinstance(content, Html) and content.startswith(("<td", "<th"))
    return content if already else tag(kind, content, **attributes)


def _attribute(name: str, value: object) -> str:
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
