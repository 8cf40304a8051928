"""Slices of what is put together from pieces: the piece, nothing, or less of it; values stay."""

from __future__ import annotations

import random

import pytest
import torch
from corefixtures import TRACED_AT, difference, traced, value_of, written

from matmagic.evaluate import evaluate
from matmagic.expr import Node, Product, add, basis, elementwise, leaf, product, selection
from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.simplify import simplify
from matmagic.slice_rules import ROWS

SHAPES = "x: n, y: m, z: k, A: m n, B: n n, C: n k, W: k n, t:"
BOTH = "torch.cat([x, y])"

VALUES = {  # function: its value as it is printed
    f"{BOTH}[: len(x)]": "x",
    f"{BOTH}[len(x) :]": "y",
    f"({BOTH} * 2)[len(x) :]": "2 y",
    "torch.cat([x, y, z])[len(x) : len(x) + len(y)]": "y",
    "torch.cat([B, A])[len(B) :] @ x": "A x",
    "torch.cat([B, B], 1)[:, len(x) :] @ x": "B x",
    "torch.cat([A, W])[: len(A)].sum(0)": "Aᵀ 𝟏",
    f"{BOTH}[-1]": "yₘ",
    f"{BOTH}[0]": "x₁",
    f"{BOTH}[1 : len(x)]": "x_{2:n}",
    "torch.cat([x, y, z])[len(x) :][: len(y)]": "y",
    f"torch.tanh({BOTH})[: len(x)]": "tanh(x)",
    f"(1 - torch.tanh(3 * {BOTH}) ** 2)[len(x) :]": "𝟏 − tanh(3 y)^⊙2",
    f"({BOTH} * torch.sigmoid({BOTH}))[: len(x)] @ x": "(x^⊙2)ᵀ σ(x)",
    f"(torch.exp({BOTH}) / torch.exp({BOTH}).sum())[: len(x)]": "exp(x) / (𝟏ᵀ exp([x; y]))",
    f"{BOTH} @ {BOTH}": "xᵀ x + yᵀ y",
    f"torch.cat([torch.cat([B, A.T], 1), torch.cat([A, A @ A.T], 1)]) @ {BOTH}": ("[B; A] x + [I; A] Aᵀ y"),
    f"{BOTH} @ torch.exp({BOTH})": "xᵀ exp(x) + yᵀ exp(y)",
    f"torch.outer({BOTH}, z)[: len(x)] @ z": "(zᵀ z) x",
    "torch.block_diag(B, t * B) @ torch.cat([x, x])": "[B x; t B x]",
    "torch.cat([t.view(1), x])[-1] ** 2": "xₙ²",
    "torch.cat([t.view(1), x, y[:1]])[0] + t": "2 t",
    "torch.exp(torch.tanh(torch.tanh(torch.cat([B, A])) @ C) @ z)[: len(x)]": "exp(tanh(tanh(B) C) z)",
    "torch.exp(torch.tanh(torch.tanh(torch.cat([B, A])) @ B) @ x)[: len(x)]": "exp(tanh(tanh(B) B) x)",
    "torch.eye(len(x))[1:].sum() * t": "t (n − 1)",
    "x[1:][1:]": "x_{3:n}",
    "torch.stack([x, 2 * x])[1]": "2 x",
    "torch.cat([x, x]).view(2, -1)[1]": "x",
}


@pytest.mark.parametrize("function", VALUES)
def test_a_slice_of_pieces(function: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    better = simplify(found.node)
    assert text(notation(better)) == VALUES[function]
    sizes = own.sizes(TRACED_AT[0])
    inputs = own.inputs(sizes)
    assert difference(value_of(better, found, inputs, sizes), value_of(found.node, found, inputs, sizes)) < 1e-12


# ---- random products ----------------------------------------------------------------------------------------------

POINTS = ({"n": 3, "m": 4}, {"n": 1, "m": 1}, {"n": 2, "m": 1})
ROWS_OF_I = [  # count, size, start, step
    ("n", "m+n", 0, 1), ("m", "m+n", "n", 1), ("m", "m+n", 0, 1), ("n", "2*n", "n", 1), ("n", "2*n", 1, 2),
    ("n", "n", "n-1", -1), ("m", "m", "m-1", -1), ("n-1", "n", 1, 1), ("n-1", "n", 0, 1), (1, "m+n", "n", 1),
]  # fmt: skip
UNITS = [("m+n", 0), ("m+n", "n"), ("m+n", "m+n-1"), ("2*n", "n"), ("n", 0), ("n", "n-1"), ("m", 0)]
VECTORS = {size: leaf(f"v{size}", (size,)) for size in ("n", "m")}
MATRICES = {(a, b): leaf(f"M{a}{b}", (a, b)) for a in "nm" for b in "nm"}


def pieces(choose: random.Random) -> Node:
    """[x; y] or [A; B], under functions, times matrices."""
    whole, places = choose.choice([("m+n", [("n", 0), ("m", "n")]), ("2*n", [("n", 0), ("n", "n")])])
    width = choose.choice([None, "n", "m"])
    terms = []
    for count, start in places:
        rows = selection(count, whole, start)
        shape, axes = ((whole,), (2,)) if width is None else ((whole, width), (2, 1))
        part = VECTORS[count] if width is None else MATRICES[count, width]
        terms.append((choose.choice([1, 2]), product([(rows, (2, 0)), (part, axes)], shape, range(len(shape)))))
    node = add(terms, terms[0][1].shape)
    for _ in range(choose.randint(0, 3)):
        if choose.random() < 0.5:
            node = elementwise(choose.choice(["tanh", "sin"]), node)
        elif len(node.shape) == 2:
            last = choose.choice("nm")
            factors = [(node, (0, 2)), (MATRICES[str(node.shape[1]), last], (2, 1))]
            node = product(factors, (node.shape[0], last), (0, 1))
    return node


def drawn(choose: random.Random) -> Node:
    """A product of slices, unit vectors and pieces, whose indices meet wherever sizes allow."""
    size: dict[int, str | int] = {}
    factors = []
    for _ in range(choose.randint(2, 5)):
        makers = (
            lambda: selection(*choose.choice(ROWS_OF_I)),
            lambda: basis(*choose.choice(UNITS)),
            lambda: pieces(choose),
            lambda: choose.choice([*VECTORS.values(), *MATRICES.values()]),
        )
        node = choose.choices(makers, (4, 2, 3, 1))[0]()
        labels = []
        for length in node.shape:
            alike = [label for label, own in size.items() if own == length]
            label = choose.choice(alike) if alike and choose.random() < 0.75 else len(size)
            size[label] = length
            labels.append(label)
        factors.append((node, labels))
    out = choose.sample(list(size), min(len(size), choose.randint(0, 2)))
    return product(factors, [size[label] for label in out], out)


@pytest.mark.parametrize("seed", range(40))
def test_no_row_changes_a_value(seed: int) -> None:
    choose = random.Random(seed)
    changed = 0
    for _ in range(25):
        node = drawn(choose)
        if not isinstance(node, Product) or len(node.sizes) > 8:
            continue
        better = [own for row in ROWS if (own := row(node)) is not None]
        changed += bool(better)
        for sizes in POINTS:
            generator = torch.Generator().manual_seed(seed)
            leaves = {
                own.name: torch.randn([sizes[str(s)] for s in own.shape], dtype=torch.float64, generator=generator)
                for own in (*VECTORS.values(), *MATRICES.values())
            }
            value = evaluate(node, leaves, sizes)
            assert all(difference(evaluate(own, leaves, sizes), value) < 1e-12 for own in (*better, simplify(node)))
    assert changed > 2
