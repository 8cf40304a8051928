"""The notation tree as one line of Unicode: 2 Aᵀ(A x − b)."""

from __future__ import annotations

from collections.abc import Sequence
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
from .names import SUBSCRIPTS, SUPERSCRIPTS, by_columns, joined, places, split, text_name, text_size

RAISED = {"ᵀ", *SUPERSCRIPTS.values()}


def text(math: Math) -> str:
    """The formula in Unicode.

    >>> text(Chain((Transpose(Symbol("A", ("m", "n"))), Symbol("b", ("m",)))))
    'Aᵀ b'
    """
    return _print(math)[0]


def number(value: Fraction | float) -> str:
    """3, 0.1, ½, 1/3, 2·10⁻⁵."""
    value = near(value)
    sign, value = ("−", -value) if value < 0 else ("", value)
    if parts := scientific(value):
        power = f"10{superscript(str(parts[1]))}"
        return sign + (power if parts[0] == "1" else f"{parts[0]}·{power}")
    if value == float("inf"):
        return f"{sign}∞"
    if value == Fraction(1, 2):
        return f"{sign}½"
    return sign + (decimal(value) or str(value))


def _named(value: Fraction | float) -> str | None:
    """A number by the name of a constant: 2/√π; None where it has none."""
    found = constant(value)
    if found is None:
        return None
    ratio, name, below = found
    top, bottom = str(abs(ratio.numerator)), str(ratio.denominator)
    times = " " if name.startswith("log") else ""
    if below:
        bottom = name if bottom == "1" else f"({bottom}{times}{name})"
    else:
        top = name if top == "1" else f"{top}{times}{name}"
    return ("−" if ratio < 0 else "") + (top if bottom == "1" else f"{top}/{bottom}")


def at_least(math: Math, level: int) -> str:
    """The piece, in parentheses where it binds less."""
    inner, own = _print(math)
    return inner if own >= level else f"({inner})"


def _print(math: Math) -> tuple[str, int]:
    match math:
        case Constant(value=value) if named := _named(value):
            return named, ATOM if named in CONSTANTS else SUM if value < 0 or "/" in named else PRODUCT
        case Num(value=value):
            shown = number(value)
            return shown, SUM if value < 0 or "/" in shown else PRODUCT if "10" in shown and "·" in shown else ATOM
        case Increment(of=of, mark=mark):
            return mark + text_name(of), ATOM
        case Symbol(name=name):
            return text_name(name), ATOM
        case Letter(letter=letter):
            return text_size(letter), ATOM if str(letter).isidentifier() else SUM
        case Ones(size=size, sized=sized):
            return f"𝟏{subscript(text_size(size)) if sized else ''}", ATOM
        case Identity(size=size, sized=sized):
            return (f"I{subscript(text_size(size))}", POWER) if sized else ("I", ATOM)
        case Unit(size=size, position=k, sized=True):
            return f"(I{subscript(text_size(size))})_{{:,{text_size(plus(k, 1))}}}", ATOM
        case Unit(position=k):
            return f"e{subscript(text_size(plus(k, 1)))}", ATOM
        case Zero(shape=shape, sized=sized):
            return f"0{subscript(text_size(shape[0])) if sized else ''}", ATOM
        case Transpose() | MatrixPower() | Inverse():
            return _scripted(math), POWER
        case Pow(base=base, exponent=p, entrywise=entrywise):
            return _power(base, p, entrywise)
        case Plus(parts=parts):
            return _sum([_print(p)[0] for p in parts]), SUM
        case Chain(parts=(Transpose(of=Ones(sized=False)), Apply(function="abs", args=(of,)))) if rank(of) == 1:
            return f"‖{text(of)}‖₁", ATOM
        case Chain(parts=parts) | Times(parts=parts):
            return _product(parts)
        case Hadamard(parts=parts):
            return " ⊙ ".join(at_least(p, POWER) for p in parts), PRODUCT
        case Kronecker(left=left, right=right):
            return f"{at_least(left, POWER)} ⊗ {at_least(right, POWER)}", PRODUCT
        case Quotient(top=top, bottom=bottom, entrywise=True):
            return f"{at_least(top, POWER)} ⊘ {at_least(bottom, POWER)}", PRODUCT
        case Quotient(top=top, bottom=bottom):
            return f"{at_least(top, PRODUCT)} / {at_least(bottom, POWER)}", PRODUCT
        case Rows(of=of) if transposes(transpose(of)) < transposes(of):
            return f"{at_least(transpose(of), ATOM)}_{{:,{places(math, text_size)}}}ᵀ", POWER
        case Entry() | Rows() | Column() | At():
            return _part(math), ATOM
        case Counting(size=size):
            return f"{_counting(size)}ᵀ", POWER
        case Listed(parts=parts):
            return f"[{', '.join(map(text, parts))}]", ATOM
        case Blocks():
            return f"[{'; '.join(', '.join(map(text, row)) for row in rows_in(math))}]", ATOM
        case Indexed():
            return _indexed(math), PRODUCT
    return _function(math)


