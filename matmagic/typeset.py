"""LaTeX to a picture that every front end shows: inline SVG in a live panel, an <img> in saved HTML.

The glyphs come as outlines (ziamath, STIX Two Math), so nothing is loaded and no MathJax is needed.  Sizes
are in em: the text around a formula decides how large it is, and one drawing serves every place.

ziamath prints a macro that it does not know as text, and a letter without a glyph as a box, both without an
error.  Only the macros named here are drawn, each seen by a test, and no box is: what can't be drawn becomes
MathML, and what is no MathML either its own source in <code>.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

_NAMES = r"""
    \, \; \: \! \quad \qquad \\ \_ \% \{ \}
    \alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu
    \xi \pi \rho \sigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi
    \Sigma \Upsilon \Phi \Psi \Omega \ell \hbar \nabla \partial \infty \prime \emptyset
    \mathrm \mathbf \mathbb \mathcal \mathsf \mathit \text \operatorname \hat \bar \tilde \dot \ddot \vec
    \widehat \widetilde \overline \underline \underbrace
    \cdot \times \odot \oslash \otimes \oplus \circ \star \ast \div \pm \mp \sum \prod \int \frac \tfrac \dfrac \sqrt
    \top \dagger \to \mapsto \leftarrow \rightarrow \Rightarrow \iff \in \notin \subset \subseteq \cup \cap
    \forall \exists \neg \land \lor \le \leq \ge \geq \ne \neq \equiv \approx \sim \propto \succ \succeq
    \prec \preceq \perp \mid \colon \ldots \cdots \vdots \ddots
    \left \right \big \Big \bigl \bigr \Bigl \Bigr \lVert \rVert \lvert \rvert \Vert \vert \| \langle \rangle
    \lfloor \rfloor \lceil \rceil
    \log \ln \exp \sin \cos \tan \sinh \cosh \tanh \arcsin \arccos \arctan \det \max \min \sup \inf \lim \arg
    \dim \ker \begin \end
