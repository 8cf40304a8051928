"""Live panels: a Report's card over tabs with what one may want to read or copy next; the registry with a search field.

Core ipywidgets and no JavaScript, so that JupyterLab, Notebook and VS Code show the same without a network.
The card is typeset at once, a tab when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from matmagic import typeset
from matmagic.browsing import Entry, Listing
from matmagic.static import FIELDS, card, escape, fields, shown

try:
    import ipywidgets
except ImportError:  # a plain Python environment: text and HTML remain
    ipywidgets = None

if TYPE_CHECKING:
    from matmagic.identified import ByEntries, Match
    from matmagic.report import Report
    from matmagic.trees import Piece

_WIDTH = "54em"
_WIDE = "overflow-x:auto;width:0;min-width:100%;margin-bottom:.8em;line-height:1.7"
_BUTTON = {"width": "auto", "height": "26px"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def widget_view(report: Report) -> dict[str, dict[str, Any]] | None:
    """The mimebundle entry of a new panel; None where there are no widgets or only text is wanted.

    Built by hand, since ipywidgets 7 has no `_repr_mimebundle_`.
    """
    return None if ipywidgets is None or report.text_only else _view(panel(report))


def browser_view(listing: Listing) -> dict[str, dict[str, Any]] | None:
    """The same for the rows of the registry."""
    return None if ipywidgets is None else _view(browser(listing))


def _view(widget: Any) -> dict[str, dict[str, Any]]:
    return {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def panel(report: Report) -> Any:
    """The card over its tabs (an ipywidgets.Widget)."""
    pages: list[tuple[str, Callable[[], str]]] = []
    if matches := [d.identity for d in shown(report) if d.identity]:
        pages.append(("identity", lambda: "".join(_identity(match) for match in matches)))
    if trees := [d.tree for d in shown(report) if not d.identity and d.tree]:
        pages.append(("identities", lambda: "".join(map(_tree, trees))))
    for title, rows in FIELDS:
        if found := rows(report):
            pages.append((title, partial(fields, found)))
    return ipywidgets.VBox([ipywidgets.HTML(card(report, typeset.svg)), *_tabs(pages)])


def _tabs(pages: list[tuple[str, Callable[[], str]]]) -> list[Any]:
    """A row of buttons and the page of the one that is pressed; a page is made when its button is.

    Not ipywidgets.Tab, which front ends show with its first tab open, filled or not.
    """
    if not pages:
        return []
    body = ipywidgets.HTML(layout={"max_width": _WIDTH, "padding": "0 1.1em"})
    buttons = [ipywidgets.ToggleButton(description=title, layout=_BUTTON) for title, _ in pages]

    def show(change: dict[str, Any]) -> None:
        pressed = [button for button in buttons if button.value]
        if change["new"]:
            for other in pressed:
                other.value = other is change["owner"]
        if not pressed or change["new"]:
            body.value = pages[buttons.index(change["owner"])][1]() if pressed else ""

    for button in buttons:
        button.observe(show, "value")
    return [ipywidgets.HBox(buttons), body]


def _tree(tree: Piece) -> str:
    """How identities combine: a line for each piece, indented by its depth."""
    lines = []
    for depth, piece in tree.walk():
        equation = typeset.svg(piece.equation_latex, piece.equation_text, inline=True) if piece.equation else ""
        words = escape(piece.heading) + ("&ensp;" if equation else "")
        lines.append(f'<div style="padding-left:{1.6 * depth}em">{words}{equation}</div>')
    return f'<div style="{_WIDE}">{"".join(lines)}</div>'


def _identity(match: Match | ByEntries) -> str:
    """The rule itself: name and source, formula, what its letters stand for, conditions, simpler cases."""
    return _lines(_rule(match))


def _rule(match: Match | ByEntries) -> list[str]:
    """Its lines."""
    source = f" · {escape(match.source)}" if match.source else ""
    lines = [f"<em>{escape(match.name)}</em>{source}"]
    lines.append(f'<span style="font-size:1.2em">{typeset.svg(match.pattern_latex, match.pattern_text)}</span>')
    if match.bindings_text:
        lines.append(f"with {escape(match.bindings_text)}")
    lines += [f"for {escape(condition)}" for condition in match.conditions_said]
    for condition, latex, text in match.simpler:
        lines.append(f"if {escape(condition)}: {typeset.svg(latex, text, inline=True)}")
    return lines


def _lines(lines: list[str]) -> str:
    return f'<div style="{_WIDE}">' + "".join(f"<div>{line}</div>" for line in lines) + "</div>"


# ---- the registry -------------------------------------------------------------------------------------------------


def browser(listing: Listing) -> Any:
    """A search field, the names of the rows that match, and the row that is chosen (an ipywidgets.Widget).

    One row is typeset at a time, the one that is looked at.
    """
    field = ipywidgets.Text(listing.query, placeholder="a name, source, function or formula", layout={"width": "24em"})
    count, card = (
        ipywidgets.HTML(),
        ipywidgets.HTML(layout={"flex": "1 1 0", "min_width": "20em", "padding": "0 1.1em"}),
    )
    names = ipywidgets.Select(rows=14, layout={"width": "24em"})
    entries: list[Entry] = []

    def narrow(_: Any = None) -> None:
        found = replace(listing, query=field.value)
        entries[:] = found.entries or found.nearest
        count.value = escape(found.headline)
        names.options = [entry.row.name for entry in entries]
        names.index = 0

    def show(_: Any = None) -> None:
        card.value = "" if names.index is None else row_card(entries[names.index])

    names.observe(show, "index")
    field.observe(narrow, "value")
    narrow()
    whole = {"max_width": "72em", "align_items": "flex-start"}
    lists = ipywidgets.HBox([names, card], layout={**whole, "flex_flow": "row wrap"})
    return ipywidgets.VBox([ipywidgets.HBox([field, count]), lists])


@cache
def row_card(entry: Entry) -> str:
    """The row typeset, with all that is said of it and a cell to copy."""
    lines = _rule(entry.rule)
    lines[2:2] = [f'<span style="opacity:.72">{escape(entry.shapes)}</span>']
    lines[2:2] = [f"also with {escape(entry.cases)}"] if entry.cases else []
    for kind, latex, text in entry.structured:
        lines.append(f"for {escape(kind)}, by its free entries: {typeset.svg(latex, text, inline=True)}")
    lines += [escape(entry.row.note)] if entry.row.note else []
    return _lines(lines) + f'<div style="{_WIDE}">{fields([("a cell to copy", entry.example)])}</div>'