def _function(math: Math) -> tuple[str, int]:
    """What has a name with brackets."""
    match math:
        case Norm(of=of, frobenius=frobenius):
            return f"‖{text(of)}‖" + ("_F" if frobenius else ""), ATOM
        case Apply(function="where", args=(Apply(function="step", args=(inner,)), *choices)):
            left, relation, right = compared(inner)
            return f"where({text(left)} {relation} {text(right)}, {', '.join(map(text, beside(tuple(choices))))})", ATOM
        case Apply(function="pow", args=(base, exponent)):
            mark, raised = "^⊙" if rank(base) else "^", at_least(constant_of(exponent), ATOM)
            whole = len(raised) == 1 or (raised[0] == "(" and not isinstance(exponent, At | Entry | Rows | Transpose))
            raised = raised if whole else f"({raised})"
            return f"{at_least(base, ATOM)}{mark}{raised}", POWER
        case Apply(function=function, args=args, spelled=True):
            return f"{SPELLED[function]}({', '.join(map(text, args))})", ATOM
        case Apply(function=function, args=args):
            return f"{FUNCTIONS[function].text}({', '.join(map(text, beside(args)))})", ATOM
        case Trace(of=of):
            return f"tr({text(of)})", ATOM
        case Diag(of=of) | DiagonalOf(of=of):
            return f"diag({text(of)})", ATOM
        case Vec(of=of):
            return f"vec({text(of)})", ATOM
        case Commutation(rows=rows, columns=columns):
            return f"K{_indices((rows, columns))}", ATOM
        case Called(function=function, args=args):
            by_rows = rank(args[0]) > FUNCTIONS_OF_MATRICES[function].takes
            name, mark = FUNCTIONS_OF_MATRICES[function].text, "_rows" if by_rows else ""
            return called(name, [text(a) for a in args], mark, by_rows), CALLED.get(function, ATOM)
        case Over(function=function, index=index, size=size, args=args, sized=sized):
            name, mark = (
                FUNCTIONS_OF_MATRICES[function].text,
                f"_{{{index}≤{text_size(size)}}}" if sized else f"_{index}",
            )
            return called(name, [text(a) for a in args], mark), CALLED.get(function, ATOM)
        case SumOver(indices=indices, sizes=sizes, of=of, sized=True):
            sums = [f"Σ_{{{i}=1}}^{{{text_size(size)}}} " for i, size in zip(indices, sizes, strict=True)]
            return f"{''.join(sums)}{at_least(of, PRODUCT)}", PRODUCT
        case SumOver(indices=indices, of=of):
            return f"Σ_{''.join(indices)} {at_least(of, PRODUCT)}", PRODUCT
        case Holds(left=left, relation=relation, right=right):
            return f"[{text(left)} {relation} {text(right)}]", ATOM
        case Triangular(of=of, offset=offset, lower=lower):
            more = f", {offset}".replace("-", "−") if offset else ""
            return f"{'tril' if lower else 'triu'}({text(of)}{more})", ATOM
        case Labelled(labels=labels, shape=shape, sized=sized):
            mark = subscript(text_size(shape[-1])) if sized else ""
            return f"onehot{mark}({text(labels)})" if rank(labels) else f"e_{{{text(labels)}}}", ATOM
    raise TypeError(type(math).__name__)


def _scripted(math: Transpose | MatrixPower | Inverse) -> str:
    """What has a superscript: Aᵀ, A⁻¹, A⁻ᵀ, A⁻², and columns A_{:,2:n}."""
    match math:
        case Transpose(of=Rows(of=of) as rows) if by_columns(of):
            return f"{at_least(transpose(of), ATOM)}_{{:,{places(rows, text_size)}}}"
        case Transpose(of=Called(function="right_singular", args=(of,))):
            return f"V({text(of)})"
        case Transpose(of=Counting(size=size)):
            return _counting(size)
        case Transpose(of=Inverse(of=of, pseudo=pseudo)):
            return f"{at_least(of, ATOM)}{'⁺' if pseudo else '⁻'}ᵀ"
        case MatrixPower(of=Inverse(of=of, pseudo=False), count=count):
            return f"{at_least(of, ATOM)}{superscript(str(-count))}"
        case Inverse(of=of, pseudo=pseudo):
            return f"{at_least(of, ATOM)}{'⁺' if pseudo else '⁻¹'}"
        case MatrixPower(of=of, count=count):
            return f"{at_least(of, ATOM)}{superscript(str(count))}"
    return f"{at_least(math.of, ATOM)}ᵀ"


