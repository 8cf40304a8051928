"""Matrix products in torch code: vectors before matrices, solving instead of inverting, broadcasting instead of diag.

`A.T @ (A @ x)` and not `A.T @ A @ x`, which would form AᵀA; `v[:, None] * A` for diag(v) A; `.sum(1)` for A 𝟏;
`torch.linalg.solve(A, b)` for A⁻¹ b, unless the inverse itself is needed beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from ..notation import Chain, Diag, Inverse, Math, Ones, Quotient, Times, Transpose, Unit, is_row, rank
from ..writing import transpose
from .plans import inverses_needed, runs_of
from .torch_forms import COLUMN, FLAT, MATRIX, ONE_BY_ONE, ROW, SCALAR, Code, Forms, factor, number
from .torch_parts import ATOM, POWER, PRODUCT, SUM, Axes, Shapes, outside, position_code, size_code


class Products(Forms):
    """The part of the printer that writes matrix products."""

    def __init__(self, inputs: Mapping[str, Axes], shapes: Shapes, like: str, whole: Math) -> None:
        super().__init__(inputs, shapes, like)
        self.needed = inverses_needed(whole)
        self.costly: set[str] = set()  # code that takes as long as a product of matrices

    def chain(self, parts: Sequence[Math]) -> Code:
        """A matrix product, split where a column meets a row: scalars, then an outer product or one run of @."""
        runs = runs_of(parts)
        scalars = [r for r in runs if is_row(r[0]) and rank(r[-1]) == 1]
        others = [r for r in runs if r not in scalars]
        codes = [self.run(r) for r in scalars]
        if len(others) == 2:
            codes.append(self.outer(*others))
        elif others:
            codes.append(self.run(others[0]))
        return codes[0] if len(codes) == 1 else self.times(codes)

    def outer(self, left: Sequence[Math], right: Sequence[Math]) -> Code:
        """u vᵀ; u 𝟏ᵀ repeats columns."""
        turned = [transpose(p) for p in reversed(right)]
        ends = [own[0] if len(own) == 1 and isinstance(own[0], Ones) else None for own in (left, turned)]
        match ends:
            case Ones(size=rows), Ones(size=columns):
                return self.filled("ones", (rows, columns), MATRIX)
            case Ones(size=rows), None:
                return self.repeated(self.run(turned), ROW, f"{self.size(rows)}, -1")
            case None, Ones(size=columns):
                return self.repeated(self.run(left), COLUMN, f"-1, {self.size(columns)}")
        column, row = self.run(left), self.run(turned)
        if COLUMN in (column.form, row.form):
            column, row = self.to(column, COLUMN), self.transposed(self.to(row, COLUMN))
            return Code(f"{column.at_least(PRODUCT)} @ {row.at_least(POWER)}", PRODUCT, MATRIX)
        return Code(f"torch.outer({self.to(column, FLAT).text}, {self.to(row, FLAT).text})", ATOM, MATRIX)

    def repeated(self, vector: Code, form: str, sizes: str) -> Code:
        own = vector if form == ROW and vector.form == FLAT else self.to(vector, form)
        return own.method(f".expand({sizes})", MATRIX)

    def spread(self, math: Math) -> Code | None:
        """What broadcasts to a vector or matrix: c for c 𝟏, v for 𝟏 vᵀ; None for what has entries of its own."""
        match math:
            case Ones() | Chain(parts=(Ones(), Transpose(of=Ones()))):
                return number(Fraction(1))
            case Chain(parts=(Ones(), Transpose(of=vector))) if rank(vector) == 1:
                code = self.code(vector)
                return code if code.form == FLAT else self.to(code, ROW)
            case Chain(parts=(vector, Transpose(of=Ones()))) if rank(vector) == 1 and not is_row(vector):
                return self.to(self.code(vector), COLUMN)
            case Times(parts=(*scalars, body)):
                inner = self.spread(body)
                codes = [self.code(s) for s in scalars]
                codes += [] if inner is None or inner.text == "1" else [inner]
                return None if inner is None else self.times(codes) if codes[1:] else codes[0]
            case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
                inner, below = self.spread(top), self.code(bottom)
                if inner is None:
                    return None
                below = self.fitting(below, inner.form)
                return Code(f"{inner.at_least(PRODUCT)} / {below.at_least(POWER)}", PRODUCT, inner.form)
        return None

    # ---- one run of factors

    def run(self, parts: Sequence[Math]) -> Code:
        """A product in which a row stands first only and a column last only."""
        if len(parts) == 1:
            return self.code(parts[0])
        row, column = is_row(parts[0]), rank(parts[-1]) == 1
        if row and column:
            return self.inner(parts)
        if row:
            return self.row(parts)
        return self.column(parts) if column else self.matrices(parts)

    def column(self, parts: Sequence[Math]) -> Code:
        """M … N v, from the right."""
        *matrices, last = parts
        code = self.taken(matrices.pop(), last, 1) if matrices and self.takes(matrices[-1], last) else self.code(last)
        code = self.to(code, COLUMN) if code.form == ROW else code
        for matrix in reversed(matrices):
            inside = self.solved_for(matrix, formed=())
            if isinstance(matrix, Diag):
                codes = self.together([self.code(matrix.of), code])
                code = Code(" * ".join(factor(c, k) for k, c in enumerate(codes)), PRODUCT, codes[0].form)
            elif inside is not None:
                code = self.solve(inside, code)
            else:
                code = Code(f"{self.operand(self.code(matrix))} @ {code.at_least(POWER)}", PRODUCT, code.form)
        return code

    def row(self, parts: Sequence[Math]) -> Code:
        """vᵀ M … N, from the left."""
        first, *matrices = parts
        if any(self.solved_for(m) is not None or isinstance(m, Diag) for m in matrices):
            code = self.column([transpose(p) for p in reversed(parts)])
            return code if code.form == FLAT else self.transposed(code)
        vector = transpose(first)
        taken = self.takes(matrices[0], vector)
        code = self.taken(matrices.pop(0), vector, 0) if taken else self.code(vector)
        code = code if code.form == FLAT else self.to(code, ROW)
        text = " @ ".join([self.operand(code), *(self.code(m).at_least(POWER) for m in matrices)])
        return Code(text, PRODUCT, code.form) if matrices else code

    def inner(self, parts: Sequence[Math]) -> Code:
        """xᵀ M … y; where one end is 𝟏 the sum of the entries of what is left."""
        first, *matrices, last = parts
        vector = transpose(first)
        if not isinstance(vector, Ones):
            if isinstance(last, Ones):
                return self.inner([transpose(p) for p in reversed(parts)])
            return self.bilinear(vector, matrices, last)
        if not isinstance(last, Ones):
            return self.column(parts[1:]).method(".sum()", SCALAR)
        if not matrices:
            size = size_code(last.size, self.shapes)
            return Code(size.text, size.level, SCALAR)
        return (self.code(matrices[0]) if len(matrices) == 1 else self.column(parts[1:])).method(".sum()", SCALAR)

    def bilinear(self, left: Math, matrices: Sequence[Math], right: Math) -> Code:
        matrices = list(matrices)
        if not matrices and isinstance(left, Unit | Ones):
            left, right = right, left
        if not matrices and isinstance(right, Unit):
            return self.entry(self.code(left), [self.at(right)])
        if any(self.solved_for(m) is not None or isinstance(m, Diag) for m in matrices):
            codes = [self.code(left), self.column([*matrices, right])]
        else:
            back = self.taken(matrices.pop(), right, 1) if matrices and self.takes(matrices[-1], right) else None
            front = self.taken(matrices.pop(0), left, 0) if matrices and self.takes(matrices[0], left) else None
            codes = [front or self.code(left), *map(self.code, matrices), back or self.code(right)]
            if len(codes) == 2 and isinstance(left, Unit) and front is None:
                return self.entry(codes[1], [self.at(left)])
        flat = FLAT in (codes[0].form, codes[-1].form)
        front = self.to(codes[0], FLAT) if flat else self.transposed(self.to(codes[0], COLUMN))
        back = self.to(codes[-1], FLAT if flat else COLUMN)
        text = " @ ".join([self.operand(front), *(c.at_least(POWER) for c in (*codes[1:-1], back))])
        return Code(text, PRODUCT, SCALAR if flat else ONE_BY_ONE)

    def matrices(self, parts: Sequence[Math]) -> Code:
        """A product of matrices; an inverse is solved for what stands beside it, a diagonal one scales."""
        parts = list(parts)
        if len(parts) == 1:
            return self.code(parts[0])
        match parts:
            case [Diag(of=of), *rest]:
                return self.scaled(self.to(self.code(of), COLUMN), self.matrices(rest))
            case [*rest, Diag(of=of)]:
                return self.scaled(self.matrices(rest), self.as_row(self.code(of)))
        for k, part in enumerate(parts):
            inside = self.solved_for(part)
            if inside is not None:
                right = self.matrices(parts[k + 1 :] or parts[:k])
                side = ", left=False" if k == len(parts) - 1 else ""
                solved = self.solve(inside, right, side)
                return self.multiplied([*map(self.code, parts[:k]), solved]) if parts[k + 1 :] else solved
        codes: list[Code] = []
        for part in parts:
            if isinstance(part, Diag):
                codes[-1] = self.scaled(codes[-1], self.as_row(self.code(part.of)))
            else:
                codes.append(self.code(part))
        return self.multiplied(codes)

    def multiplied(self, codes: Sequence[Code]) -> Code:
        text = " @ ".join(self.operand(c) if k == 0 else c.at_least(POWER) for k, c in enumerate(codes))
        self.costly.add(text)
        return Code(text, PRODUCT, MATRIX)

    def solve(self, matrix: Math, right: Code, side: str = "") -> Code:
        code = Code(f"torch.linalg.solve({self.code(matrix).text}, {right.text}{side})", ATOM, right.form)
        self.costly.add(code.text)
        return code

    # ---- factors

    def operand(self, code: Code) -> str:
        """The first factor of @: a product there is one of matrices."""
        bare = " * " not in outside(code.text) and not (code.form == MATRIX and code.text.startswith("-"))
        return code.at_least(PRODUCT if bare else POWER)

    def scaled(self, left: Code, right: Code) -> Code:
        return Code(f"{factor(left, 0)} * {factor(right, 1)}", SUM, MATRIX)

    def as_row(self, vector: Code) -> Code:
        """A vector that scales columns."""
        return vector if vector.form == FLAT else self.to(vector, ROW)

    def takes(self, matrix: Math, vector: Math) -> bool:
        """Whether M 𝟏 is written as sums, and M e_k as a column."""
        return isinstance(vector, Ones | Unit) and self.solved_for(matrix) is None

    def taken(self, matrix: Math, vector: Math, axis: int) -> Code:
        """M v (axis 1) or vᵀ M: sums of rows or columns, or one of them."""
        code = self.code(matrix)
        own, axis = (code, axis) if code.bare is None else (Code(code.bare, ATOM, MATRIX), 1 - axis)
        return own.method(f"[{':, ' * axis}{self.at(vector)}]" if isinstance(vector, Unit) else f".sum({axis})", FLAT)

    def at(self, unit: Unit) -> str:
        return position_code(unit.position, unit.size, self.shapes)

    def solved_for(self, matrix: Math, formed: Collection[Math] | None = None) -> Math | None:
        """A for A⁻¹ that is not among those formed, which are the ones needed; for a vector solving is always shorter."""
        bare = matrix.of if isinstance(matrix, Transpose) else matrix
        formed = self.needed if formed is None else formed
        if not isinstance(bare, Inverse) or bare.pseudo or bare in formed:
            return None
        return bare.of if bare is matrix else transpose(bare.of)
