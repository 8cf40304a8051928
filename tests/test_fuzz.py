"""Random functions: each derivative's code against autograd, notation that prints, identities that equal f.

A function is source text with shapes of its arguments, so that one that fails can be read and run by hand.  `build` is
given a way to choose: hypothesis shrinks what it finds, and a plain random generator goes through thousands:
    python tests/test_fuzz.py SEED SECONDS
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from corefixtures import (
    Written,
    difference,
    formula_of,
    laid_out,
    match_of,
    run_code,
    squeezed,
    statement,
    traced,
    truth,
    value_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from printedtext import Unreadable, says

from matmagic.errors import TraceError
from matmagic.notation import Indexed
from matmagic.printers.latex import latex
from matmagic.printers.text import text

Shape = tuple[str | int, ...]
Choose = Callable[[Sequence[str]], str]

ARGUMENTS: dict[str, tuple[Shape, ...]] = {
    "x": (("n",), ("n", 1), (1, "n")),
    "y": (("n",), ("n", 1)),
    "z": (("m",), ("m", 1), (1, "m")),
    "A": (("m", "n"),),
    "B": (("n", "n"),),
    "C": (("n", "m"),),
    "X": (("m", "n"), ("n", "n")),
    "t": ((),),
}


@dataclass
class _Builder:
    choose: Choose
    shapes: dict[str, Shape]
    pool: dict[str, Shape] = field(default_factory=dict)

    def one(self, options: Sequence[str]) -> str:
        return self.choose(options)

    def named(self, shape: Shape) -> list[str]:
        return [name for name, own in {**self.shapes, **self.pool}.items() if own == shape]

    def leaf(self, shape: Shape) -> str:
        names = self.named(shape)
        if names:
            return self.one(names)
        match shape:
            case (str() as a, str() as b) if a == b:
                return self.one([f"torch.eye({self.size(a)})", f"torch.outer({self.leaf((a,))}, {self.leaf((b,))})"])
            case (str() as a, str() as b):
                other = self.named((b, a))
                return f"{self.one(other)}.T" if other else f"torch.outer({self.leaf((a,))}, {self.leaf((b,))})"
            case (str() as a,):
                if self.named((a, 1)):
                    return f"{self.one(self.named((a, 1)))}.squeeze(1)"
                if self.named((1, a)):
                    return f"{self.one(self.named((1, a)))}[0]"
                return f"torch.ones({self.size(a)})"
            case (str() as a, 1):
                return f"{self.leaf((a,))}[:, None]"
            case (1, str() as a):
                return f"{self.leaf((a,))}[None, :]"
        return self.one(["2.0", "0.5", "3"])

    def size(self, letter: str) -> str:
        for name, shape in self.shapes.items():
            if letter in shape:
                return f"{name}.shape[{shape.index(letter)}]"
        raise KeyError(letter)

    def letter(self) -> str:
        return self.one(sorted({s for shape in self.shapes.values() for s in shape if isinstance(s, str)}))

    def any_vector(self) -> Shape:
        return (self.letter(),)

    def expression(self, shape: Shape, depth: int) -> str:
        """An expression of this shape, in parentheses where it isn't an atom."""
        if depth <= 0:
            return self.leaf(shape)
        common = ["leaf", "add", "sub", "times", "scaled", "square", "neg"]
        if depth > 1:
            common += ["ratio", "cube", "root", "shifted"]
        if not shape:
            kinds = [
                *common,
                "dot",
                "dot",
                "form",
                "form",
                "sum",
                "trace",
                "norm",
                "mean",
                "einsum",
                "entry",
                "loop",
                "matrix norm",
            ]
        elif len(shape) == 1:
            kinds = [
                *common,
                "map",
                "map",
                "left map",
                "row sum",
                "column sum",
                "diagonal",
                "flatten",
                "einsum",
                "stack",
                "row",
            ]
        elif 1 in shape:
            kinds = [*common, "map", "map", "lift", "transpose", "keepdim"]
        else:
            kinds = [*common, "product", "product", "transpose", "outer", "column row", "diag", "einsum", "rows scaled"]
            kinds += ["row added", "identity"]
        kind = self.one(kinds)
        return getattr(self, "_" + kind.replace(" ", "_"))(shape, depth - 1)

    # ---- of any shape

    def _leaf(self, shape: Shape, _: int) -> str:
        return self.leaf(shape)

    def _add(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} + {self.expression(shape, d)})"

    def _sub(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} - {self.expression(shape, d)})"

    def _times(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} * {self.expression(shape, d)})"

    def _scaled(self, shape: Shape, d: int) -> str:
        left = self.one(["2", "0.5", "-3", "1.5", "S"])
        return f"({left if left != 'S' else self.expression((), d)} * {self.expression(shape, d)})"

    def _square(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} ** 2)"

    def _cube(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} ** {self.one(['3', '5', '4'])})"

    def _neg(self, shape: Shape, d: int) -> str:
        return f"(-{self.expression(shape, d)})"

    def _ratio(self, shape: Shape, d: int) -> str:
        below = self.one(["scalar", "entries", "number"])
        if below == "number":
            return f"({self.expression(shape, d)} / {self.one(['2', '3', '7'])})"
        return (
            f"({self.expression(shape, d)} / (1 + {self.expression(shape if below == 'entries' else (), d - 1)} ** 2))"
        )

    def _root(self, shape: Shape, d: int) -> str:
        return f"torch.sqrt(1 + {self.expression(shape, d)} ** 2)"

    def _shifted(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} {self.one(['+', '-'])} {self.one(['1', '0.5', '2'])})"

    # ---- scalars

    def _dot(self, _: Shape, d: int) -> str:
        way = self.one(["flat", "flat", "dot", "times", "columns", "norm"])
        if way == "columns":
            a = self.letter()
            return f"({self.expression((a, 1), d)}.T @ {self.expression((a, 1), d)}).squeeze()"
        v = self.any_vector()
        left = self.expression(v, d)
        right = self.expression(v, d)
        if way == "dot":
            return f"torch.dot({left}, {right})"
        if way == "norm":
            return f"({left} ** 2).sum()"
        return f"({left} * {right}).sum()" if way == "times" else f"({left} @ {right})"

    def _form(self, _: Shape, d: int) -> str:
        a, b = self.letter(), self.letter()
        d -= 1
        return f"({self.expression((a,), d)} @ {self.expression((a, b), d)} @ {self.expression((b,), d)})"

    def _sum(self, _: Shape, d: int) -> str:
        shape = self.one(["v", "M", "M"])
        inner = self.any_vector() if shape == "v" else (self.letter(), self.letter())
        return f"{self.expression(inner, d)}.sum()"

    def _mean(self, _: Shape, d: int) -> str:
        return self._sum((), d).removesuffix(".sum()") + ".mean()"

    def _trace(self, _: Shape, d: int) -> str:
        a = self.letter()
        return f"torch.trace({self.expression((a, a), d)})"

    def _norm(self, _: Shape, d: int) -> str:
        return f"torch.norm({self.expression(self.any_vector(), d)})"

    def _matrix_norm(self, _: Shape, d: int) -> str:
        return f"torch.linalg.norm({self.expression((self.letter(), self.letter()), d)})"

    def _entry(self, _: Shape, d: int) -> str:
        if self.one(["vector", "matrix"]) == "vector":
            return f"{self.expression(self.any_vector(), d)}[{self.one(['0', '1', '2'])}]"
        return (
            f"{self.expression((self.letter(), self.letter()), d)}[{self.one(['0', '1', '2'])}, {self.one(['0', '1'])}]"
        )

    def _loop(self, _: Shape, d: int) -> str:
        a = self.letter()
        i = self.one(["i", "j"])
        left = self.leaf((a,))
        right = self.one(
            [
                f"{self.leaf((a,))}[{i}]",
                f"{self.leaf((a, a))}[{i}, {i}]",
                f"{self.leaf((a, a))}[{i}] @ {self.leaf((a,))}",
            ]
        )
        return f"sum({left}[{i}] * ({right}) for {i} in range({self.size(a)}))"

    # ---- vectors and matrices

    def _map(self, shape: Shape, d: int) -> str:
        b = self.letter()
        if len(shape) == 1:
            return f"({self.expression((shape[0], b), d)} @ {self.expression((b,), d)})"
        if shape[1] == 1:
            return f"({self.expression((shape[0], b), d)} @ {self.expression((b, 1), d)})"
        return f"({self.expression((1, b), d)} @ {self.expression((b, shape[1]), d)})"

    def _left_map(self, shape: Shape, d: int) -> str:
        b = self.letter()
        return f"({self.expression((b,), d)} @ {self.expression((b, shape[0]), d)})"

    def _row_sum(self, shape: Shape, d: int) -> str:
        return f"{self.expression((shape[0], self.letter()), d)}.{self.one(['sum(1)', 'mean(-1)', 'sum(dim=1)'])}"

    def _column_sum(self, shape: Shape, d: int) -> str:
        return f"{self.expression((self.letter(), shape[0]), d)}.{self.one(['sum(0)', 'mean(0)'])}"

    def _keepdim(self, shape: Shape, d: int) -> str:
        if shape[0] == 1:
            return f"{self.expression((self.letter(), shape[1]), d)}.sum(0, keepdim=True)"
        return f"{self.expression((shape[0], self.letter()), d)}.sum(1, keepdim=True)"

    def _diagonal(self, shape: Shape, d: int) -> str:
        return f"torch.{self.one(['diagonal', 'diag'])}({self.expression((shape[0], shape[0]), d)})"

    def _row(self, shape: Shape, d: int) -> str:
        if self.one(["row", "column"]) == "row":
            return f"{self.expression((self.letter(), shape[0]), d)}[{self.one(['0', '1'])}]"
        return f"{self.expression((shape[0], self.letter()), d)}[:, {self.one(['0', '1'])}]"

    def _flatten(self, shape: Shape, d: int) -> str:
        return f"{self.expression((shape[0], 1), d)}.{self.one(['squeeze(1)', 'reshape(-1)', 'flatten()'])}"

    def _stack(self, shape: Shape, d: int) -> str:
        v = self.leaf(shape)
        matrix = self.leaf((shape[0], self.letter()))
        entry = self.one([f"{v}[i] ** 2", f"{matrix}[i].sum()", f"{v}[i] * ({matrix}[i] @ {matrix}[i])"])
        return f"torch.stack([{entry} for i in range({self.size(str(shape[0]))})])"

    def _lift(self, shape: Shape, d: int) -> str:
        if shape[0] == 1:
            return f"{self.expression((shape[1],), d)}.{self.one(['unsqueeze(0)', 'reshape(1, -1)'])}"
        return f"{self.expression((shape[0],), d)}.{self.one(['unsqueeze(1)', 'reshape(-1, 1)'])}"

    def _transpose(self, shape: Shape, d: int) -> str:
        return f"{self.expression((shape[1], shape[0]), d)}.{self.one(['T', 'mT', 't()', 'transpose(0, 1)'])}"

    def _product(self, shape: Shape, d: int) -> str:
        b = self.letter()
        left, right = self.expression((shape[0], b), d), self.expression((b, shape[1]), d)
        return self.one([f"({left} @ {right})", f"torch.mm({left}, {right})", f"torch.tensordot({left}, {right}, 1)"])

    def _outer(self, shape: Shape, d: int) -> str:
        return f"torch.outer({self.expression((shape[0],), d)}, {self.expression((shape[1],), d)})"

    def _column_row(self, shape: Shape, d: int) -> str:
        return f"({self.expression((shape[0], 1), d)} {self.one(['@', '*', '+'])} {self.expression((1, shape[1]), d)})"

    def _diag(self, shape: Shape, d: int) -> str:
        if shape[0] != shape[1]:
            return self._product(shape, d)
        return f"torch.diag({self.expression((shape[0],), d)})"

    def _identity(self, shape: Shape, d: int) -> str:
        if shape[0] != shape[1]:
            return self.leaf(shape)
        multiple = self.one(["+ ", "- ", "+ 2 * ", "- 2 * "])
        return f"({self.expression(shape, d)} {multiple}torch.eye({self.size(str(shape[0]))}))"

    def _rows_scaled(self, shape: Shape, d: int) -> str:
        side = self.one(["columns", "rows"])
        if side == "columns":
            return f"({self.expression(shape, d)} * {self.expression((shape[1],), d)})"
        return f"({self.expression((shape[0], 1), d)} * {self.expression(shape, d)})"

    def _row_added(self, shape: Shape, d: int) -> str:
        return f"({self.expression(shape, d)} {self.one(['+', '-'])} {self.expression((shape[1],), d)})"

    def _einsum(self, shape: Shape, d: int) -> str:
        a, b, c = (str(s) for s in (*shape, self.letter(), self.letter(), self.letter())[:3])
        d -= 1
        if not shape:
            spec, operands = {
                "i,ij,j": ("i,ij,j->", [(a,), (a, b), (b,)]),
                "ij,ij": ("ij,ij->", [(a, b), (a, b)]),
                "ij,jk,ki": ("ij,jk,ki", [(a, b), (b, c), (c, a)]),
                "i,i,i": ("i,i,i->", [(a,), (a,), (a,)]),
                "ij,i,ij": ("ij,i,ij->", [(a, b), (a,), (a, b)]),
                "ii,i": ("ii,i->", [(a, a), (a,)]),
            }[self.one(["i,ij,j", "ij,ij", "ij,jk,ki", "i,i,i", "ij,i,ij", "ii,i"])]
        elif len(shape) == 1:
            spec, operands = {
                "ij,j": ("ij,j->i", [(a, b), (b,)]),
                "ji,j": ("ji,j->i", [(b, a), (b,)]),
                "ij,ij": ("ij,ij->i", [(a, b), (a, b)]),
                "ij,j,jk,k": ("ij,j,jk,k->i", [(a, b), (b,), (b, c), (c,)]),
            }[self.one(["ij,j", "ji,j", "ij,ij", "ij,j,jk,k"])]
        else:
            spec, operands = {
                "ij,jk": ("ij,jk->ik", [(a, c), (c, b)]),
                "ki,kj": ("ki,kj->ij", [(c, a), (c, b)]),
                "jk,ij": ("jk,ij->ik", [(c, b), (a, c)]),
                "i,ij": ("i,ij->ij", [(a,), (a, b)]),
                "ji": ("ji->ij", [(b, a)]),
                "ik,k,jk": ("ik,k,jk->ij", [(a, c), (c,), (b, c)]),
            }[self.one(["ij,jk", "ki,kj", "jk,ij", "i,ij", "ji", "ik,k,jk"])]
        return f"torch.einsum('{spec}', {', '.join(self.expression(o, d) for o in operands)})"


