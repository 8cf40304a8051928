"""A Report for where no panel runs: text for a terminal, LaTeX, and HTML that saved notebooks keep.

The card is laid out here once.  panel.py fills it with typeset formulas that follow the theme, the saved HTML
with pictures and Unicode.  Saved HTML passes through the sanitisers of notebook front ends, so it has style=
attributes, <img> and <details> and nothing else: no <style>, no <svg>, and no $ that MathJax would take for a
formula.  Colours come twice where a front end may drop the newer notation.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from textwrap import indent
from typing import TYPE_CHECKING

from matmagic import typeset
from matmagic.printers.grid import grid, is_table

if TYPE_CHECKING:
    from matmagic.derivative import Derivative
    from matmagic.grading import Grade
    from matmagic.identified import ByEntries, Match
    from matmagic.report import Report
    from matmagic.trees import Piece

Formula = Callable[[str, str, bool], str]
"""(LaTeX, the same as Unicode text, whether it stands in a line of prose) -> HTML."""

Rows = list[tuple[str, str]]
"""What a text belongs to, and the text."""

WIDEST = 100  # characters of a line of a table
_MARKS = {  # verdict on an answer: sign, colour
    "correct": ("✓", "#2a9d57"),
    "correct-if": ("◐", "#c98a1b"),
    "wrong": ("✗", "#d1495b"),
    "undecided": ("?", "#808080"),
}
_LINE = "rgba(128,128,128,.35)"
_FAINT = "opacity:.72"
_POINTS = re.compile(r"\w+ = (\[\[.{,40}?\]\]|\[[^\[]{,40}?\])")  # the values of a counterexample: kept on one line
_CARD = (
    "box-sizing:border-box;width:0;min-width:100%;line-height:1.5;overflow-wrap:anywhere;border-radius:6px;"
    f"border:1px solid {_LINE}"
)
_HEADER = (
    "display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.1em 1.6em;"
    "padding:.45em 1.1em;background:rgba(128,128,128,.09);border-radius:5px 5px 0 0"
)
_SCROLL = "overflow-x:auto;overflow-y:hidden;width:0;min-width:100%;white-space:nowrap"
_SHRINK = "min-width:0;max-width:100%;overflow-x:auto;overflow-y:hidden"
_PRE = (
    "margin:.2em 0 .5em;padding:.5em .7em;overflow-x:auto;white-space:pre;border-radius:4px;line-height:1.45;"
    "background:rgba(128,128,128,.1);color:inherit;font-family:monospace;font-size:.95em"
)


def mimebundle(report: Report) -> dict[str, str]:
    """text/html, text/plain and, where there is a formula, text/latex."""
    bundle = {"text/html": page(report), "text/plain": text(report)}
    formulas = latex(report)
    return bundle | {"text/latex": formulas} if formulas else bundle


def shown(report: Report) -> tuple[Derivative, ...]:
    """The derivatives to show: none where the right answer is to stay hidden (--hint, --hide)."""
    return () if getattr(report, "hidden", False) else tuple(report)


# text


def text(report: Report) -> str:
    """The report in a terminal, one line for each thing it says."""
    lines = [f"{report.statement_text or report.signature_text}   {report.shapes_text}".rstrip()]
    for derivative in shown(report):
        formula, *rest = _result(derivative)
        if is_table(derivative.math) and max(map(len, table := _table(derivative))) <= WIDEST:
            lines += table
        else:
            rest.insert(0, formula)
        lines.append(" · ".join(part for part in rest if part))
        lines += [f"  {line}" for line in further_text(derivative)]
        lines += [f"  {line}" for line in tree_lines(derivative)]
        if value := _value(derivative):
            lines += ["  at the notebook's tensors:", *("  " + row for row in value.splitlines())]
    lines += [grade.sentence for grade in report.claims]
    lines += [note.text for note in report.notes]
    for derivative in shown(report):
        if derivative.code and derivative.text is not None:
            code = wrapped(derivative.code)
            lines.append(
                f"{code_left(derivative)} in torch:" + (f"\n{indent(code, '  ')}" if "\n" in code else f" {code}")
            )
    return "\n".join(lines)


def _table(derivative: Derivative) -> list[str]:
    """A derivative that is given entry by entry, in lines."""
    assert derivative.math is not None
    return grid(derivative.math, f"{derivative.left_text} = ")


def _result(derivative: Derivative) -> tuple[str, str, str]:
    """Formula, identity or what it is composed of, and verdict."""
    rests = identity_text(derivative.identity) if derivative.identity else composition_text(derivative.tree)
    return formula_text(derivative), rests, derivative.verdict.text


def composition_text(tree: Piece | None) -> str:
    """The rule and the identities that it combines: "chain rule: derivative of exp, quadratic form"; "" for no tree."""
    return f"{tree.rule}: {', '.join(dict.fromkeys(m.name for m in tree.matches))}" if tree else ""


def tree_lines(derivative: Derivative) -> list[str]:
    """The tree of a composition, a line for each piece, indented by its depth; nothing for a single identity."""
    tree = None if derivative.identity else derivative.tree
    return [f"{'  ' * depth}{piece.text}" for depth, piece in tree.walk()] if tree else []


def formula_text(derivative: Derivative) -> str:
    """∇ₓ f = (A + Aᵀ) x; that it follows in torch, or that there is none."""
    if derivative.text is not None:
        return f"{derivative.left_text} = {derivative.text}"
    if derivative.code:
        return f"{derivative.left_text} in torch"
    missing = f"{derivative.left_text}: no closed form found"
    if derivative.verdict.autograd_ok and derivative.verdict.draws:
        missing += f"; autograd's {derivative.kind}, checked by differences"
    return missing


def further_text(derivative: Derivative) -> list[str]:
    """The other ways to write a derivative, and what their letters mean; the code of one that has no formula."""
    if derivative.text is None:
        return wrapped(derivative.code).splitlines() if derivative.code else []
    found = []
    for k, line in enumerate(derivative.lines):
        found += [f"{line.left_text} = {line.text}"] if k else []
        found += [f"where {line.where}"] if line.where else []
    return [*found, *([f"({'; '.join(derivative.legend)})"] if derivative.legend else [])]


def code_left(derivative: Derivative) -> str:
    """What the code is: the derivative itself, where the formula is a differential."""
    return derivative.code_left or derivative.left_text


def wrapped(code: str, width: int = 100) -> str:
    """Code in lines of about this width, broken inside brackets only, so that it stays Python; a line for each name.

    >>> print(wrapped("(v1 := torch.exp(x), v1 * v1)[-1]"))
    (v1 := torch.exp(x),
     v1 * v1)[-1]
    >>> print(wrapped("torch.outer(a + b, a - b)", 22))
    torch.outer(a + b,
      a - b)
    """
    names = code.startswith("(v1 := ")
    lines, depth, breaks = [""], 0, [0, 0]  # places after a space, after a comma
    for letter in code:
        depth += (letter in "([{") - (letter in ")]}")
        lines[-1] += letter
        if letter != " " or not depth:
            continue
        comma = lines[-1].endswith(", ")
        if comma and depth == 1 and names:
            lines, breaks = [*lines[:-1], lines[-1].rstrip(), " "], [0, 0]
            continue
        if len(lines[-1]) > width and max(breaks) > 2:
            at = breaks[1] if breaks[1] > width // 2 else breaks[0]
            lines[-1:] = [lines[-1][:at].rstrip(), "  " + lines[-1][at:]]
            breaks = [0, 0]
        breaks = [len(lines[-1]), len(lines[-1]) if comma else breaks[1]]
    return "\n".join(lines)


def identity_text(match: Match | ByEntries) -> str:
    """Name, source and what its letters stand for."""
    name = f"{match.factor_text} × {match.name}" if match.factor_text else match.name
    where = f"{name}, {match.source}" if match.source else name
    return f"{where}, with {match.bindings_text}" if match.bindings_text else where


def _value(derivative: Derivative) -> str:
    """The numbers, where they fit into the card or are all there is."""
    value = derivative.value_text
    return value if (derivative.text or derivative.code) is None or "\n" not in value else ""


# LaTeX


def latex(report: Report) -> str:
    """The formulas as one display; "" if there is none."""
    equations = [pair for d in shown(report) for pair in _equations(d)]
    if not equations:
        return ""
    if len(equations) == 1:
        body = " = ".join(equations[0])
    else:
        body = " \\\\\n".join(f"{left} &= {right}" for left, right in equations)
        body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    return f"$${portable(body)}$$"


def _equations(derivative: Derivative) -> list[tuple[str, str]]:
    """Left and right side of each line."""
    main = [] if derivative.latex is None else [(derivative.left_latex, derivative.latex)]
    return main + [(line.left_latex, line.latex) for line in derivative.lines[1:]]


def portable(source: str) -> str:
    r"""LaTeX that any TeX takes: the 1-vector as \mathbf{1}."""
    return source.replace("\N{MATHEMATICAL BOLD DIGIT ONE}", r"\mathbf{1}")


# HTML


def escape(words: str) -> str:
    r"""Text as HTML in which MathJax finds no delimiter: an element around each $ and \."""
    return html.escape(words).replace("$", "<span>&#36;</span>").replace("\\", "<span>&#92;</span>")


def page(report: Report) -> str:
    """The saved form: the card with pictures, and details to open below it."""
    pages = [("identities", _trees(report)), *((title, rows(report)) for title, rows in FIELDS)]
    details = "".join(
        f'<details style="margin:.3em 1.1em"><summary>{title}</summary>{fields(found)}</details>'
        for title, found in pages
        if found
    )
    return card(report, _picture) + details


def _trees(report: Report) -> Rows:
    """How identities combine, as text."""
    return [(_label(report, d), "\n".join(lines)) for d in shown(report) if (lines := tree_lines(d))]


def _codes(report: Report) -> Rows:
    """The code of each derivative; with an increment that of its differential and of its vec form."""
    found = []
    for d in shown(report):
        steps = [(line.left_text, line.code) for line in d.lines if line.increment]
        label = code_left(d) if steps else _label(report, d)
        found += [(label, d.code), *steps] if d.code else []
    return found


def _sources(report: Report) -> Rows:
    return [
        (_label(report, d) if k == 0 else "", portable(f"{left} = {right}"))
        for d in shown(report)
        for k, (left, right) in enumerate(_equations(d))
    ]


def _values(report: Report) -> Rows:
    return [(_label(report, d), d.value_text) for d in shown(report) if d.value_text and not _value(d)]


def _label(report: Report, derivative: Derivative) -> str:
    """Whose row it is, where that is a question."""
    return code_left(derivative) if len(shown(report)) > 1 else ""


FIELDS = (("torch code", _codes), ("LaTeX", _sources), ("value", _values))
"""What one may want to copy: title, and the rows for `fields`."""


def _picture(latex: str, words: str, inline: bool) -> str:
    """Prose stays text; a display is a picture with its text below, which stays where images are dropped."""
    if inline:
        return escape(words)
    drawing = typeset.image(latex, words)
    if not drawing:
        return escape(words)
    white = "display:inline-block;background:#fff;padding:.15em .3em;border-radius:4px"
    return f'<span style="{white}">{drawing}</span><div style="font-size:.6em;{_FAINT}">{escape(words)}</div>'


def fields(rows: Rows) -> str:
    """Text to copy: one click selects all of a field."""
    return "".join(
        (f'<div style="font-size:.92em;{_FAINT}">{escape(label)}</div>' if label else "")
        + f'<pre tabindex="0" style="{_PRE};user-select:all">{escape(content)}</pre>'
        for label, content in rows
    )


def card(report: Report, formula: Formula) -> str:
    """What f is; each derivative with its identity and verdict; the answers; the notes."""
    sections = ["".join(_derivative(d, formula) for d in shown(report)), _claims(report), _notes(report)]
    body = f'<div style="border-top:1px solid {_LINE};margin:.65em 0"></div>'.join(s for s in sections if s)
    inside = f'{_header(report, formula)}<div style="padding:.75em 1.1em">{body}</div>'
    return f'<div style="max-width:54em;padding-top:.3em"><div style="{_CARD}">{inside}</div></div>'


def _header(report: Report, formula: Formula) -> str:
    if report.statement_latex and report.statement_text:
        statement = formula(report.statement_latex, report.statement_text, True)
    else:
        statement = escape(report.statement_text or report.signature_text)
    shapes = formula(report.shapes_latex, report.shapes_text, True) if report.shapes_text else ""
    return (
        f'<div style="{_HEADER}"><span style="font-size:1.15em;{_SHRINK}">{statement}</span>'
        f'<span style="font-size:1.1em;{_FAINT};{_SHRINK}">{shapes}</span></div>'
    )


def _derivative(derivative: Derivative, formula: Formula) -> str:
    if derivative.latex is not None and derivative.text is not None:
        head = _line(derivative.left_latex, derivative.latex, formula_text(derivative), formula, "1.45em")
        for k, line in enumerate(derivative.lines):
            head += _line(line.left_latex, line.latex, f"{line.left_text} = {line.text}", formula, "1.2em") if k else ""
            head += f'<div style="font-size:.9em;{_FAINT}">where {escape(line.where)}</div>' if line.where else ""
        legend = escape("; ".join(derivative.legend))
        head += f'<div style="font-size:.85em;{_FAINT}">{legend}</div>' if legend else ""
    elif derivative.code:
        left = f'<span style="font-size:1.15em">{formula(derivative.left_latex, derivative.left_text, True)}</span>'
        block = f"{_PRE};white-space:pre-wrap;max-height:16em;overflow-y:auto"
        code = f'<pre tabindex="0" style="{block}">{escape(wrapped(derivative.code, 84))}</pre>'
        head = f'<div>{left} <span style="{_FAINT}">in torch</span></div>{code}'
    else:
        head = f"<div>{escape(formula_text(derivative))}</div>"
    rests = _identity(derivative.identity) if derivative.identity else _composition(derivative.tree)
    identity = f"<div>{rests}</div>" if rests else ""
    return f'<div style="margin:.2em 0 .7em">{head}{identity}{_verdict(derivative)}{_numbers(derivative)}</div>'


def _line(left: str, right: str, words: str, formula: Formula, size: str) -> str:
    """An equation that scrolls where it is wide."""
    equation = f"{left} = {re.sub('^-', '{-}', right)}"  # a sign, not a difference: no space after it
    return f'<div style="{_SCROLL};font-size:{size};padding:.15em 0">{formula(equation, words, False)}</div>'


def _identity(match: Match | ByEntries) -> str:
    source = f" · {escape(match.source)}" if match.source else ""
    bindings = f" · with {escape(match.bindings_text)}" if match.bindings_text else ""
    factor = f"{escape(match.factor_text)} × " if match.factor_text else ""
    return f"{factor}<em>{escape(match.name)}</em>{source}{bindings}"


def _composition(tree: Piece | None) -> str:
    if tree is None:
        return ""
    names = dict.fromkeys(match.name for match in tree.matches)
    return f"{escape(tree.rule)}: {', '.join(f'<em>{escape(name)}</em>' for name in names)}"


def _verdict(derivative: Derivative) -> str:
    """A tick only where formula and autograd both held."""
    words = escape(derivative.verdict.text)
    if derivative.verdict.ok and derivative.verdict.autograd_ok:
        return f'<div>{_mark("correct")} <span style="{_FAINT}">{words}</span></div>'
    return f'<div style="{_ink(_MARKS["correct-if"][1])}">{words}</div>'


def _numbers(derivative: Derivative) -> str:
    value = _value(derivative)
    if not value:
        return ""
    numbers = f'<pre style="{_PRE};flex:0 1 auto;margin:.2em 0;padding:.2em .7em">{escape(value)}</pre>'
    label = f'<span style="{_FAINT}">at the notebook\'s tensors</span>'
    return f'<div style="display:flex;flex-wrap:wrap;gap:0 .8em;align-items:baseline">{label}{numbers}</div>'


def _claims(report: Report) -> str:
    return "".join(_claim(grade) for grade in report.claims)


def _claim(grade: Grade) -> str:
    sentence = _POINTS.sub(r'<span style="white-space:nowrap">\g<0></span>', escape(grade.sentence))
    words = f'<span style="flex:1 1 0">{sentence}</span>'
    return f'<div style="display:flex;gap:.5em;margin:.25em 0">{_mark(grade.verdict)}{words}</div>'


def _notes(report: Report) -> str:
    warning = _ink(_MARKS["correct-if"][1])
    styles = [warning if note.kind == "warning" else _FAINT for note in report.notes]
    return "".join(
        f'<div style="font-size:.9em;{style}">{escape(note.text)}</div>'
        for style, note in zip(styles, report.notes, strict=True)
    )


def _mark(verdict: str) -> str:
    sign, colour = _MARKS.get(verdict, _MARKS["undecided"])
    style = f"font-weight:bold;{_ink(colour)}"
    return f'<span role="img" aria-label="{html.escape(verdict)}" style="{style}">{sign}</span>'


def _ink(colour: str) -> str:
    """A colour drawn towards that of the text, so that it reads on white and on black."""
    return f"color:{colour};color:color-mix(in srgb, currentColor 30%, {colour})"
