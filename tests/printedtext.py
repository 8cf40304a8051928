"""Read printed Unicode notation back as a reader would, and evaluate it: 2 Aᵀ(A x − b).

An oracle for the text printer that shares nothing with it.  Vectors are columns.  𝟏, I, 0 and e₁ are printed without a
size, so every assignment of the sizes at hand is tried.  Formulas with indices (Σ_ij …) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product

import torch
from torch import Tensor

from matmagic.printers.names import SUBSCRIPTS, SUPERSCRIPTS, text_name

_LOW = {v: k for k, v in SUBSCRIPTS.items()}
_HIGH = {v: k for k, v in SUPERSCRIPTS.items()}
_LOWS = "".join(_LOW)
_HIGHS = "".join(_HIGH)
_TOKEN = re.compile(
    rf"\s*(tr(?=\()|diag(?=\()|‖_F|‖|\^⊙\([^)]*\)|\^⊙\d+|\^\([^)]*\)|_\{{[\d,]+\}}|\d+/\d+|\d+\.\d+(?:e-?\d+)?|\d+e-\d+|\d+|½|𝟏"
    rf"|log det(?=\()|expm1|log1p|[A-Za-zα-ω]+|[{_LOWS}]+|[{_HIGHS}]+|[()\[\],√ᵀ+−/⊙⊘])"
)
_ENTRYWISE: dict[str, Callable[..., Tensor]] = {
    "exp": torch.exp, "log": torch.log, "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "σ": torch.sigmoid,
    "arctan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "relu": torch.relu, "abs": torch.abs,
    "sign": torch.sign, "erf": torch.erf, "sqrt": torch.sqrt, "softplus": torch.nn.functional.softplus,
    "log1p": torch.log1p, "expm1": torch.expm1, "step": lambda x: (x > 0).to(x.dtype),
}  # fmt: skip
_OF_VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: torch.softmax(x, 0), "logsumexp": lambda x: torch.logsumexp(x[:, 0], 0),
    "max": torch.max, "min": torch.min, "prod": torch.prod,
}  # fmt: skip
_OF_MATRICES: dict[str, Callable[[Tensor], Tensor]] = {"det": torch.linalg.det, "log det": torch.logdet}


class Unreadable(Exception):
    """The text has something that this reader doesn't know."""


class Misfit(Unreadable):
    """Shapes that don't fit, so that a constant without a size has another one."""


def tokens(text: str, names: Iterable[str] = ()) -> list[str]:
    """The text in pieces; names of several letters, such as d₂ or mask, are one piece."""
    longer = [re.escape(name) for name in sorted(names, key=len, reverse=True) if len(name) > 1]
    name = re.compile(rf"\s*({'|'.join(longer)})(?![A-Za-zα-ω{_LOWS}])" if longer else r"(?!)")
    found, at = [], 0
    while at < len(text):
        match = name.match(text, at) or _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"{text[at:]!r}")
        found.append(match.group(1))
        at = match.end()
    return found


def readings(text: str, values: Mapping[str, Tensor], sizes: Mapping[str, int]) -> Iterator[Tensor]:
    """What the text says, for every choice of the sizes that it leaves out; `values` has vectors of any layout."""
    if re.search(r"Σ_|δ_|_[a-z]|\)_", text):
        raise Unreadable("has indices")
    if re.search(r"\^⊙?\([^)]*[^\d\s)/.−-]", text):
        raise Unreadable("to a power that is no number")
    columns = {
        text_name(name): v.squeeze() if v.numel() == 1 else v.reshape(-1, 1) if v.dim() == 1 or 1 in v.shape else v
        for name, v in values.items()
    }
    parts = tokens(text, columns)
    made = [k for k, t in enumerate(parts) if t in ("𝟏", "I") or t == "e" or t == "0"]
    if len({*sizes.values()}) ** len(made) > 3000:
        raise Unreadable("too many constants without a size")
    for choice in product([*{*sizes.values()}] or [1], repeat=len(made)):
        try:
            yield _Reading(parts, columns, dict(zip(made, choice, strict=True)), sizes).whole()
        except (Misfit, IndexError, RuntimeError):  # a size that doesn't fit
            continue