@dataclass(frozen=True)
class RandomFunction:
    """Source lines of a function and the shapes of its arguments."""

    body: str
    shapes: dict[str, Shape]

    @property
    def operations(self) -> int:
        """About how many torch operations it makes."""
        return len(re.findall(r"torch\.\w+|\.\w+\(|\.m?T\b| [-+*/@]+ |\(-", self.body))

    @property
    def repeats(self) -> bool:
        """Whether an argument occurs twice, or a sum stands inside a product."""
        names = re.findall(r"\b[A-Za-z]\w*\b", self.body)
        return any(names.count(name) > 1 for name in self.shapes) or bool(
            re.search(r"[-+] [^()]*\)+(\.\w+)? [*@]", self.body)
        )


def build(choose: Choose, most_operations: int = 12) -> RandomFunction:
    """A random function; `choose` picks one of some strings."""
    own = dict(ARGUMENTS)
    shapes: dict[str, Shape] = {}
    for name, options in own.items():
        shapes[name] = options[int(choose([str(k) for k in range(len(options))]))]
    builder = _Builder(choose, shapes)
    lines = []
    for k in range(int(choose(["0", "0", "1", "1", "2"]))):
        kind = choose(["v", "v", "c", "M", "M", "s"])
        letter = builder.letter()
        shape: Shape = {
            "v": (letter,),
            "c": (letter, 1),
            "M": (letter, builder.letter() if kind == "M" else letter),
            "s": (),
        }[kind]
        lines.append(f"r{k} = {builder.expression(shape, 2)}")
        builder.pool[f"r{k}"] = shape
    kind = choose(["s", "s", "s", "s", "v", "c", "M"])
    letter = builder.letter()
    result: Shape = {
        "s": (),
        "v": (letter,),
        "c": (letter, 1),
        "M": (letter, builder.letter() if kind == "M" else letter),
    }[kind]
    lines.append(f"return {builder.expression(result, int(choose(['2', '3', '3'])))}")
    body = "\n".join(lines)
    used = {name: shape for name, shape in shapes.items() if re.search(rf"\b{name}\b", body)}
    made = RandomFunction(body, used or {"t": ()})
    return made if made.operations <= most_operations else build(choose, most_operations)


