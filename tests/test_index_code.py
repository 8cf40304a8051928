"""Code without notation: every node, in every layout of the arguments, has the values that evaluate.py gives."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
import torch
from corefixtures import leaf_value, run_code, shapes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from matmagic.calling import float64
from matmagic.evaluate import evaluate
from matmagic.expr import (
    Labels,
    Node,
    add,
    arange,
    basis,
    delta,
    elementwise,
    leaf,
    number,
    onehot,
    permute,
    power,
    product,
    selection,
    size_of,
    triangle,
    zero,
)
from matmagic.lengths import Size, length
from matmagic.matrix_functions import FUNCTIONS_OF_MATRICES, of
from matmagic.printers.index_code import index_code
from matmagic.printers.torch_parts import Axes, size_code
from matmagic.rendering import NoNotation, notation
from matmagic.trace import input_leaf

SIZES = {"m": 3, "n": 5, "k": 4}
SHAPES = shapes_of("x: n, y: n, z: m, A: m n, B: n n, C: n m, W: k m n, t:, s: m, c:")
LAID_OUT = shapes_of("x: n 1, y: 1 n, z: m 1, A: m n, B: 1 n n, C: n m, W: k m n, t: 1 1, s: m 1, c: 1")
FLATTENED: dict[str, Axes] = {"W": ((0, 1), (2,))}


def values(shapes: Mapping[str, tuple[Size, ...]], seed: int, sizes: Mapping[str, int] = SIZES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in shapes.items():
        found[name] = torch.rand([length(s, sizes) for s in shape], generator=generator, dtype=torch.float64) + 0.5
    found["B"] = found["B"] @ found["B"].mT + torch.eye(sizes["n"], dtype=torch.float64)
    for name in ("s", "c"):
        found[name] = torch.randint(0, 3, found[name].shape, generator=generator)
    return found


LEAVES = {name: input_leaf(name, shape)[0] for name, shape in SHAPES.items()}
x, y, z, A, B, C, W, t, labels, label = LEAVES.values()


def agrees(node: Node, layout: dict[str, tuple[Size, ...]], flattened: bool = False, seed: int = 3) -> None:
    inputs = values(layout, seed)
    leaves = {name: leaf_value(value) for name, value in inputs.items()}
    axes = {name: input_leaf(name, shape)[1] for name, shape in layout.items()}
    shapes = dict(layout)
    if flattened:
        axes |= FLATTENED
        inputs["W"] = inputs["W"].flatten(0, 1)
        shapes["W"] = (SIZES["k"] * SIZES["m"], "n")
        shapes["q"] = ("k",)
    code = index_code(node, axes, shapes)
    found = run_code(code, {**inputs, "q": torch.zeros(SIZES["k"])})
    with float64():
        right = evaluate(node, leaves, SIZES)
    assert found.shape == right.shape and found.dtype == torch.float64, code
    assert torch.allclose(found, right, rtol=1e-9, atol=1e-9, equal_nan=True), code


NODES = {
    "leaf": W,
    "size": size_of("n"),
    "size less one": size_of("n-1"),
    "two sizes": size_of("m+n-2"),
    "unit": basis("n", 1),
    "last unit": basis("n", "n-1"),
    "identity": delta("n"),
    "identity entry": product([(delta("n"), (0, 1)), (B, (1, 2))], ("n", "n"), (0, 2)),
    "slice": selection("n-1", "n", 1),
    "slice to the last": selection("n-2", "n", 1),
    "even rows": selection(2, "n", 1, 2),
    "reversal": selection("n", "n", "n-1", -1),
    "backwards by two": selection(2, "n", "n-1", -2),
    "triangle": triangle("m", "n", 0),
    "triangle above": triangle("n", "n", 1),
    "range": arange("n"),
    "numbers": arange(4),
    "labels": onehot(labels, "k"),
    "label": onehot(label, 4),
    "zero": zero(("m", "n")),
    "zero scalar": zero(()),
    "twos": number(2, ("m", "n")),
    "two": number(2),
    "third": number(Fraction(1, 3)),
    "minus": add([(-1, x)], x.shape),
    "shifted": add([(2, x), (1, number(-3, x.shape)), (Fraction(-1, 3), y)], x.shape),
    "sizes and scalars": add([(1, size_of("n")), (2, t), (-1, number(1))], ()),
    "inverse size": product([(power(size_of("n"), -1), ()), (x, (0,))], ("n",), (0,)),
    "root of a size": power(size_of("n"), Fraction(-1, 2)),
    "log of a size": elementwise("log", size_of("n")),
    "root": power(x, Fraction(1, 2)),
    "power of a sum": power(add([(1, x), (1, y)], x.shape), Fraction(-7, 2)),
    "power of a negative": power(add([(-1, x)], x.shape), 7),
    "function of a sum": elementwise("exp", add([(1, x), (1, y)], x.shape)),
    "trace": product([(B, (0, 0))], (), ()),
    "diagonal": product([(B, (0, 0))], ("n",), (0,)),
    "transpose": permute(A, (1, 0)),
    "turned": permute(W, (2, 0, 1)),
    "sum of a middle axis": product([(W, (0, 1, 2))], ("k", "n"), (0, 2)),
    "repeated": product([(x, (1,))], ("m", "n", "k"), (0, 1, 2)),
    "scaled ones": product([(t, ())], ("m", "n"), (0, 1)),
    "batched": product([(W, (0, 1, 2)), (A, (1, 3)), (x, (2,))], ("k", "n", "m"), (0, 3, 1)),
    "kernel": product(
        [(elementwise("exp", add([(1, product([(A, (0, 2))], ("m", "n", "n"), (0, 1, 2))),
                                  (-1, product([(B, (1, 2))], ("m", "n", "n"), (0, 1, 2)))], ("m", "n", "n"))), (0, 1, 2))],
        ("m", "n"), (0, 1),
    ),
    "quotient": product([(x, (0,)), (power(add([(1, y), (1, x)], x.shape), -1), (0,))], ("n",), (0,)),
    "scalar times sum": product([(add([(1, t), (1, number(1))], ()), ()), (add([(1, x), (1, y)], x.shape), (0,))], ("n",), (0,)),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("layout", [SHAPES, LAID_OUT], ids=["plain", "laid out"])
def test_every_node(name: str, layout: dict[str, tuple[Size, ...]]) -> None:
    agrees(NODES[name], layout)


@pytest.mark.parametrize("name", ["leaf", "turned", "batched"])
def test_flattened_axes(name: str) -> None:
    agrees(NODES[name], SHAPES, flattened=True)


def test_a_formula_with_more_indices_than_letters_is_left_to_the_code() -> None:
    tensor = leaf("T", ("n", "n", "n"))
    ring = product([(tensor, (2 * k, 2 * k + 1, (2 * k + 2) % 12)) for k in range(6)], (), ())
    with pytest.raises(NoNotation, match="more indices than there are letters"):
        notation(ring)


BY_INDEX = [  # torch contracts from the left, and would meet more indices at once
    (
        [(B, (0, 4)), (B, (1, 5)), (x, (4,)), (x, (5,))],
        (0, 1),
        'torch.einsum("jk,k,i->ij", B, x, torch.einsum("ij,j->i", B, x))',
    ),
    (
        [(B, (0, 1)), (B, (4, 5)), (x, (4,)), (x, (5,))],
        (0, 1),
        'torch.einsum("i,i->", x, torch.einsum("ij,i->j", B, x)) * B',
    ),
    ([(B, (0, 2)), (B, (2, 3)), (B, (3, 1))], (0, 1), 'torch.einsum("ik,kl,lj->ij", B, B, B)'),
]


@pytest.mark.parametrize("factors, out, code", BY_INDEX)
def test_indices_are_summed_one_by_one_where_that_is_less_work(
    factors: Sequence[tuple[Node, Labels]], out: Labels, code: str
) -> None:
    node = product(factors, ("n", "n"), out)
    assert index_code(node, {"B": ((0,), (1,)), "x": ((0,),)}, SHAPES) == code
    agrees(node, SHAPES)


def test_more_indices_than_letters() -> None:
    factors = [(B, (0, 2)), *((B, (k, k + 1)) for k in range(2, 70)), (B, (70, 1))]
    code = index_code(product(factors, ("n", "n"), (0, 1)), {"B": ((0,), (1,))}, SHAPES)
    near = torch.eye(5, dtype=torch.float64) + 0.01 * values(SHAPES, 3)["B"]
    assert torch.allclose(run_code(code, {"B": near}), torch.linalg.matrix_power(near, 70))


SPECIAL = {"pinv", "polar", "nuclear", "spectral", "top_singular"}  # of any matrix


@pytest.mark.parametrize("name", FUNCTIONS_OF_MATRICES)
def test_functions_of_matrices(name: str) -> None:
    row = FUNCTIONS_OF_MATRICES[name]
    if not row.torch:
        with pytest.raises(ValueError, match="no code"):
            agrees(of(name, *[B] * 3), SHAPES)
        return
    arguments: Sequence[Node] = [x] if row.takes == 1 else [A] if name in SPECIAL else [B]
    if name == "expm_frechet":
        arguments = [B, permute(B, (1, 0))]
    agrees(of(name, *arguments), LAID_OUT)
    if row.takes == 1:
        agrees(of(name, permute(W, (1, 0, 2))), SHAPES)
    elif name in SPECIAL:
        agrees(of(name, W), SHAPES)


def test_code_grows_with_the_graph_only() -> None:
    node: Node = x
    for _ in range(300):
        node = elementwise("tanh", product([(node, (0,)), (node, (0,)), (B, (0, 1)), (node, (1,))], ("n",), (0,)))
    axes = {name: input_leaf(name, shape)[1] for name, shape in SHAPES.items()}
    assert len(index_code(node, axes, SHAPES)) < 50_000
    agrees(node, SHAPES)


def test_names_made_up_are_none_of_the_arguments() -> None:
    v1, axes = input_leaf("v1", ("n", "n"))
    long: Node = v1
    for _ in range(8):
        long = elementwise("exp", product([(long, (0, 2)), (v1, (2, 3)), (long, (3, 1))], ("n", "n"), (0, 1)))
    code = index_code(product([(long, (0, 1)), (long, (1, 0))], (), ()), {"v1": axes}, {"v1": ("n", "n")})
    assert "v2 := " in code and "v1 := " not in code


@pytest.mark.parametrize(
    ("size", "shapes", "code"),
    [
        (3, "x: n", "3"),
        ("n", "x: m n", "x.shape[1]"),
        ("n-1", "x: m n", "x.shape[1] - 1"),
        ("n-1", "x: n, y: n-1", "y.shape[0]"),
        ("n", "y: n-1", "y.shape[0] + 1"),
        ("m+n", "x: m n", "x.shape[0] + x.shape[1]"),
        ("2*n-1", "x: n", "2 * x.shape[0] - 1"),
        ("m-n", "x: n m", "x.shape[1] - x.shape[0]"),
        ("n", "x: 2*n+1", "(x.shape[0] - 1) // 2"),
    ],
)
def test_sizes(size: Size, shapes: str, code: str) -> None:
    assert size_code(size, shapes_of(shapes)).text == code


def test_sizes_that_no_argument_has() -> None:
    with pytest.raises(ValueError, match="size k"):
        size_code("k", {"x": ("n",)})


# ---- random expressions -------------------------------------------------------------------------------------------

LETTERS: list[Size] = ["m", "n", "k"]
SMOOTH = ["tanh", "sigmoid", "softplus", "atan"]  # none magnifies errors


def drawn(pick: random.Random, shape: tuple[Size, ...], depth: int) -> Node:
    """A random expression of this shape."""
    fitting = [node for node in LEAVES.values() if node.shape == shape and node not in (labels, label)]
    kind = pick.choice(["leaf", "sum", "product", "product", "power", "function", "special"])
    if depth == 0 or kind in ("leaf", "special"):
        made = _special(pick, shape) if kind == "special" else None
        return made or (pick.choice(fitting) if fitting else _product(pick, shape, 0))
    if kind == "sum":
        terms = [(pick.choice([1, -1, 2, Fraction(1, 3), 0.7]), drawn(pick, shape, depth - 1)) for _ in range(2)]
        return add([*terms, (pick.choice([0, 0, 1, -2]), number(1, shape))], shape)
    if kind == "power":
        base = elementwise("softplus", drawn(pick, shape, depth - 1))
        return power(base, pick.choice([2, -1, Fraction(1, 2), Fraction(-3, 2), 3, 5]))
    if kind == "function":
        return elementwise(pick.choice(SMOOTH), drawn(pick, shape, depth - 1))
    return _product(pick, shape, depth)


def _special(pick: random.Random, shape: tuple[Size, ...]) -> Node | None:
    match shape:
        case ():
            return size_of(pick.choice(["n", "m-1", "m+n"]))
        case (size,):
            return pick.choice(
                [basis(size, 0), basis(size, f"{size}-1"), arange(size), of("softmax", _product(pick, shape, 0))]
            )
        case (rows, columns):
            square = [delta(rows)] if rows == columns else []
            return pick.choice([*square, triangle(rows, columns, pick.choice([-1, 0, 1]))])
    return None


def _product(pick: random.Random, shape: tuple[Size, ...], depth: int) -> Node:
    sizes: list[Size] = [*shape, *(pick.choice(LETTERS) for _ in range(pick.randrange(3)))]
    factors = []
    for _ in range(pick.randrange(1, 4)):
        own = [pick.randrange(len(sizes)) for _ in range(pick.randrange(4))] if sizes else []
        own_shape = tuple(sizes[i] for i in own)
        leaves = [node for node in LEAVES.values() if node.shape == own_shape and node not in (labels, label)]
        if depth:
            factors.append((drawn(pick, own_shape, depth - 1), own))
        elif leaves:
            factors.append((pick.choice(leaves), own))
    return product(factors, shape, range(len(shape)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_expressions(seed: int) -> None:
    pick = random.Random(seed)
    shape = tuple(pick.choice(LETTERS) for _ in range(pick.randrange(4)))
    agrees(drawn(pick, shape, pick.randrange(1, 4)), pick.choice([SHAPES, LAID_OUT]), seed=seed % 1000)
