"""The notation tree as one line of Unicode: 2 Aᵀ(A x − b)."""

from __future__ import annotations

from fractions import Fraction

from ..functions import FUNCTIONS
from ..notation import (
    Apply,
    Chain,
    Diag,
    DiagonalOf,
    Entry,
    Hadamard,
    Identity,
    Indexed,
    Letter,
    Listed,
    Math,
    MatrixPower,
    Norm,
    Num,
    Ones,
    Plus,
    Pow,
    Quotient,
    Symbol,
    Times,
    Trace,
    Transpose,
    Unit,
    Zero,
)
from .levels import ATOM, POWER, PRODUCT, SUM, factors, scientific
from .names import SUBSCRIPTS, SUPERSCRIPTS, text_name

INDICES = "ijklpqrstuv"


def text(math: Math) -> str:
    """The formula in Unicode.

    >>> text(Chain((Transpose(Symbol("A", ("m", "n"))), Symbol("b", ("m",)))))
    'Aᵀ b'
    """
    return _print(math)[0]


def number(value: Fraction | float) -> str:
    """3, 0.1, 1/3, 2·10⁻⁵."""
    if (parts := scientific(value)) and (not isinstance(value, Fraction) or value.denominator > 16):
        power = f"10{superscript(str(parts[1]))}"
        return power if parts[0] == "1" else f"{parts[0]}·{power}".replace("-", "−")
    if not isinstance(value, Fraction) or value.denominator == 1:
        return (str(value.numerator) if isinstance(value, Fraction) else repr(value)).replace("-", "−")
    if value == Fraction(1, 2):
        return "½"
    if value.denominator > 16 and float(f"{float(value):.6g}") == float(value):
        return f"{float(value):.6g}".replace("-", "−")
    return f"{value.numerator}/{value.denominator}".replace("-", "−")


def at_least(math: Math, level: int) -> str:
    """The piece, in parentheses where it binds less."""
    inner, own = _print(math)
    return inner if own >= level else f"({inner})"


def _print(math: Math) -> tuple[str, int]:
    match math:
        case Num(value=value):
            whole = not isinstance(value, Fraction) or value.denominator == 1 or value == Fraction(1, 2)
            power = scientific(value) is not None
            return number(value), SUM if value < 0 else PRODUCT if power else ATOM if whole else SUM
        case Symbol(name=name):
            return text_name(name), ATOM
        case Letter(letter=letter):
            return text_name(letter), ATOM
        case Ones():
            return "𝟏", ATOM
        case Identity():
            return "I", ATOM
        case Unit(position=k):
            return f"e{subscript(str(k + 1))}", ATOM
        case Zero():
            return "0", ATOM
        case Transpose(of=of):
            return f"{at_least(of, ATOM)}ᵀ", POWER
        case MatrixPower(of=of, count=count):
            return f"{at_least(of, ATOM)}{superscript(str(count))}", POWER
        case Pow(base=base, exponent=p, entrywise=entrywise):
            return _power(base, p, entrywise)
        case Plus(parts=parts):
            return _sum([_print(p)[0] for p in parts]), SUM
        case Chain(parts=parts) | Times(parts=parts):
            return _product(parts)
        case Hadamard(parts=parts):
            return " ⊙ ".join(at_least(p, POWER) for p in parts), PRODUCT
        case Quotient(top=top, bottom=bottom, entrywise=True):
            return f"{at_least(top, POWER)} ⊘ {at_least(bottom, POWER)}", PRODUCT
        case Quotient(top=top, bottom=bottom):
            return f"{at_least(top, PRODUCT)} / {at_least(bottom, POWER)}", PRODUCT
        case Norm(of=of, frobenius=frobenius):
            return f"‖{text(of)}‖" + ("_F" if frobenius else ""), ATOM
        case Apply(function=function, args=args):
            return f"{FUNCTIONS[function].text}({', '.join(map(text, args))})", ATOM
        case Trace(of=of):
            return f"tr({text(of)})", ATOM
        case Diag(of=of) | DiagonalOf(of=of):
            return f"diag({text(of)})", ATOM
        case Entry(of=of, positions=positions):
            return f"{at_least(of, ATOM)}{subscript(','.join(str(k + 1) for k in positions))}", ATOM
        case Listed(parts=parts):
            return f"[{', '.join(map(text, parts))}]", ATOM
        case Indexed():
            return _indexed(math), PRODUCT
    raise TypeError(type(math).__name__)


def subscript(digits: str) -> str:
    """₁₂, or _ij where Unicode has no such letters."""
    return "".join(SUBSCRIPTS[c] for c in digits) if all(c in SUBSCRIPTS for c in digits) else f"_{{{digits}}}"


def superscript(digits: str) -> str:
    """² ⁻¹, or ^(1/3)."""
    return "".join(SUPERSCRIPTS[c] for c in digits) if all(c in SUPERSCRIPTS for c in digits) else f"^({digits})"


def _power(base: Math, p: Fraction | float, entrywise: bool) -> tuple[str, int]:
    if p == Fraction(1, 2) and not entrywise:
        return f"√{at_least(base, ATOM) if isinstance(base, Symbol) else f'({text(base)})'}", ATOM
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
        rest = (Num(-parts[0].value), *parts[1:]) if parts[0].value != -1 else parts[1:]
        return f"−{_product(rest)[0] if len(rest) > 1 else at_least(rest[0], PRODUCT)}", SUM
    line = ""
    for after in factors(parts, at_least):
        line += after if not line or after.startswith("(") else f" {after}"
    return line, PRODUCT


def _indexed(math: Indexed) -> str:
    names = {label: INDICES[k] for k, (label, _) in enumerate(math.sizes)}
    summed = "".join(names[label] for label, _ in math.sizes if label not in math.out)
    body = " ".join(_factor(f, "".join(names[label] for label in labels)) for f, labels in math.factors)
    return (f"Σ_{summed} " if summed else "") + body


def _factor(factor: Math, indices: str) -> str:
    name = "δ" if isinstance(factor, Identity) else at_least(factor, ATOM)
    return f"{name}_{indices}"
