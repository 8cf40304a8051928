"""Pieces of torch code with the forms of their values, and the tensors that code makes itself.

In notation every vector is a column; a user's vector may be 1-D (`n`), a column (`n,1`) or a row (`1,n`).  Each piece of
code therefore carries its form, and pieces of different forms are brought together where they meet.  Tensors that are
made (ones, I) take dtype and device from an argument, so that code gives float32 for float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..expr import Number
from ..lengths import Size
from ..notation import Counting, Identity, Labelled, Math, Ones, Unit, Zero, rank
from .torch_parts import ATOM, PRODUCT, UNARY, Axes, Piece, Shapes, number_code, outside, position_code, size_code

# forms: a scalar of shape (), (1,) or (1, 1); a vector of shape (n,), (n, 1) or (1, n); a matrix
SCALAR, ONE, ONE_BY_ONE, FLAT, COLUMN, ROW, MATRIX = "()", "1", "1,1", "n", "n,1", "1,n", "m,n"
SCALARS = (SCALAR, ONE, ONE_BY_ONE)
TURNED = {MATRIX: MATRIX, COLUMN: ROW, ROW: COLUMN}
TRUTH = ".double()"  # makes numbers of truth values and labels


@dataclass(frozen=True)
class Code(Piece):
    """A torch expression, how tightly it binds, and the form of its value."""

    form: str

    @property
    def bare(self) -> str | None:
        """The expression of which this is the transpose, as it is written."""
        return self.text.removesuffix(".T") if self.level == ATOM and self.text.endswith(".T") else None

    def method(self, call: str, form: str) -> Code:
        return Code(f"{self.at_least(ATOM)}{call}", ATOM, form)

    @property
    def is_truth(self) -> bool:
        """Whether it is nothing but truth values or labels as numbers."""
        return self.level == ATOM and self.text.endswith(TRUTH)

    def without_dtype(self) -> Code:
        """Truth values as they are, where what they meet makes numbers of them."""
        return replace(self, text=self.text.removesuffix(TRUTH)) if self.is_truth else self


def form_of(axes: Axes) -> str:
    """The form of a tensor whose axes are made of these node axes; ValueError for a flattened or higher one."""
    pattern = tuple(len(group) for group in axes)
    forms = {(): SCALAR, (0,): ONE, (0, 0): ONE_BY_ONE, (1,): FLAT, (1, 0): COLUMN, (0, 1): ROW, (1, 1): MATRIX}
    if pattern not in forms:
        raise ValueError(f"no form for axes {axes}")
    return forms[pattern]


def typed(code: str, like: str) -> str:
    """The code with the dtype and device of an argument for what it makes of numbers and truth values.

    >>> typed("(x > 0).double() + torch.tensor(2.0)", "x")
    '(x > 0).to(x) + x.new_tensor(2.0)'
    """
    return code.replace(TRUTH, f".to({like})").replace("torch.tensor(", f"{like}.new_tensor(") if like else code


def number(value: Number) -> Code:
    """A number, which broadcasts."""
    piece = number_code(value)
    return Code(piece.text, piece.level, SCALAR)


def factor(code: Code, k: int) -> str:
    """The k-th factor of *: only a first one may itself be a product, and not a matrix product."""
    return code.at_least(PRODUCT if k == 0 and " @ " not in outside(code.text) else UNARY)


class Forms:
    """What every part of the printer needs; `like` is the argument that made tensors take dtype and device from."""

    def __init__(self, inputs: Mapping[str, Axes], shapes: Shapes, like: str) -> None:
        self.inputs, self.shapes, self.like = inputs, shapes, like

    def code(self, math: Math) -> Code:
        """The code of a piece."""
        raise NotImplementedError

    # ---- forms

    def to(self, code: Code, form: str) -> Code:
        """The same values in another form."""
        if code.form == form:
            return code
        match code.form, form:
            case (_, "()"):
                return code.method(".squeeze()", form)
            case ("()" | "1", "1,1"):
                return code.method(".reshape(1, 1)", form)
            case ("()" | "1,1", "1"):
                return code.method(".reshape(1)", form)
            case ("n,1", "n"):
                return code.method(".squeeze(1)", form)
            case ("1,n", "n"):
                return code.method(".squeeze(0)", form)
            case ("n", "n,1"):
                return code.method("[:, None]", form)
            case ("n", "1,n"):
                return code.method("[None, :]", form)
            case ("n,1", "1,n") | ("1,n", "n,1"):
                return code.method(".T", form)
        raise ValueError(f"no way from {code.form} to {form}")

    def together(self, codes: Sequence[Code]) -> list[Code]:
        """Pieces of one rank in one form: the first one's, 1-D where a 1-D one is among them."""
        forms = [c.form for c in codes]
        wanted = next((f for f in (FLAT, SCALAR) if f in forms), forms[0])
        return [self.to(c, wanted) for c in codes]

    def fitting(self, scalar: Code, form: str) -> Code:
        """A scalar that may stand beside a value of this form."""
        wide = {ONE_BY_ONE: (FLAT, ONE, SCALAR), ONE: (SCALAR,)}.get(scalar.form, ())
        return self.to(scalar, SCALAR) if form in wide else scalar

    def transposed(self, code: Code) -> Code:
        if code.form == FLAT:
            return self.to(code, ROW)
        if code.bare is not None:
            return Code(code.bare, ATOM, TURNED[code.form])
        return code.method(".T", TURNED[code.form])

    def times(self, codes: Sequence[Code]) -> Code:
        """Scalars times anything; a matrix product is negated as a whole, which is less than its first factor."""
        *scalars, body = codes
        forms = [c.form for c in codes]
        form = body.form if body.form not in SCALARS else SCALAR if SCALAR in forms[1:] else body.form
        fitted = [self.fitting(s, form) for s in (*scalars, body)]
        if fitted[0].text == "-1":
            rest = self.times(fitted[1:]) if len(fitted) > 2 else fitted[1]
            return Code(f"-{factor(rest, 0)}", PRODUCT, form)
        return Code(" * ".join(factor(c, k) for k, c in enumerate(fitted)), PRODUCT, form)

    def entry(self, code: Code, at: Sequence[str]) -> Code:
        places = {COLUMN: (*at, "0"), ROW: ("0", *at)}.get(code.form, at)
        return code.method(f"[{', '.join(places)}]", SCALAR)

    # ---- made tensors

    def size(self, size: Size) -> str:
        """A size as code: x.shape[0]."""
        return size_code(size, self.shapes).text

    def shaped_like(self, shape: tuple[Size, ...]) -> str | None:
        """An argument with just this shape."""
        names = sorted(self.shapes, key=lambda name: name != self.like)
        return next((name for name in names if tuple(self.shapes[name]) == shape), None)

    def filled(self, kind: str, shape: tuple[Size, ...], form: str) -> Code:
        """Ones or zeros."""
        own = self.like if self.like and tuple(self.shapes[self.like]) == shape else None
        like = own or (None if self.like else self.shaped_like(shape))
        if like and shape:
            return Code(f"torch.{kind}_like({like})", ATOM, form)
        sizes = ", ".join(map(self.size, shape)) or "()"
        return Code(f"{self.like}.new_{kind}({sizes})" if self.like else f"torch.{kind}({sizes})", ATOM, form)

    def eye(self, size: Size) -> str:
        own = f"torch.eye({self.size(size)})"
        return f"{own}.to({self.like})" if self.like else own

    def made(self, math: Math) -> Code:
        """Vectors and matrices that are made, of ones, zeros, rows of I."""
        match math:
            case Ones(size=size):
                column = self.shaped_like((size, 1)) if not self.shaped_like((size,)) else None
                return self.filled("ones", (size, 1) if column else (size,), COLUMN if column else FLAT)
            case Zero(shape=shape):
                return self.filled("zeros", shape, {0: SCALAR, 1: FLAT, 2: MATRIX}.get(len(shape), "tensor"))
            case Identity(size=size):
                return Code(self.eye(size), ATOM, MATRIX)
            case Unit(size=size, position=k):
                return Code(f"{self.eye(size)}[{position_code(k, size, self.shapes)}]", ATOM, FLAT)
            case Counting(size=size):
                own = size_code(size, self.shapes)
                text = f"torch.arange({own.text}).to({self.like})" if self.like else None
                return Code(text or f"torch.arange(1.0 * {own.at_least(UNARY)})", ATOM, FLAT)
            case Labelled(labels=labels, shape=shape):
                own = self.to(self.code(labels), FLAT if rank(labels) else SCALAR)
                text = f"F.one_hot({own.at_least(ATOM)}.long(), {self.size(shape[-1])}){TRUTH}"
                return Code(text, ATOM, (FLAT, MATRIX)[rank(labels)])
        raise TypeError(type(math).__name__)