class _Reading:
    def __init__(
        self, parts: list[str], values: Mapping[str, Tensor], made: Mapping[int, int], sizes: Mapping[str, int]
    ) -> None:
        self.parts, self.values, self.made, self.sizes = parts, values, made, sizes
        self.at = 0
        self.in_norm = False

    def next(self) -> str:
        return self.parts[self.at] if self.at < len(self.parts) else ""

    def take(self, token: str | None = None) -> str:
        found = self.next()
        if token is not None and found != token:
            raise Unreadable(f"{token} expected, {found} found")
        self.at += 1
        return found

    def whole(self) -> Tensor:
        value = self.sum()
        if self.next():
            raise Unreadable(f"{self.next()} left over")
        return value

    def sum(self) -> Tensor:
        sign = -1.0 if self.next() == "−" and self.take() else 1.0
        total = sign * self.term()
        while self.next() in ("+", "−"):
            sign = 1.0 if self.take() == "+" else -1.0
            total = _added(total, sign * self.term())
        return total

    def term(self) -> Tensor:
        value = self.factors()
        while self.next() in ("/", "⊙", "⊘"):
            operator, right = self.take(), self.factors()
            if operator == "/":
                if right.dim():
                    raise Misfit("division by a vector or matrix")
                value = value / right
            elif value.shape != right.shape and value.dim():
                raise Misfit("entrywise, of two shapes")
            else:
                value = value * right if operator == "⊙" else value / right
        return value

    def factors(self) -> Tensor:
        value = self.scripted()
        while self.next() and self.next() not in (")", "]", ",", "+", "−", "/", "⊙", "⊘", "‖_F"):
            if self.next() == "‖" and self.in_norm:
                break
            value = _multiplied(value, self.scripted())
        return value

    def scripted(self) -> Tensor:
        value = self.atom()
        while True:
            token = self.next()
            if token == "ᵀ":
                self.take()
                if not value.dim():
                    raise Misfit("a scalar transposed")
                value = value.T
            elif token.startswith("^⊙"):
                value = value ** float(_exponent(self.take()[2:].strip("()")))
            elif token.startswith("^(") or (token and all(c in _HIGH for c in token)):
                self.take()
                if token == "⁻" and self.take("ᵀ"):
                    value = _raised(value, Fraction(-1)).T
                    continue
                shown = token[2:-1] if token.startswith("^") else "".join(_HIGH[c] for c in token)
                value = _raised(value, _exponent(shown))
            elif token.startswith("_{") or (token and all(c in _LOW for c in token)):
                self.take()
                places = token[2:-1] if token.startswith("_") else "".join(_LOW[c] for c in token)
                value = value[tuple(self.position(k) for k in (*places.split(","), "1")[:2])]
            else:
                return value

    def atom(self) -> Tensor:
        at, token = self.at, self.take()
        if at in self.made:
            return self.constant(token, self.made[at])
        if token == "(":
            value = self.sum()
            self.take(")")
            return value
        if token in ("tr", "diag"):
            self.take("(")
            value = self.sum()
            self.take(")")
            if token == "tr":
                return torch.trace(value)
            return torch.diag(value[:, 0]) if value.shape[1] == 1 else torch.diagonal(value)[:, None]
        if token == "‖":
            self.in_norm = True
            value = self.sum()
            self.in_norm = False
            kind = self.take()
            if self.next() and all(c in _LOW for c in self.next()):
                raise Unreadable("a norm of another kind")
            if kind not in ("‖", "‖_F") or (kind == "‖_F") != (value.dim() == 2 and value.shape[1] > 1):
                raise Misfit("a norm of another kind")
            return torch.linalg.norm(value)
        if token == "√":
            value = self.atom()
            if value.dim():
                raise Misfit("the root of a matrix")
            return torch.sqrt(value)
        if token == "[":
            return self.listed()
        if token == "½":
            return torch.tensor(0.5, dtype=torch.float64)
        if token[:1].isdecimal():
            return torch.tensor(float(Fraction(token)), dtype=torch.float64)
        if self.next() == "(" and token in {**_ENTRYWISE, **_OF_VECTORS, **_OF_MATRICES}:
            return self.applied(token)
        if token in self.values:
            return self.values[token]
        if token in self.sizes:
            return torch.tensor(float(self.sizes[token]), dtype=torch.float64)
        raise Unreadable(token)

    def applied(self, token: str) -> Tensor:
        """A function's value; of one argument only."""
        self.take("(")
        value = self.sum()
        self.take(")")
        if token in _ENTRYWISE:
            return _ENTRYWISE[token](value)
        if token in _OF_VECTORS and value.dim() == 2 and value.shape[1] == 1:
            return _OF_VECTORS[token](value)
        if token in _OF_MATRICES and value.dim() == 2 and value.shape[0] == value.shape[1]:
            return _OF_MATRICES[token](value)
        raise Misfit(f"{token} of another shape")

    def constant(self, token: str, size: int) -> Tensor:
        if token == "𝟏":
            return torch.ones(size, 1, dtype=torch.float64)
        if token == "I":
            return torch.eye(size, dtype=torch.float64)
        if token == "0":
            return torch.zeros((), dtype=torch.float64)
        places = self.take()
        position = self.position("".join(_LOW.get(c, "?") for c in places))
        if position >= size:
            raise Misfit("a unit vector too long")
        return torch.eye(size, dtype=torch.float64)[:, [position]]

    def position(self, shown: str) -> int:
        """A place counted from 0, printed from 1 or as the letter of a size."""
        if not shown.isdecimal() and shown not in self.sizes:
            raise Unreadable(f"at {shown}")
        return (int(shown) if shown.isdecimal() else self.sizes[shown]) - 1

    def listed(self) -> Tensor:
        entries = [self.sum()]
        while self.next() == ",":
            self.take()
            entries.append(self.sum())
        self.take("]")
        if entries[0].dim():
            return torch.cat([e.reshape(1, -1) for e in entries])
        return torch.stack(entries)[:, None]


