"""Expressions of up to four axes as one matrix: exact text, and every entry of the matrix against the expression."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
import torch
from corefixtures import difference, run_code
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from matmagic.calling import float64
from matmagic.evaluate import evaluate
from matmagic.expr import Labels, Node, add, delta, elementwise, leaf, product, scale
from matmagic.kronecker import laid_out, stacked
from matmagic.notation import Math
from matmagic.printers.latex import latex
from matmagic.printers.text import text
from matmagic.printers.torch_code import torch_code
from matmagic.rendering import NoNotation

SIZES = {"m": 2, "n": 3, "k": 4, "p": 5}
SHAPES: dict[str, tuple[str, ...]] = {
    f"{kind}{a}{b}": (a, b) for kind in "AB" for a in SIZES for b in SIZES
} | {f"{kind}{a}": (a,) for kind in "uv" for a in SIZES}  # fmt: skip
LEAVES = {name: leaf(name, shape) for name, shape in SHAPES.items()}
AXES = {name: tuple((k,) for k in range(len(shape))) for name, shape in SHAPES.items()}


def inputs(seed: int = 5) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn([SIZES[s] for s in shape], dtype=torch.float64, generator=generator)
        for name, shape in SHAPES.items()
    }


def ein(spec: str, *names: str, shape: str = "mnkp") -> Node:
    """An einsum of leaves by their names (I: the identity) to the axes ijkl, whose sizes are the letters of shape."""
    sizes = dict(zip("ijkl", shape, strict=False))
    factors = []
    for name, own in zip(names, spec.split(","), strict=True):
        node = delta(sizes[own[0]]) if name == "I" else LEAVES[name]
        sizes |= dict(zip(own, node.shape, strict=True))
        factors.append((node, ["ijklabc".index(letter) for letter in own]))
    return product(factors, tuple(shape), range(len(shape)))


def agrees(node: Node, rows: Labels, columns: Labels) -> Math:
    """The notation, with the matrix compared entry by entry."""
    math = stacked(node, rows, columns)
    values: Mapping[str, Tensor] = inputs()
    with float64():
        right = evaluate(node, values, SIZES).permute(*rows, *columns)
        count = 1
        for axis in rows:
            count *= SIZES[str(node.shape[axis])]
        right = right.reshape(count, -1) if columns else right.reshape(-1)
    code = torch_code(math, AXES, SHAPES, "m,n" if columns else "n")
    assert difference(run_code(code, values), right) < 1e-10, (text(math), code)
    assert text(math) and latex(math)
    return math


PRINTED: dict[str, Node] = {  # of f with axes i j by X with axes k l, columns stacked
    "Bpnᵀ ⊗ Amk": ein("ik,lj", "Amk", "Bpn"),
    "2(Bpnᵀ ⊗ Amk)": scale(2, ein("ik,lj", "Amk", "Bpn")),
    "(Bknᵀ ⊗ Amp) K_kp": ein("il,kj", "Amp", "Bkn"),
    "I ⊗ Amk": ein("ik,jl", "Amk", "I", shape="mnkn"),
    "Anp ⊗ I": ein("ik,jl", "I", "Anp", shape="mnmp"),
    "I ⊗ (Amk + Bmk)": add(
        [(1, ein("ik,jl", name, "I", shape="mnkn")) for name in ("Amk", "Bmk")], ("m", "n", "k", "n")
    ),
    "vec(Amn) vec(Bkp)ᵀ": ein("ij,kl", "Amn", "Bkp"),
    "diag(vec(Amn))": ein("ik,jl,ij", "I", "I", "Amn", shape="mnmn"),
    "diag(vec(Amn))(Anp ⊗ I)": ein("ik,jl,ij", "I", "Anp", "Amn", shape="mnmp"),
    "(Anp ⊗ I) diag(vec(Bmp))": ein("ik,jl,kl", "I", "Anp", "Bmp", shape="mnmp"),
    "diag(vec(Amn)) K_nm": ein("il,jk,ij", "I", "I", "Amn", shape="mnnm"),
    "diag(vec(Amn))((𝟏 𝟏ᵀ) ⊗ I) diag(vec(Bmp))": ein("ik,ij,il", "I", "Amn", "Bmp", shape="mnmp"),
    "(un vpᵀ) ⊗ (um vkᵀ)": ein("i,j,k,l", "um", "un", "vk", "vp"),
    "(umᵀ vm)(Bpnᵀ ⊗ Amk)": ein("a,a,ik,lj", "um", "vm", "Amk", "Bpn"),
}


@pytest.mark.parametrize("line", PRINTED)
def test_four_axes(line: str) -> None:
    assert text(agrees(PRINTED[line], (1, 0), (3, 2))) == line


THREE: dict[str, tuple[Node, Labels, Labels]] = {
    "umᵀ ⊗ Bnk": (ein("ik,j", "Bnk", "um", shape="nmk"), (0,), (1, 2)),
    "Bnk ⊗ umᵀ": (ein("ik,j", "Bnk", "um", shape="nmk"), (0,), (2, 1)),
    "Amk ⊗ un": (ein("ik,j", "Amk", "un", shape="mnk"), (0, 1), (2,)),
    "un ⊗ Amk": (ein("ik,j", "Amk", "un", shape="mnk"), (1, 0), (2,)),
    "um vec(Bnk)ᵀ": (ein("i,jk", "um", "Bnk", shape="mnk"), (0,), (2, 1)),
    "(𝟏ᵀ ⊗ I) diag(vec(Amn))": (ein("ij,ik", "I", "Amn", shape="mmn"), (0,), (2, 1)),
}


@pytest.mark.parametrize("line", THREE)
def test_three_axes(line: str) -> None:
    node, rows, columns = THREE[line]
    assert text(agrees(node, rows, columns)) == line


VECTORS: dict[str, tuple[Node, Labels]] = {
    "vec(Amn)": (LEAVES["Amn"], (1, 0)),
    "vec(Amnᵀ)": (LEAVES["Amn"], (0, 1)),
    "um ⊗ vn": (ein("i,j", "um", "vn", shape="mn"), (0, 1)),
    "vec(Amk Bkn)": (ein("ia,aj", "Amk", "Bkn", shape="mn"), (1, 0)),
}


@pytest.mark.parametrize("line", VECTORS)
def test_vectors(line: str) -> None:
    node, rows = VECTORS[line]
    assert text(agrees(node, rows, ())) == line
    if rows == (0, 1):
        assert text(laid_out(node, ((0, 1),))) == line


WITHOUT = {
    "three axes": leaf("T", ("m", "n", "k", "p")),
    "a power of three": elementwise("exp", leaf("T", ("m", "n", "k", "p"))),
    "axes that cross": ein("ik,il", "Amk", "Bmp", shape="mmkp"),
    "zero": scale(0, ein("ik,lj", "Amk", "Bpn")),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_without_a_matrix(name: str) -> None:
    with pytest.raises(NoNotation):
        stacked(WITHOUT[name], (1, 0), (3, 2))


FOUND = {"with": 0, "without": 0}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_products(seed: int) -> None:
    pick = random.Random(seed)
    shape = "".join(pick.choice("mnk") for _ in range(4))
    sizes = dict(zip("ijkl", shape, strict=True)) | {letter: pick.choice("mnk") for letter in "ab"}
    terms: list[tuple[int, Node]] = []
    for _ in range(pick.randrange(1, 4)):
        factors, spec = [], []
        for _ in range(pick.randrange(1, 5)):
            own = pick.choices("ijklab", k=pick.choice((1, 2, 2, 2)))
            same = len(own) == 2 and own[0] != own[1] and sizes[own[0]] == sizes[own[1]]
            deltas = same and pick.random() < 0.5
            name = "I" if deltas else pick.choice("uv" if len(own) == 1 else "AB") + "".join(sizes[x] for x in own)
            factors.append((delta(sizes[own[0]]) if deltas else LEAVES[name], ["ijklab".index(x) for x in own]))
            spec.append(own)
        terms.append((pick.choice((1, -1, 2)), product(factors, tuple(shape), range(4))))
    node = add(terms, tuple(shape))
    rows, columns = pick.choice([((1, 0), (3, 2)), ((0, 1), (2, 3)), ((2, 0), (1, 3))])
    try:
        agrees(node, rows, columns)
        FOUND["with"] += 1
    except NoNotation:
        FOUND["without"] += 1


def test_most_random_products_have_a_form() -> None:
    assert FOUND["with"] > FOUND["without"] / 2
