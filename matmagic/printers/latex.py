"""The notation tree in LaTeX, with macros that KaTeX, MathJax and ziamath all know."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction

from ..functions import FUNCTIONS
from ..lengths import Size, plus
from ..matrix_functions import FUNCTIONS_OF_MATRICES
from ..notation import (
    INDICES,
    Apply,
    At,
    Blocks,
    Called,
    Chain,
    Column,
    Commutation,
    Constant,
    Counting,
    Diag,
    DiagonalOf,
    Entry,
    Hadamard,
    Holds,
    Identity,
    Increment,
    Indexed,
    Inverse,
    Kronecker,
    Labelled,
    Letter,
    Listed,
    Math,
    MatrixPower,
    Norm,
    Num,
    Ones,
    Over,
    Plus,
    Pow,
    Quotient,
    Rows,
    SumOver,
    Symbol,
    Times,
    Trace,
    Transpose,
    Triangular,
    Unit,
    Vec,
    Zero,
    pieces,
    rank,
    rows_in,
)
from ..writing import constant_of, transpose, transposes
from .levels import (
    ATOM,
    CALLED,
    CONSTANTS,
    POWER,
    PRODUCT,
    SPELLED,
    SUM,
    beside,
    called,
    compared,
    constant,
    decimal,
    factors,
    near,
    scientific,
)
from .names import by_columns, joined, latex_increment, latex_name, latex_size, places

NAME_AT_END = r"(?:(?<!\^\{)\\[A-Za-z]+|[A-Za-z]|_\{[^{}]*\}|\\mathbf\{1\})$"  # C (x + y) would read as a call


def latex(math: Math) -> str:
    r"""The formula in LaTeX.

    >>> latex(Chain((Transpose(Symbol("A", ("m", "n"))), Symbol("b", ("m",)))))
    'A^{\\top} b'
    """
    return _print(math)[0]


def number(value: Fraction | float) -> str:
    """3, 0.1, 1/3 as a fraction, 2·10⁻⁵."""
    value = near(value)
    if parts := scientific(value):
        power = f"10^{{{parts[1]}}}"
        return power if parts[0] == "1" else rf"{parts[0]} \cdot {power}"
    if abs(value) == float("inf"):
        return r"\infty" if value > 0 else r"-\infty"
    shown = decimal(value)
    if shown is not None or not isinstance(value, Fraction):
        return shown or ""
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _named(value: Fraction | float) -> str | None:
    r"""A number by the name of a constant: \frac{2}{\sqrt{\pi}}; None where it has none."""
    found = constant(value)
    if found is None:
        return None
    ratio, name, below = found
    top, bottom, tex = str(abs(ratio.numerator)), str(ratio.denominator), CONSTANTS[name][0]
    line = {True: [top, f"{bottom} {tex}"], False: [f"{top} {tex}", bottom]}[below]
    line = [tex if part == f"1 {tex}" else part for part in line]
    return ("-" if ratio < 0 else "") + (line[0] if line[1] == "1" else rf"\frac{{{line[0]}}}{{{line[1]}}}")


def at_least(math: Math, level: int) -> str:
    """The piece, in parentheses where it binds less."""
    text, own = _print(math)
    return text if own >= level else _enclosed(text)


def inline(math: Math) -> str:
    r"""An argument of a function: a quotient with a slash, K q / \sqrt{d}."""
    match math:
        case Times(parts=(Num(value=value), Quotient() as quotient)) if value == -1:
            return f"-{inline(quotient)}"
        case Quotient(top=top, bottom=bottom, entrywise=False):
            line = f"{at_least(top, PRODUCT)} / {at_least(bottom, POWER)}"
            return latex(math) if r"\frac" in line else line
    return latex(math)


def _enclosed(text: str) -> str:
    """In parentheses as high as what they enclose."""
    return rf"\left({text}\right)" if r"\frac" in text else f"({text})"


def _print(math: Math) -> tuple[str, int]:
    match math:
        case Constant(value=value) if named := _named(value):
            return named, SUM if value < 0 else PRODUCT if " " in named else ATOM
        case Num(value=value):
            return number(value), SUM if value < 0 else PRODUCT if "cdot" in number(value) else ATOM
        case Symbol(name=name):
            return latex_increment(math.of, math.mark) if isinstance(math, Increment) else latex_name(name), ATOM
        case Letter(letter=letter):
            return latex_size(letter), ATOM if str(letter).isidentifier() else SUM
        case Ones():
            return rf"\mathbf{{1}}{_sized(math)}", ATOM
        case Identity(sized=sized):
            return f"I{_sized(math)}", POWER if sized else ATOM
        case Unit(size=size, position=k, sized=True):
            return f"(I_{{{latex_size(size)}}})_{{:,{latex_size(plus(k, 1))}}}", ATOM
        case Unit(position=k):
            return f"e_{{{latex_size(plus(k, 1))}}}", ATOM
        case Zero(shape=shape, sized=sized):
            return f"0_{{{latex_size(shape[0])}}}" if sized else "0", ATOM
        case Transpose() | MatrixPower() | Inverse():
            return _scripted(math), POWER
        case Pow():
            return _power(math)
        case Plus(parts=parts):
            return _sum([_print(p)[0] for p in parts]), SUM
        case Chain(parts=(Transpose(of=Ones(sized=False)), Apply(function="abs", args=(of,)))) if rank(of) == 1:
            return rf"\lVert {latex(of)} \rVert_1", ATOM
        case Chain(parts=parts) | Times(parts=parts):
            return _product(parts)
        case Hadamard(parts=parts):
            return r" \odot ".join(at_least(p, POWER) for p in parts), PRODUCT
        case Kronecker(left=left, right=right):
            return rf"{at_least(left, POWER)} \otimes {at_least(right, POWER)}", PRODUCT
        case Quotient(top=top, bottom=bottom, entrywise=True):
            return rf"{at_least(top, POWER)} \oslash {at_least(bottom, POWER)}", PRODUCT
        case Quotient():
            return _fraction(math), PRODUCT
        case Rows(of=of) if transposes(transpose(of)) < transposes(of):
            return rf"{_at(transpose(of), f':,{places(math, latex_size)}')}^{{\top}}", POWER
        case Entry() | Rows() | Column() | At():
            return _part(math), ATOM
        case Counting(size=size):
            return f"{_counting(size)}^{{\\top}}", POWER
        case Listed() | Blocks():
            rows = [r" & \; ".join(map(latex, row)) for row in rows_in(math)]
            return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}", ATOM
        case Indexed():
            return _indexed(math), PRODUCT
    return _function(math)


def _function(math: Math) -> tuple[str, int]:
    """What has a name with brackets."""
    match math:
        case Norm(of=of, frobenius=frobenius):
            return rf"\lVert {latex(of)} \rVert" + ("_F" if frobenius else ""), ATOM
        case Apply(function="where", args=(Apply(function="step", args=(inner,)), *choices)):
            left, relation, right = compared(inner)
            chosen = ", ".join(map(latex, beside(tuple(choices))))
            return rf"\operatorname{{where}}({latex(left)} {relation} {latex(right)}, {chosen})", ATOM
        case Apply(function="pow", args=(base, exponent)):
            mark = r"\odot " if rank(base) else ""
            return f"{_script_base(base)}^{{{mark}{latex(constant_of(exponent))}}}", POWER
        case Apply(function="abs", args=(of,)) if rank(of) < 2:  # |A| is a determinant too
            return rf"\lvert {latex(of)} \rvert", ATOM
        case Apply(function=function, args=args, spelled=True):
            return rf"\operatorname{{{SPELLED[function]}}}" + _enclosed(", ".join(map(inline, args))), ATOM
        case Apply(function=function, args=args):
            return FUNCTIONS[function].latex + _enclosed(", ".join(map(inline, beside(args)))), ATOM
        case Trace(of=of):
            return rf"\operatorname{{tr}}{_enclosed(latex(of))}", ATOM
        case Diag(of=of) | DiagonalOf(of=of):
            return rf"\operatorname{{diag}}{_enclosed(latex(of))}", ATOM
        case Vec(of=of):
            return rf"\operatorname{{vec}}{_enclosed(latex(of))}", ATOM
        case Commutation(rows=rows, columns=columns):
            return f"K_{{{joined((rows, columns), latex_size)}}}", ATOM
        case Called(function=function, args=args):
            by_rows = rank(args[0]) > FUNCTIONS_OF_MATRICES[function].takes
            name, mark = FUNCTIONS_OF_MATRICES[function].latex, r"_{\mathrm{rows}}" if by_rows else ""
            return called(name, [inline(a) for a in args], mark, by_rows, _enclosed), CALLED.get(function, ATOM)
        case Over(function=function, index=index, size=size, args=args, sized=sized):
            mark = rf"_{{{index} \le {latex_size(size)}}}" if sized else f"_{{{index}}}"
            name = FUNCTIONS_OF_MATRICES[function].latex
            return called(name, [inline(a) for a in args], mark, enclosed=_enclosed), CALLED.get(function, ATOM)
        case SumOver(indices=indices, sizes=sizes, of=of, sized=True):
            sums = [rf"\sum_{{{i}=1}}^{{{latex_size(size)}}} " for i, size in zip(indices, sizes, strict=True)]
            return f"{''.join(sums)}{at_least(of, PRODUCT)}", PRODUCT
        case SumOver(indices=indices, of=of):
            return rf"\sum_{{{','.join(indices)}}} {at_least(of, PRODUCT)}", PRODUCT
        case Holds(left=left, relation=relation, right=right):
            return rf"[{latex(left)} {relation.replace('≤', chr(92) + 'le')} {latex(right)}]", ATOM
        case Triangular(of=of, offset=offset, lower=lower):
            more = f", {offset}" if offset else ""
            return rf"\operatorname{{{'tril' if lower else 'triu'}}}({latex(of)}{more})", ATOM
        case Labelled(labels=labels, shape=shape, sized=sized):
            mark = f"_{{{latex_size(shape[-1])}}}" if sized else ""
            shown = latex(labels)
            return rf"\operatorname{{onehot}}{mark}({shown})" if rank(labels) else f"e_{{{shown}}}", ATOM
    raise TypeError(type(math).__name__)


def _sized(math: Ones | Identity) -> str:
    """The size below 𝟏 or I, where it has to be written."""
    return f"_{{{latex_size(math.size)}}}" if math.sized else ""


def _script_base(math: Math) -> str:
    """What a superscript can be put on."""
    text, level = _print(math)
    return text if level == ATOM else _enclosed(text)


def _power(math: Pow) -> tuple[str, int]:
    if math.exponent == Fraction(1, 2) and not math.entrywise:
        return rf"\sqrt{{{latex(math.base)}}}", ATOM
    exponent = _exponent(math.exponent)
    mark = r"\odot " if math.entrywise else ""
    base = math.base
    if isinstance(base, Norm) and base.frobenius:
        return rf"\lVert {latex(base.of)} \rVert_F^{{{exponent}}}", POWER
    if isinstance(base, Trace):
        return rf"\operatorname{{tr}}({latex(base.of)})^{{{exponent}}}", POWER
    return f"{_script_base(base)}^{{{mark}{exponent}}}", POWER


def _fraction(math: Quotient) -> str:
    r"""What is over a line: \frac{x - a}{\lVert x - a \rVert}, but \frac{2}{n} X^{\top} (X w - y), the product beside it."""
    scalars, body = ((), math.top) if not isinstance(math.top, Times) else (math.top.parts[:-1], math.top.parts[-1])
    product = isinstance(body, Chain | Hadamard) and any(isinstance(p, Plus) for p in pieces(body))
    wide = any(isinstance(p, Quotient) for p in pieces(body)) or any(isinstance(s, Chain | Plus) for s in scalars)
    product = product or (isinstance(body, Plus) and len(scalars) > 0)
    if rank(math.top) == 0 or not (wide or (product and _made_of_symbols(math.bottom))):
        sign, top = _signed(math.top)
        return rf"{sign}\frac{{{top}}}{{{latex(math.bottom)}}}"
    sign, top = _signed(Times(scalars) if len(scalars) > 1 else scalars[0] if scalars else Num(Fraction(1)))
    return rf"{sign}\frac{{{top}}}{{{latex(math.bottom)}}} {at_least(body, PRODUCT)}"


def _made_of_symbols(math: Math) -> bool:
    """n, 2 σ², (n − 1) n"""
    return all(isinstance(p, Num | Symbol | Letter | Times | Pow | Plus) and rank(p) == 0 for p in pieces(math))


def _signed(math: Math) -> tuple[str, str]:
    """The sign of a product or number, and the rest."""
    whole = latex(math)
    return ("-", whole[1:]) if whole.startswith("-") and not isinstance(math, Plus) else ("", whole)


def _exponent(value: Fraction | float) -> str:
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    return number(value)


def _sum(terms: list[str]) -> str:
    text = terms[0]
    for term in terms[1:]:
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return text


def _product(parts: tuple[Math, ...]) -> tuple[str, int]:
    """Factors side by side, the sign in front; long names and numbers are kept apart."""
    if isinstance(parts[0], Num) and parts[0].value < 0:
        rest = (replace(parts[0], value=-parts[0].value), *parts[1:]) if parts[0].value != -1 else parts[1:]
        return f"-{_product(rest)[0] if len(rest) > 1 else at_least(rest[0], PRODUCT)}", SUM
    texts = factors(parts, at_least)
    line = texts[0]
    for before, after in itertools.pairwise(texts):
        wide = (before.endswith("}") and r"\mathrm" in before) or after.startswith(r"\mathrm")
        named = after.startswith(("(", r"\left(")) and re.search(NAME_AT_END, before) is not None
        wide = wide or named or before.startswith(r"\mathrm{d}")
        digits = before[-1] in "0123456789" and after[0] in "0123456789"
        line += (r" \cdot " if digits else r" \, " if wide else " ") + after
    return line, PRODUCT


def _scripted(math: Transpose | MatrixPower | Inverse) -> str:
    """What has a superscript: A^{\\top}, A^{-1}, A^{-\\top}, A^{-2}, and columns A_{:,2:n}."""
    match math:
        case Transpose(of=Rows(of=of) as rows) if by_columns(of):
            return _at(transpose(of), f":,{places(rows, latex_size)}")
        case Transpose(of=Called(function="right_singular", args=(of,))):
            return f"V({latex(of)})"
        case Transpose(of=Counting(size=size)):
            return _counting(size)
        case Transpose(of=Inverse(of=of, pseudo=pseudo)):
            return rf"{_script_base(of)}^{{{'+' if pseudo else '-'}\top}}"
        case MatrixPower(of=Inverse(of=of, pseudo=False), count=count):
            return f"{_script_base(of)}^{{-{count}}}"
        case Inverse(of=of, pseudo=pseudo):
            return f"{_script_base(of)}^{{{'+' if pseudo else '-1'}}}"
        case MatrixPower(of=of, count=count):
            return f"{_script_base(of)}^{{{count}}}"
    return f"{_script_base(math.of)}^{{\\top}}"


def _counting(size: Size) -> str:
    """A row 0, 1, …, written out where it is short."""
    if isinstance(size, int) and size < 4:
        return f"({', '.join(map(str, range(size)))})"
    return rf"(0, \ldots, {latex_size(plus(size, -1))})"


def _part(math: Entry | Rows | Column | At) -> str:
    """Entries, rows and columns, by their place."""
    match math:
        case Entry(of=Called(function="eigenvalues", args=(of,)), positions=(k,)):
            return rf"\lambda_{{{latex_size(plus(k, 1))}}}({latex(of)})"
        case At(of=Called(function="eigenvalues", args=(of,)), indices=(k,)):
            return rf"\lambda_{{{latex_size(k)}}}({latex(of)})"
        case At(of=Identity(), indices=indices):
            return rf"\delta_{{{joined(indices, latex_size)}}}"
        case At(of=of, indices=indices):
            return _at(of, joined(indices, latex_size))
        case Entry(of=of, positions=positions):
            return _at(of, ",".join(latex_size(plus(k, 1)) for k in positions))
        case Column(of=Called(args=(of,)), position=k):
            return f"q_{{{latex_size(plus(k, 1))}}}({latex(of)})"
        case Rows(of=of):
            return _at(of, places(math, latex_size) + (",:" if rank(of) == 2 else ""))
    raise TypeError(type(math.of).__name__)


def _at(of: Math, index: str) -> str:
    named = isinstance(of, Called | Over) and latex(of).endswith(")")
    if named or (isinstance(of, Symbol | Identity) and "_" not in latex(of)):
        return f"{latex(of)}_{{{index}}}"
    return f"({latex(of)})_{{{index}}}"


def _indexed(math: Indexed) -> str:
    names = {label: INDICES[k] for k, (label, _) in enumerate(math.sizes)}
    summed = [names[label] for label, _ in math.sizes if label not in math.out]
    body = " ".join(_factor(f, [names[label] for label in labels]) for f, labels in math.factors)
    return (rf"\sum_{{{','.join(summed)}}} " if summed else "") + (body or "1")


def _factor(factor: Math, indices: list[str]) -> str:
    if isinstance(factor, Identity):
        return rf"\delta_{{{''.join(indices)}}}"
    if isinstance(factor, Symbol) and "_" not in latex(factor):
        return f"{latex(factor)}_{{{''.join(indices)}}}"
    return f"({latex(factor)})_{{{''.join(indices)}}}"
