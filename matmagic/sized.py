"""Sizes that have to be written: 𝟏_n, I_n and Σ_{i=1}^n where nothing around them says how long they are.

In: a formula.  Out: the formula with marks on those pieces.  The lengths of rows and columns are found as a
reader finds them (reading/shaped.py): from the arguments, the shape of the whole, and what has to fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

from .lengths import Size, letters_in, plus, with_letters
from .notation import (
    INDICES,
    Apply,
    At,
    Blocks,
    Called,
    Chain,
    Column,
    Commutation,
    Counting,
    Diag,
    DiagonalOf,
    Entry,
    Hadamard,
    Holds,
    Identity,
    Indexed,
    Inverse,
    Kronecker,
    Labelled,
    Letter,
    Listed,
    Math,
    MatrixPower,
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
    parts_of,
)
from .printers.levels import beside, compared
from .writing import constant_of

MARKED = (Ones, Identity, SumOver, Over, Zero, Unit, Labelled)  # what can have its size written, the usual ones first


@dataclass(eq=False)
class Length:
    """A number of rows or columns, whether a reader knows it, and what it was found to be equal to."""

    size: Size
    known: bool = False
    same: Length | None = None

    @property
    def root(self) -> Length:
        return self if self.same is None else self.same.root


ONE = Length(1, known=True)
Shape = tuple[Length, Length]
SCALAR = (ONE, ONE)


def sized(math: Math, free: Sequence[Size] = ()) -> Math:
    """The formula, of a value whose shape is known, with sizes marked where they are needed; `free` are the ranges of the
    indices i, j, … on its left.

    >>> from .printers.text import text
    >>> x = Symbol("x", ("n",))
    >>> text(sized(Plus((Ones("n"), x)))), text(sized(Chain((x, Transpose(Ones("m")), Ones("m")))))
    ('𝟏 + x', 'x 𝟏ₘᵀ 𝟏')
    """
    if any(isinstance(piece, Called) and any(map(_is_zero_matrix, piece.args)) for piece in _all(math)):
        raise ValueError("a function of a zero matrix, whose shape 0 doesn't tell")
    if any(isinstance(piece, Over) and any(map(_is_cut_identity, _all(piece))) for piece in _all(math)):
        raise ValueError("rows of an identity whose length only an index says")
    if not any(isinstance(piece, MARKED) for piece in _all(math)):
        return math
    math = _apart(math)
    while (unknown := _Reader(indices=ranges(free)).open(math)) is not None:
        math = _replaced(math, unknown, replace(unknown, sized=True))  # type: ignore[call-arg]
    return math


def _is_zero_matrix(math: Math) -> bool:
    return isinstance(math, Zero) and len(math.shape) > 1


def _is_cut_identity(math: Math) -> bool:
    return isinstance(math, Rows) and isinstance(math.of, Identity)


def ranges(sizes: Sequence[Size]) -> dict[str, Length]:
    """Those of the first indices."""
    return {letter: Length(size, known=True) for letter, size in zip(INDICES, sizes, strict=False)}


def _all(math: Math) -> Iterator[Math]:
    yield math
    for part in parts_of(math):
        yield from _all(part)


def _rebuilt(math: Math, change: Callable[[Math], Math]) -> Math:
    """The piece with its parts changed, each by itself."""

    def inside(own: object) -> object:
        if isinstance(own, tuple):
            return tuple(map(inside, own))
        return change(own) if isinstance(own, Math) else own

    return replace(math, **{f.name: inside(getattr(math, f.name)) for f in fields(math)})


def _apart(math: Math) -> Math:
    """The formula with no piece in two places, as it is written."""
    return _rebuilt(math, _apart)


def _replaced(math: Math, old: Math, new: Math) -> Math:
    return new if math is old else _rebuilt(math, lambda part: _replaced(part, old, new))


@dataclass
class _Reader:
    """What a reader finds out about one formula."""

    pieces: list[tuple[Math, Length]] = field(default_factory=list)  # that could be marked
    products: list[tuple[Length, Length, Length]] = field(default_factory=list)  # a length, and what it is a product of
    stacked: list[Shape] = field(default_factory=list)  # what vec was taken of
    square: list[Shape] = field(default_factory=list)  # if nothing else is said
    indices: dict[str, Length] = field(default_factory=dict)

    def open(self, math: Math) -> Math | None:
        """The first piece whose size is not known."""
        for length in self.shape(math):
            length.root.known = True
        self.settle()
        for length, a, b in self.products:
            sizes = sorted(self.sizes(a, b), key=str)
            fits = [shape for shape in self.stacked if sorted(self.sizes(*shape), key=str) == sizes]
            guessed = length.root.known and not a.root.known and not b.root.known
            if fits and guessed and self.sizes(*fits[0]) == self.sizes(b, a):  # a reader takes the first
                self.unify(a, fits[0][1])
                self.unify(b, fits[0][0])
        for rows, columns in self.square:
            if rows.root.size == columns.root.size:
                self.unify(rows, columns)
        self.settle()
        unknown = [piece for piece, length in self.pieces if not length.root.known]
        return min(unknown, key=lambda piece: [isinstance(piece, kind) for kind in MARKED].index(True), default=None)

    @staticmethod
    def sizes(*lengths: Length) -> list[Size]:
        return [length.root.size for length in lengths]

    def unify(self, a: Length, b: Length) -> None:
        """Both are equal: what is known of one is known of the other."""
        a, b = a.root, b.root
        if a is not b and ONE not in (a, b):
            a.same = b
            b.known = a.known or b.known

    def settle(self) -> None:
        """Two of a · b = c give the third; a · a = c gives a."""
        before = -1
        while before != (before := sum(length.root.known for row in self.products for length in row)):
            for whole, a, b in self.products:
                known = [length.root.known for length in (whole, a, b)]
                if sum(known) == 2 or (known[0] and a.root is b.root):
                    for length in (whole, a, b):
                        length.root.known = True

    def times(self, a: Length, b: Length) -> Length:
        if ONE in (a.root, b.root):
            return a if b.root is ONE else b
        whole = Length(f"{a.root.size}·{b.root.size}")
        self.products.append((whole, a, b))
        return whole

    def open_length(self, piece: Math, size: Size, known: bool = False) -> Length:
        """A length that only its surroundings say, unless it is written."""
        length = Length(size, known or bool(getattr(piece, "sized", False)))
        self.pieces.append((piece, length))
        return length

    def alike(self, shapes: Sequence[Shape]) -> Shape:
        """Sums and what is taken entry by entry: one shape, and scalars."""
        wide = [shape for shape in shapes if shape != SCALAR]
        for other in wide[1:]:
            for a, b in zip(wide[0], other, strict=True):
                self.unify(a, b)
        return wide[0] if wide else SCALAR

    def product(self, shapes: Sequence[Shape]) -> Shape:
        whole = SCALAR
        for shape in shapes:
            if SCALAR in (whole, shape):
                whole = shape if whole == SCALAR else whole
            else:
                self.unify(whole[1], shape[0])
                whole = (whole[0], shape[1])
        return whole

    def bound(self, letters: Sequence[str], lengths: Sequence[Length], of: Sequence[Math]) -> list[Shape]:
        """What is inside Σ_ij, where these letters have a meaning of their own."""
        outer = dict(self.indices)
        self.indices |= dict(zip(letters, lengths, strict=True))
        shapes = [self.shape(part) for part in of]
        self.indices = outer
        return shapes

    def at(self, shape: Sequence[Length], indices: Sequence[Size]) -> None:
        """An index runs as far as the axis that it stands at."""
        for length, index in zip(shape, indices, strict=False):
            own = [letter for letter in letters_in(index) if letter in self.indices]
            if len(own) != 1:
                continue
            index_range = self.indices[own[0]].root
            last = _put_in(index, own[0], index_range.size)
            if last == length.root.size and index == own[0]:
                self.unify(index_range, length)
            elif last == length.root.size and length.root.known:
                index_range.known = True

    def shape(self, math: Math) -> Shape:
        """Rows and columns of a piece."""
        match math:
            case Num() | Letter() | Zero():
                return SCALAR
            case Symbol(shape=sizes):
                rows, columns = (*(Length(size, known=True) for size in sizes[:2]), ONE, ONE)[:2]
                return (rows, columns) if len(sizes) < 3 else SCALAR
            case Ones(size=size):
                return self.open_length(math, size), ONE
            case Identity(size=size):
                length = self.open_length(math, size)
                return length, length
            case Unit(size=size, position=position):
                last = (
                    isinstance(position, str) and plus(position, 1) == size
                )  # e_n has n entries if nothing else is said
                return self.open_length(math, size, last), ONE
            case Transpose(of=of) | Inverse(of=of, pseudo=True):
                return self.shape(of)[::-1]
            case Chain(parts=parts):
                return self.product([self.shape(part) for part in parts])
            case Times(parts=parts):
                return self.product([self.shape(part) for part in parts])
            case Apply(function="where", args=(Apply(function="step", args=(inner,)), *choices)):
                left, _, right = compared(inner)
                return self.alike([self.shape(part) for part in (left, right, *beside(tuple(choices)))])
            case Apply(function="pow", args=(base, exponent)):
                return self.alike([self.shape(base), self.shape(constant_of(exponent))])
            case Apply(args=parts):
                return self.alike([self.shape(part) for part in beside(parts)])
            case Plus(parts=parts) | Hadamard(parts=parts):
                return self.alike([self.shape(part) for part in parts])
            case Quotient(top=top, bottom=bottom):
                return self.alike([self.shape(top), self.shape(bottom)])
            case Pow(base=of):
                return self.shape(of)
            case MatrixPower(of=of) | Inverse(of=of):
                return self.squared(of)
            case Trace(of=of):
                self.squared(of)
                return SCALAR
            case DiagonalOf(of=of):
                return self.squared(of)[0], ONE
            case Diag(of=of):
                rows, _ = self.shape(of)
                return rows, rows
            case Triangular(of=of):
                self.square.append(self.shape(of))
                return self.square[-1]
            case Kronecker(left=left, right=right):
                a, b = self.shape(left), self.shape(right)
                return self.times(a[0], b[0]), self.times(a[1], b[1])
            case Vec(of=of):
                rows, columns = self.shape(of)
                self.stacked.append((rows, columns))
                return self.times(columns, rows), ONE
            case Commutation(rows=m, columns=n):
                self.stacked.insert(0, (Length(n, known=True), Length(m, known=True)))
                length = self.times(*self.stacked[0])
                return length, length
            case Counting(size=size):
                return Length(size, known=True), ONE
            case Blocks(parts=parts, size=size, beside=turn):
                turned = [self.shape(part)[:: -1 if turn else 1] for part in parts]
                for other in turned[1:]:
                    self.unify(turned[0][1], other[1])
                whole = Length(size, known=True), turned[0][1]
                return whole[::-1] if turn else whole
            case Listed(parts=parts):
                entries = [self.shape(part) for part in parts]
                return Length(len(parts), known=True), entries[0][0] if isinstance(parts[0], Listed) else ONE
        return self.indexed(math)

    def squared(self, of: Math) -> Shape:
        shape = self.shape(of)
        self.unify(*shape)
        return shape

    def indexed(self, math: Math) -> Shape:
        """What has indices, ranges or arguments."""
        match math:
            case At(of=Identity()):
                return SCALAR
            case At(of=Symbol(shape=sizes), indices=indices):
                self.at([Length(size, known=True) for size in sizes], indices)
            case At(of=of, indices=indices):
                self.at(self.shape(of), indices)
            case SumOver(indices=letters, sizes=sizes, of=of):
                lengths = [self.open_length(math, size) for size in sizes]
                self.bound(letters, lengths, [of])
            case Over(index=letter, size=size, args=args, vector=vector):
                length = self.open_length(math, size)
                self.bound([letter], [length], args)
                inside = length.root is not length or length.known  # what is outside doesn't say how far it runs
                return (length if inside else Length(size), ONE) if vector else SCALAR
            case Rows(of=Identity(size=size) as of, count=count) if plus(self.last(math), 1) == size:
                _, length = self.shape(of)
                length.root.known = True  # it has as many rows as are needed
                return Length(count, known=True), length
            case Rows(of=of, count=count):
                return Length(count, known=True), self.shape(of)[1]
            case Column(of=of):
                return self.shape(of)[0], ONE
            case Labelled(labels=labels, shape=sizes):
                return self.labelled(math, self.shape(labels), sizes)
            case Called(args=(Zero(shape=(size,)) as zero,), shape=sizes):
                return self.given([(self.open_length(zero, size), ONE)], sizes)
            case Called(args=args, shape=sizes):
                return self.given([self.shape(arg) for arg in args], sizes)
            case Entry() | Holds() | Indexed():
                self.entries(math)
            case _:
                for part in parts_of(math):
                    self.shape(part)
        return SCALAR

    def entries(self, math: Math) -> None:
        if isinstance(math, Indexed):
            outer, self.indices = self.indices, {str(label): Length(size) for label, size in math.sizes}
            for factor, labels in math.factors:
                own = [Length(size, known=True) for size in factor.shape] if isinstance(factor, Symbol) else None
                self.at(own or self.shape(factor), [f"{label}" for label in labels])
            self.indices = outer
        else:
            for part in parts_of(math):
                self.shape(part)

    def given(self, args: Sequence[Shape], sizes: Sequence[Size]) -> Shape:
        """What a function of whole vectors and matrices gives: the lengths of its argument where they are the same."""
        own = [length for shape in args for length in shape]
        known = all(length.root.known for length in own)
        found = [next((a for a in own if a.root.size == size and a is not ONE), Length(size, known)) for size in sizes]
        if len(sizes) == 2 and len(args) == 1 and self.sizes(*args[0]) == list(sizes):
            found = list(args[0])
        return found[0] if found else ONE, found[1] if len(found) == 2 else ONE

    def labelled(self, math: Labelled, labels: Shape, sizes: Sequence[Size]) -> Shape:
        """e_y and onehot(y), as long as what the label was found in."""
        inner = math.labels
        chosen = isinstance(inner, Called) and inner.function in ("argmax", "argmin")
        length = self.open_length(math, sizes[-1]) if len(sizes) == 2 and not chosen else Length(sizes[-1])
        if chosen and isinstance(inner, Called):
            length = self.shape(inner.args[0])[len(sizes) - 1]
        return (labels[0], length) if len(sizes) == 2 else (length, ONE)

    @staticmethod
    def last(rows: Rows) -> Size:
        """The last of the chosen rows, from 0."""
        return plus(rows.start, plus(rows.count, -1), rows.step)


def _put_in(index: Size, letter: str, size: Size) -> Size:
    """The index where its letter has this value."""
    return with_letters(index, lambda own: size if own == letter else own)