def _counting(size: Size) -> str:
    """A row 0, 1, …, written out where it is short."""
    if isinstance(size, int) and size < 4:
        return f"({', '.join(map(str, range(size)))})"
    return f"(0, …, {text_size(plus(size, -1))})"


def _part(math: Entry | Rows | Column | At) -> str:
    """Entries, rows and columns, by their place."""
    match math:
        case Entry(of=Called(function="eigenvalues", args=(of,)), positions=(k,)):
            return f"λ{subscript(text_size(plus(k, 1)))}({text(of)})"
        case At(of=Called(function="eigenvalues", args=(of,)), indices=(k,)):
            return f"λ{subscript(text_size(k))}({text(of)})"
        case At(of=of, indices=indices):
            return f"{'δ' if isinstance(of, Identity) else _with_index(of)}{_indices(indices)}"
        case Entry(of=of, positions=positions):
            return f"{_with_index(of)}{subscript(','.join(text_size(plus(k, 1)) for k in positions))}"
        case Column(of=Called(args=(of,)), position=k):
            return f"q{subscript(text_size(plus(k, 1)))}({text(of)})"
        case Rows(of=of):
            return f"{at_least(of, ATOM)}_{{{places(math, text_size)}{',:' if rank(of) == 2 else ''}}}"
    raise TypeError(type(math.of).__name__)


def _with_index(math: Math) -> str:
    """What an index is put to: x, (x₁), (x + y)."""
    base = at_least(math, ATOM)
    named = isinstance(math, Symbol) and not split(math.name)[1]
    whole = named or base[0] == "(" or (isinstance(math, Called | Over) and base.endswith(")"))
    return base if whole else f"({base})"


def _indices(indices: Sequence[Size]) -> str:
    """_ij, _{i+1,j}, or ₁₂ for numbers."""
    if all(isinstance(index, int) for index in indices):
        return subscript(",".join(map(str, indices)))
    shown = joined(indices, text_size)
    return f"_{shown}" if shown.isalpha() else f"_{{{shown}}}"


def subscript(digits: str) -> str:
    """₁₂, or _ij where Unicode has no such letters."""
    return "".join(SUBSCRIPTS[c] for c in digits) if all(c in SUBSCRIPTS for c in digits) else f"_{{{digits}}}"


def superscript(digits: str) -> str:
    """² ⁻¹, or ^(1/3)."""
    return "".join(SUPERSCRIPTS[c] for c in digits) if all(c in SUPERSCRIPTS for c in digits) else f"^({digits})"


def _power(base: Math, p: Fraction | float, entrywise: bool) -> tuple[str, int]:
    if p == Fraction(1, 2) and not entrywise:
        inner, level = _print(base)
        return f"√{inner}" if level == ATOM and isinstance(base, Symbol | Letter) else f"√({inner})", ATOM
    shown = str(p)
    if entrywise:
        return f"{at_least(base, ATOM)}^⊙{shown if p == int(p) and p > 0 else f'({shown})'}", POWER
    return f"{at_least(base, ATOM)}{superscript(shown)}", POWER


def _sum(terms: list[str]) -> str:
    line = terms[0]
    for term in terms[1:]:
        line += f" − {term[1:]}" if term.startswith("−") else f" + {term}"
    return line


def _product(parts: tuple[Math, ...]) -> tuple[str, int]:
    if isinstance(parts[0], Num) and parts[0].value < 0:
        rest = (replace(parts[0], value=-parts[0].value), *parts[1:]) if parts[0].value != -1 else parts[1:]
        return f"−{_product(rest)[0] if len(rest) > 1 else at_least(rest[0], PRODUCT)}", SUM
    line = ""
    for after in factors(parts, at_least):
        line += after if not line or (after.startswith("(") and not _ends_in_name(line)) else f" {after}"
    return line, PRODUCT


def _ends_in_name(line: str) -> bool:
    """Whether a parenthesis after it would read as a call: C (x + y), but 2(x + y) and Aᵀ(x + y)."""
    end = line[-1]
    return end in SUBSCRIPTS.values() or end == "}" or (end.isalpha() and end not in RAISED)


def _indexed(math: Indexed) -> str:
    names = {label: INDICES[k] for k, (label, _) in enumerate(math.sizes)}
    summed = "".join(names[label] for label, _ in math.sizes if label not in math.out)
    body = " ".join(_factor(f, "".join(names[label] for label in labels)) for f, labels in math.factors)
    return (f"Σ_{summed} " if summed else "") + (body or "1")


def _factor(factor: Math, indices: str) -> str:
    name = "δ" if isinstance(factor, Identity) else at_least(factor, ATOM)
    return f"{name}_{indices}"
