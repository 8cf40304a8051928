"""A Report as a live panel: the card, and tabs below it with what one may want to read or copy next.

Core ipywidgets and no JavaScript, so that JupyterLab, Notebook and VS Code show the same without a network.
The card is typeset at once, a tab when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from matmagic import typeset
from matmagic.static import FIELDS, card, escape, fields, shown

try:
    import ipywidgets
except ImportError:  # a plain Python environment: text and HTML remain
    ipywidgets = None

if TYPE_CHECKING:
    from matmagic.derivative import ByEntries, Match
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
    if ipywidgets is None or report.text_only:
        return None
    return {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": panel(report).model_id}}


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
    source = f" · {escape(match.source)}" if match.source else ""
    lines = [f"<em>{escape(match.name)}</em>{source}"]
    lines.append(f'<span style="font-size:1.2em">{typeset.svg(match.pattern_latex, match.pattern_text)}</span>')
    if match.bindings_text:
        lines.append(f"with {escape(match.bindings_text)}")
    lines += [f"for {escape(condition)}" for condition in match.conditions]
    for condition, latex, text in match.simpler:
        lines.append(f"if {escape(condition)}: {typeset.svg(latex, text, inline=True)}")
    return f'<div style="{_WIDE}">' + "".join(f"<div>{line}</div>" for line in lines) + "</div>"