# ---- what is checked ----------------------------------------------------------------------------------------------


def has_indexed(math: Any) -> bool:
    """Whether any piece of the notation is written with indices."""
    if isinstance(math, Indexed):
        return True
    if isinstance(math, tuple):
        return any(map(has_indexed, math))
    return is_dataclass(math) and any(has_indexed(getattr(math, f.name)) for f in fields(math))


def problems(made: RandomFunction, counts: Counter[str]) -> list[str]:
    """Everything that is wrong with what is said of a function; `counts` collects what was seen."""
    own = Written(made.body, made.shapes)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    right = own(inputs)
    try:
        found = traced(own)
    except TraceError:
        counts["refused"] += 1
        return []
    counts["functions"] += 1
    counts["repeats"] += made.repeats
    if not bool(torch.isfinite(right).all()) or float(right.detach().abs().max()) > 1e8:
        return []
    wrong = []
    if difference(laid_out(value_of(found.node, found, inputs, sizes), found), right) > 1e-8:
        wrong.append("the function's value")
    printed = statement(own, found)
    if printed is not None:
        wrong += misprint("f", printed, right, inputs, sizes)
        latex(printed)
    for variable in made.shapes:
        slope = truth(own, inputs, variable)
        if not bool(torch.isfinite(slope).all()) or float(slope.abs().max()) > 1e8:
            continue
        counts["derivatives"] += 1
        formula = formula_of(own, found, variable)
        counts["no formula"] += formula is None
        if formula is not None:
            counts["indexed" if has_indexed(formula.math) else "closed"] += 1
            value = run_code(formula.code, inputs)
            if not difference(value, slope) < 1e-7:
                wrong.append(
                    f"by {variable}: {formula.code} has shape {tuple(value.shape)}, error {difference(value, slope):.1e}"
                )
            latex(formula.math)
            wrong += misprint(f"by {variable}", formula.math, slope, inputs, sizes)
        match = match_of(own, found, variable)
        if match is not None:
            counts["matched"] += 1
            if not difference(squeezed(run_code(match.statement, inputs)), squeezed(right)) < 1e-7:
                wrong.append(f"by {variable}: {match.name} says f = {match.statement}")
            for code in match.bindings.values():
                run_code(code, inputs)
    return wrong