def _exponent(shown: str) -> Fraction:
    if not re.fullmatch(r"-?\d+(/\d+|\.\d+)?", shown):
        raise Unreadable(f"to the power {shown}")
    return Fraction(shown)


def _added(a: Tensor, b: Tensor) -> Tensor:
    if a.shape != b.shape:
        raise Misfit("a sum of two shapes")
    return a + b


def _multiplied(a: Tensor, b: Tensor) -> Tensor:
    if not a.dim() or not b.dim():
        return a * b
    if a.shape[1] != b.shape[0]:
        raise Misfit("a matrix product of shapes that don't fit")
    value = a @ b
    return value[0, 0] if value.shape == (1, 1) else value


def _raised(value: Tensor, exponent: Fraction) -> Tensor:
    if not value.dim():
        return value ** float(exponent)
    if exponent.denominator != 1 or value.shape[0] != value.shape[1]:
        raise Misfit("a power of a vector")
    return torch.linalg.matrix_power(value, int(exponent))


def says(
    text: str, right: Tensor, values: Mapping[str, Tensor], sizes: Mapping[str, int], tolerance: float = 1e-8
) -> bool:
    """Whether one reading of the text is this value; a vector counts in any layout."""
    wanted = right.reshape([s for s in right.shape if s != 1])
    for value in readings(text, values, sizes):
        own = value.reshape([s for s in value.shape if s != 1])
        if not own.dim() and wanted.dim() and text.strip("−") == "0":
            own = own.expand(wanted.shape)
        if own.shape == wanted.shape and float((own - wanted).abs().max()) <= tolerance * (
            1 + float(wanted.abs().max())
        ):
            return True
    return False