"""
MACROS = frozenset(_NAMES.split())
ENVIRONMENTS = frozenset(["matrix", "bmatrix", "pmatrix", "vmatrix", "cases", "aligned", "align*"])

_EM = 16.0  # ziamath's pixels to one em of the text around
_SPACING = (  # what TeX does by itself
    (r"\\(exp|log|sin|cos|tan|sinh|cosh|tanh|max|min|det)(?= *(?:\(|\\left))", r"\\operatorname{\1}"),
    (r"(?<=[\w)}\U0001d7cf])(?<!\\odot)(?<!\\log) *(?=\\operatorname\b)", r"\\, "),
    (r"\\oslash\b", r"\\,\\oslash\\,"),
    (r"\\mathbf\{1\}", "\N{MATHEMATICAL BOLD DIGIT ONE}"),
    (r"(\\nabla(?:\^\{?2\}?)?)_(\w|\{[^{}]*\}) *(?=[A-Za-z\\])", r"\1_{\\!\2}\\,"),
    (r"(?<!\\left)\\lVert((?:(?!\\[lr]Vert).)*)(?<!\\right)\\rVert", r"\\left\\lVert\1\\right\\rVert"),
    (r"\\partial (?=[A-Za-z\\])", r"\\partial\\! "),
    (r"(\\begin\{bmatrix\}(?:(?!\\begin|\\end).)*\\end\{bmatrix\})(?=[\^_])", r"{\1}"),  # the mark is the matrix's
)
_NAMED_OPERATOR = re.compile(  # det in det X, but not the base of max with a subscript
    r"(?<!<munder>)(?<!<munderover>)(?<!<msub>)(?<!<msup>)(?<!<msubsup>)(<mo[^>]*>[a-z]{2,}</mo>)(?=<m[is])"
)
_MARGIN = 1.0  # pixels: italic letters reach over their box


@dataclass(frozen=True)
class Drawing:
    """Glyphs in currentColor, and their box (left, top, width, height) in pixels; the baseline is at 0."""

    glyphs: str
    box: tuple[float, float, float, float]

    def markup(self, attributes: str = "") -> str:
        """The <svg> element, as large as the text around it and on its baseline."""
        left, top, width, height = self.box
        view = f'viewBox="{left:.2f} {top:.2f} {width:.2f} {height:.2f}"'
        size = f"width:{width / _EM:.3f}em;{self.line_style()}"
        return f'<svg xmlns="http://www.w3.org/2000/svg" {view} style="{size}" {attributes}>{self.glyphs}</svg>'

    def line_style(self) -> str:
        """Height and place in a line of text, as CSS."""
        _, top, _, height = self.box
        return f"height:{height / _EM:.3f}em;vertical-align:{-(top + height) / _EM:.3f}em;max-width:none"


def svg(latex: str, alt: str, inline: bool = False) -> str:
    """The formula in the colour and size of the text around it, read aloud as `alt`.

    `inline` sets fractions and sums small, for a line of prose.
    """
    label = html.escape(alt)
    drawing = _draw(latex, inline)
    if drawing:
        return drawing.markup(f'role="img" aria-label="{label}"')
    return _mathml_element(latex, inline) or f'<code aria-label="{label}">{html.escape(latex)}</code>'


def image(latex: str, alt: str, inline: bool = False) -> str:
    """The same drawing as an <img>, "" if there is none.

    Black on white, since an image can't inherit the theme.
    """
    drawing = _draw(latex, inline)
    if not drawing:
        return ""
    left, top, width, height = drawing.box
    ground = f'<rect x="{left:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}" fill="#fff"/>'
    black = Drawing(ground + drawing.glyphs.replace("currentColor", "#000"), drawing.box)
    data = base64.b64encode(black.markup(f'width="{width:.2f}" height="{height:.2f}"').encode()).decode()
    label = html.escape(alt).replace("$", "&#36;")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{label}" style="{drawing.line_style()}">'


@lru_cache(maxsize=512)
def _draw(latex: str, inline: bool) -> Drawing | None:
    """ziamath's drawing, with ids of its own; None where it has no picture of all of it."""
    mathml = _mathml(latex, inline) if _is_known(latex) else None
    if mathml is None:
        return None
    coloured = mathml.replace("<math ", '<math mathcolor="currentColor" ', 1)
    try:
        root = _ziamath().Math(coloured, size=_EM).svgxml()
    except Exception:  # whatever stops a picture, the formula still has to be shown
        return None
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    glyphs = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    if re.search(r'id="\w+_0"', glyphs):  # the font's box for a letter that it lacks
        return None
    name = "m" + hashlib.sha256(f"{inline}{latex}".encode()).hexdigest()[:10]
    glyphs = re.sub(r'(id="|href="#)\w+(_\d+")', rf"\g<1>{name}\2", glyphs)
    return Drawing(glyphs, (left - _MARGIN, top - _MARGIN, width + 2 * _MARGIN, height + 2 * _MARGIN))


@lru_cache(maxsize=1)
def _ziamath() -> Any:
    """The library, imported without its warnings (a quarter of a second)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ziamath
        import ziamath.tex
    return ziamath


def _is_known(latex: str) -> bool:
    """Every macro and environment is one that a test has seen drawn."""
    macros = re.findall(r"\\(?:operatorname\*|[A-Za-z]+|.)", latex)
    environments = re.findall(r"\\begin\{(.*?)\}", latex)
    return MACROS.issuperset(macros) and ENVIRONMENTS.issuperset(environments)


def _mathml(latex: str, inline: bool) -> str | None:
    """MathML with the spaces of a textbook; None where LaTeX is not understood."""
    for pattern, replacement in _SPACING:
        latex = re.sub(pattern, replacement, latex)
    try:
        mathml: str = _ziamath().tex.tex2mml(latex, inline=inline)
        ElementTree.fromstring(mathml)
    except Exception:  # the parser's errors have no common base
        return None
    return _NAMED_OPERATOR.sub(r'\1<mspace width="0.17em"/>', mathml)


def _mathml_element(latex: str, inline: bool) -> str | None:
    """MathML for the browser, unless a macro was left over as text in it."""
    mathml = _mathml(latex, inline)
    return None if mathml is None or "\\" in mathml else mathml
