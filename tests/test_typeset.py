"""Formulas as pictures: every allowed macro is drawn, nothing else is, and no two drawings share an id."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

from matmagic import typeset

ARGUMENTS = {
    r"\mathrm \mathbf \mathbb \mathcal \mathsf \mathit \text \operatorname": "{R}",
    r"\hat \bar \tilde \dot \ddot \vec": "{R}",
    r"\widehat \widetilde \overline \underline \underbrace \sqrt": "{ab}",
    r"\frac \tfrac \dfrac": "{a}{b}",
    r"\big \Big \bigl \bigr \Bigl \Bigr": "( x",
    r"\left": r"( x \right)",
    r"\begin": r"{bmatrix} a & b \\ c & d \end{bmatrix}",
}
SAMPLES = {macro: macro + rest for macros, rest in ARGUMENTS.items() for macro in macros.split()}
SAMPLES |= {r"\right": SAMPLES[r"\left"], r"\end": SAMPLES[r"\begin"]}
INVISIBLE = {r"\,", r"\;", r"\:", r"\!", r"\quad", r"\qquad", r"\\"}
NAMED = "log ln exp sin cos tan sinh cosh tanh arcsin arccos arctan det max min sup inf lim arg dim ker"


def glyphs(svg: str) -> int:
    return svg.count("<use") + svg.count("<path") + svg.count("<rect")


@pytest.mark.parametrize("macro", sorted(typeset.MACROS))
def test_every_allowed_macro_is_drawn(macro: str) -> None:
    plain = typeset.svg("a b", "")
    drawn = typeset.svg(f"a {SAMPLES.get(macro, macro)} b", "")
    assert drawn.startswith("<svg")
    assert glyphs(drawn) == glyphs(plain) if macro in INVISIBLE else glyphs(drawn) > glyphs(plain)


@pytest.mark.parametrize("macro", sorted(typeset.MACROS - set(SAMPLES) - INVISIBLE))
def test_no_allowed_macro_is_set_as_its_own_name(macro: str) -> None:
    name = macro.strip("\\")
    if len(name) > 3 and name not in NAMED:  # one glyph a letter
        assert glyphs(typeset.svg(f"a {macro} b", "")) - glyphs(typeset.svg("a b", "")) < len(name)


@pytest.mark.parametrize("name", sorted(typeset.ENVIRONMENTS))
def test_every_allowed_environment_is_drawn(name: str) -> None:
    table = rf"\begin{{{name}}} a & b \\ c & d \end{{{name}}}"
    assert typeset.svg(table, "").count("<use") >= 4


@pytest.mark.parametrize(
    "latex",
    [
        "\N{MATHEMATICAL BOLD DIGIT ONE}^{\\top} x",
        r"\nabla_{x} f = 2\,A^{\top}\left(A\,x - b\right)",
        r"\operatorname{tr}\left(A\,X\right)\,X^{-\top}",
        r"\frac{x}{\left\lVert x \right\rVert_{2}}",
        r"x \in \mathbb{R}^{n},\; A \in \mathbb{R}^{m \times n}",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"\sum_{i=1}^{n} x_{i}^{2}",
        r"\mathrm{loss\_2}",
        r"(A x) \begin{bmatrix} h \\ x \end{bmatrix}^{\top}",
        "θ + σ",
    ],
)
def test_formulas_are_drawn(latex: str) -> None:
    for inline in (False, True):
        ElementTree.fromstring(typeset.svg(latex, "a", inline))
    assert typeset.image(latex, "a").startswith("<img")


def test_operator_names_are_upright() -> None:
    upright, italic = (re.findall(r'href="#m\w+?_(\d+)"', typeset.svg(f, "")) for f in (r"\mathrm{tr}", "tr"))
    named = re.findall(r'href="#m\w+?_(\d+)"', typeset.svg(r"\operatorname{tr}", ""))
    assert named == upright != italic


def test_the_bold_one_has_one_drawing() -> None:
    bold = re.findall(r"_(\d+)\"", typeset.svg(r"\mathbf{1}", ""))
    assert bold == re.findall(r"_(\d+)\"", typeset.svg("\N{MATHEMATICAL BOLD DIGIT ONE}", ""))
    assert bold != re.findall(r"_(\d+)\"", typeset.svg("1", ""))


@pytest.mark.parametrize(
    ("latex", "start"),
    [
        (r"\underset{i}{\max} x", "<math"),  # MathML knows it, no test has seen it drawn
        ("Aᵀ", "<math"),  # the font has no such letter
        (r"\undefined{x}", "<code"),
        (r"\operatorname*{argmin} x", "<math"),
        ("x^", "<code"),
        (r"\text{a & b}", "<code"),
        ("<script>", "<svg"),  # an inequality
        ("", "<code"),
    ],
)
def test_what_cannot_be_drawn_falls_back(latex: str, start: str) -> None:
    shown = typeset.svg(latex, "words")
    assert shown.startswith(start)
    assert "<script" not in shown
    if start != "<svg":
        assert typeset.image(latex, "words") == ""


def test_a_source_shown_as_code_is_escaped() -> None:
    assert typeset.svg(r"\undefined <b> &", '"') == (r'<code aria-label="&quot;">\undefined &lt;b&gt; &amp;</code>')


def test_ids_are_unique_across_formulas_and_stable() -> None:
    formulas = [r"A\,x", r"A\,b", r"A^{\top} A\,x"]
    ids = [set(re.findall(r'id="(\w+)"', typeset.svg(f, ""))) for f in formulas]
    ids.append(set(re.findall(r'id="(\w+)"', typeset.svg(r"A\,x", "", inline=True))))
    assert all(ids) and sum(map(len, ids)) == len(set().union(*ids))
    assert all(
        set(re.findall(r'href="#(\w+)"', typeset.svg(f, ""))) <= own for f, own in zip(formulas, ids, strict=False)
    )


def test_the_picture_is_read_aloud_and_follows_the_text_colour() -> None:
    svg = typeset.svg("x", 'x "quoted" <')
    assert 'role="img" aria-label="x &quot;quoted&quot; &lt;"' in svg
    assert "currentColor" in svg and "em" in svg


def test_the_image_is_black_on_white_and_says_its_formula() -> None:
    img = typeset.image(r"2\,A\,x", "2 A x $")
    assert 'alt="2 A x &#36;"' in img and "$" not in img
    data = re.search(r"base64,([\w+/=]+)", img)
    assert data
    inside = base64.b64decode(data[1]).decode()
    assert "currentColor" not in inside and '#000"' in inside and '#fff"' in inside
    ElementTree.fromstring(inside)


def test_an_image_and_an_svg_are_typeset_once() -> None:
    typeset._draw.cache_clear()
    typeset.svg("x + y", "a")
    typeset.image("x + y", "b")
    assert typeset._draw.cache_info().misses == 1


def test_bars_are_as_high_as_what_they_enclose() -> None:
    sizes = {typeset._draw(bars, False).box for bars in (r"\lVert x\rVert", r"\left\lVert x\right\rVert")}
    assert len(sizes) == 1
