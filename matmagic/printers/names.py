"""How a user's names are written in mathematics: alpha is α, x_1 and x1 have an index, W_ih too.

A tensor in a module or another object has that as its index: lin.weight is W_lin, model[0].bias is b_{model,0}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..lengths import Size, plus
from ..notation import Math, Rows, rank
from ..writing import transpose, transposes

GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
        "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(),
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
SHORT = {"lam": "lambda", "lamb": "lambda", "lamda": "lambda", "eps": "epsilon", "sig": "sigma"}
SUBSCRIPTS = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
SUPERSCRIPTS = dict(zip("0123456789nmkdpij-+", "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿᵐᵏᵈᵖⁱʲ⁻⁺", strict=True))


PARTS = {"weight": "W", "bias": "b", "running_mean": "mu", "running_var": "v"}  # of modules


def split(name: str) -> tuple[str, str]:
    """A name's stem and its index: x_1 -> x, 1; W_ih -> W, ih; x1 -> x, 1; loss -> loss, ''; lin.weight -> W, lin."""
    if not name.isidentifier() and (steps := re.findall(r"[^\W\d]\w*|\d+", name))[1:]:
        return _split_place(steps)
    stem, _, index = name.strip("_").partition("_")
    if not index and (match := re.fullmatch(r"([^\W\d]+)(\d+)", stem)):
        stem, index = match.groups()
    if len(stem) > 1 and stem not in SHORT and stem not in GREEK and not stem.isupper():
        return name, ""  # a word, not a letter with an index
    return stem, index


def _split_place(steps: Sequence[str]) -> tuple[str, str]:
    """W and model,0 for model[0].weight; layers and 1 for layers[1]; W and 1,params for params["W1"]."""
    *above, last = steps[1:] if steps[0] == "self" else steps
    if last.isdecimal():
        names = [k for k, step in enumerate(above) if not step.isdecimal()]
        own = above.pop(names[-1])
        return own, ",".join([*above, last])
    kind, _, rest = last.partition("_")  # weight_ih_l0 of a recurrent layer
    stem, index = split(PARTS.get(last, last)) if kind not in PARTS else (PARTS[kind], rest.replace("_", ","))
    return stem, ",".join([index, *above] if index else above)


def text_name(name: str) -> str:
    """The name in Unicode: x₁, α, W_ih where there are no such subscripts.

    >>> text_name("lam"), text_name("x1"), text_name("W_q"), text_name("lin.weight"), text_name("model[0].bias")
    ('λ', 'x₁', 'W_q', 'W_lin', 'b_{model,0}')
    """
    stem, index = split(name)
    stem = GREEK.get(SHORT.get(stem, stem), stem)
    if not index:
        return stem
    if all(c in SUBSCRIPTS for c in index) and (name.isidentifier() or index.isdecimal()):
        return stem + "".join(SUBSCRIPTS[c] for c in index)
    return f"{stem}_{{{index}}}" if "," in index else f"{stem}_{index}"


def latex_name(name: str) -> str:
    r"""The name in LaTeX: \alpha, x_{1}, W_{ih}, \mathrm{loss}.

    >>> latex_name("lam"), latex_name("W_ih"), latex_name("loss"), latex_name("model[0].weight")
    ('\\lambda', 'W_{ih}', '\\mathrm{loss}', 'W_{\\mathrm{model},0}')
    """
    stem, index = split(name)
    word = SHORT.get(stem, stem)
    back = {letter: english for english, letter in GREEK.items()}
    word = back.get(word, word)
    if word in GREEK:
        latex = f"\\{word}" if word not in ("Alpha", "Beta") else stem
    else:
        words = stem.replace("_", r"\_")
        latex = stem if len(stem) == 1 else f"\\mathrm{{{words}}}"
    if not index:
        return latex
    parts = index.replace("_", ",").split(",")
    upright = [part if len(part) <= 2 or not part.isalpha() else f"\\mathrm{{{part}}}" for part in parts]
    return f"{latex}_{{{','.join(upright)}}}"


def latex_increment(name: str, mark: str = "d") -> str:
    r"""An increment of what has this name: \mathrm{d}X.

    >>> latex_increment("X"), latex_increment("loss"), latex_increment("X", "δ")
    ('\\mathrm{d}X', '\\mathrm{d}\\,\\mathrm{loss}', '\\delta X')
    """
    own = latex_name(name)
    if mark != "d":
        return f"{latex_name(mark)} {own}"
    return rf"\mathrm{{d}}\,{own}" if own.startswith(r"\mathrm") else rf"\mathrm{{d}}{own}"


def text_size(size: Size) -> str:
    """A size: n−1, 2n.

    >>> text_size("2*n-1"), text_size(3)
    ('2n−1', '3')
    >>> text_size("-i+n+1")
    'n+1−i'
    """
    return _named(size, text_name).replace("*", "").replace("-", "−")


def latex_size(size: Size) -> str:
    """The same in LaTeX: n-1, 2 n."""
    return _named(size, latex_name).replace("*", " ")


def _named(size: Size, name: Callable[[str], str]) -> str:
    """With the letters' names, a positive term first: n+1-i."""
    terms = sorted(re.findall(r"[+-]?[^+-]+", str(size)), key=lambda term: term.startswith("-"))
    line = terms[0] + "".join(term if term[0] in "+-" else f"+{term}" for term in terms[1:])
    return re.sub(r"[^\W\d]\w*", lambda letter: name(letter[0]), line.removeprefix("+"))


def joined(indices: Sequence[Size], size: Callable[[Size], str]) -> str:
    """Indices side by side: ij, but i+1,j."""
    shown = [size(index) for index in indices]
    return "".join(shown) if all(len(s) == 1 and not s.isdigit() for s in shown) else ",".join(shown)


def places(rows: Rows, size: Callable[[Size], str]) -> str:
    """Which entries, from 1 and with the last one, as in 2:n and 1:2:n."""
    last = plus(rows.start, plus(rows.count, -1), rows.step)
    first, step, end = (size(s) for s in (plus(rows.start, 1), rows.step, plus(last, 1)))
    return f"{first}:{end}" if rows.step == 1 else f"{first}:{step}:{end}"


def by_columns(of: Math) -> bool:
    """Whether rows of this matrix, transposed, are written as columns: A_{:,2:n} for (Aᵀ)_{2:n,:}ᵀ."""
    turned = transpose(of)
    return rank(of) == 2 and (turned == of or transposes(turned) < transposes(of))


def text_space(shape: str) -> str:
    """Where a tensor of this shape lives: "n,1" -> ℝⁿˣ¹.

    >>> text_space("m,n"), text_space("()")
    ('ℝᵐˣⁿ', 'ℝ')
    """
    sizes = _factors(shape)
    if all(c in SUPERSCRIPTS for size in sizes for c in size):
        return "ℝ" + "ˣ".join("".join(SUPERSCRIPTS[c] for c in size) for size in sizes)
    return f"ℝ^({'×'.join(sizes)})"


def _factors(shape: str) -> list[str]:
    """The sizes, sums among others in brackets: n × (k+m)."""
    sizes = [size.strip() for size in shape.strip("()").split(",") if size.strip()]
    return [f"({size})" if len(sizes) > 1 and re.search("[-+]", size) else size for size in sizes]


def latex_space(shape: str) -> str:
    """The same in LaTeX."""
    power = r" \times ".join(_factors(shape))
    return r"\mathbb{R}" + (f"^{{{power}}}" if power else "")