def misprint(
    of: str, math: Any, right: torch.Tensor, inputs: dict[str, torch.Tensor], sizes: dict[str, int]
) -> list[str]:
    """The text, where a reader would read another value out of it."""
    line = text(math)
    try:
        return [] if right.dim() > 2 or says(line, right, inputs, sizes) else [f"{of}: {line} is a misprint"]
    except Unreadable:
        return []


@st.composite
def functions(draw: st.DrawFn) -> RandomFunction:
    return build(lambda options: draw(st.sampled_from(list(options))))


SEEN: Counter[str] = Counter()


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(functions())
def test_random_functions(made: RandomFunction) -> None:
    assert problems(made, SEEN) == []


def test_the_random_functions_are_hard_enough() -> None:
    """Drawn without hypothesis, which prefers short ones: repeats in 40 %, identities and closed forms among them."""
    counts: Counter[str] = Counter()
    for seed in range(60):
        chooser = random.Random(seed)
        made = build(chooser.choice)
        counts["repeats"] += made.repeats
        counts["columns"] += any(shape in (("n", 1), ("m", 1)) for shape in made.shapes.values())
        counts["long"] += made.operations >= 5
    assert counts["repeats"] >= 24 and counts["columns"] >= 12 and counts["long"] >= 24


def test_the_checks_can_fail() -> None:
    made = RandomFunction("return x @ B @ x", {"x": ("n",), "B": ("n", "n")})
    assert problems(made, Counter()) == []
    own = Written(made.body, made.shapes)
    inputs = own.inputs(own.sizes(), 11)
    formula = formula_of(own, traced(own), "x")
    assert formula is not None
    assert misprint("by x", formula.math, truth(own, inputs, "x") + 1, inputs, own.sizes())
    assert difference(run_code("(B + B) @ x", inputs), truth(own, inputs, "x")) > 1e-3


def main(seed: int, seconds: float) -> None:
    """Random functions for some seconds; failures as they come, the shortest last."""
    counts: Counter[str] = Counter()
    failures: list[tuple[int, str]] = []
    start, number = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        number += 1
        made = build(random.Random(seed * 1_000_003 + number).choice)
        try:
            wrong = problems(made, counts)
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            counts["failures"] += 1
            failures.append((len(made.body), f"{made.shapes}\n{made.body}\n  " + "\n  ".join(wrong)))
    for _, failure in sorted(failures, reverse=True):
        print(failure)
    print(dict(counts))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
