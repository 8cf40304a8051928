"""Reading formulas of one entry: their values against evaluate.py, and that a changed formula has others."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from corefixtures import traced, truth, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_entries import PRINTED, SIZES, Reader
from test_index_code import LETTERS, SHAPES, drawn, values
from torch import Tensor

from matmagic.calling import float64
from matmagic.derivative import derived
from matmagic.entries import entrywise
from matmagic.entry_forms import Entries
from matmagic.entry_values import MOST, entry_values
from matmagic.evaluate import evaluate
from matmagic.expr import Node
from matmagic.notation import INDICES, At, Math, Num, Plus, SumOver, Symbol, Times, mapped, pieces
from matmagic.printers.text import text
from matmagic.rendering import NoNotation


def read(math: Math, node: Node, seed: int = 3) -> Tensor:
    """The formula's values."""
    inputs = values(SHAPES, seed, SIZES)
    letters = INDICES[: len(node.shape)]
    return entry_values(math, letters, node.shape, SIZES, inputs, Reader(inputs, SHAPES).plain)


def true(node: Node, seed: int = 3) -> Tensor:
    with float64():
        return evaluate(node, values(SHAPES, seed, SIZES), SIZES)


@pytest.mark.parametrize("line", PRINTED)
def test_values(line: str) -> None:
    node = PRINTED[line][0]
    assert torch.allclose(read(entrywise(node), node), true(node), rtol=1e-10)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_expressions(seed: int) -> None:
    pick = random.Random(seed)
    shape = tuple(pick.choice(LETTERS) for _ in range(pick.randrange(4)))
    node = drawn(pick, shape, pick.randrange(1, 4))
    right = true(node, seed % 1000)
    try:
        math = entrywise(node)
    except NoNotation:
        return
    if bool(torch.isfinite(right).all()) and float(right.abs().max()) < 1e12:
        assert torch.allclose(read(math, node, seed % 1000), right, rtol=1e-8, atol=1e-8), text(math)


def other_number(piece: Math) -> Math:
    return replace(piece, value=piece.value + 1) if isinstance(piece, Num) else piece


def exchanged(piece: Math) -> Math:
    """Two indices the other way round, where both run as far."""
    if isinstance(piece, At) and isinstance(piece.of, Symbol) and piece.of.name == "W":
        return replace(piece, indices=(piece.indices[0], *piece.indices[:0:-1]))
    return piece


def shifted(piece: Math) -> Math:
    """The last entry in place of the one that runs."""
    return replace(piece, indices=(1, *piece.indices[1:])) if isinstance(piece, At) else piece


def shorter(piece: Math) -> Math:
    return replace(piece, parts=piece.parts[:-1]) if isinstance(piece, Plus | Times) and len(piece.parts) > 2 else piece


def less(piece: Math) -> Math:
    """A sum that stops early."""
    return replace(piece, sizes=(1, *piece.sizes[1:])) if isinstance(piece, SumOver) else piece


@pytest.mark.parametrize("change", [other_number, exchanged, shifted, shorter, less])
def test_a_changed_formula_has_other_values(change: Callable[[Math], Math]) -> None:
    refused, changed = 0, 0
    for node, _ in PRINTED.values():
        math = entrywise(node)
        wrong = mapped(math, change)
        if wrong != math:
            changed += 1
            try:
                refused += not torch.allclose(read(wrong, node), true(node), rtol=1e-8)
            except (IndexError, ValueError, RuntimeError):
                refused += 1
    assert changed and refused == changed


def test_what_is_too_large_is_refused() -> None:
    node = PRINTED["√(Σ_jk W_ijk²)"][0]
    with pytest.raises(ValueError, match="too many"):
        entry_values(entrywise(node), "i", node.shape, {**SIZES, "n": MOST}, {}, lambda math: torch.zeros(()))


# ---- derivatives --------------------------------------------------------------------------------------------------

WRITTEN = {  # function, shapes, variable -> the entry
    ("torch.cdist(X, Y).sum()", "X: m k, Y: n k", "X"): "Σ_k (X_ij − Y_kj) / √(Σ_l (X_il − Y_kl)²)",
    ("torch.einsum('bij,bj->bi', A, X)", "A: m n k, X: m k", "X"): "δ_ik A_ijl",
}


@pytest.mark.parametrize("case", WRITTEN)
def test_entries_of_a_derivative(case: tuple[str, str, str]) -> None:
    body, shapes, variable = case
    own = written(body, shapes)
    found = traced(own)
    entries = Entries(found, variable, derived(found, variable, 1, ()), own.shapes)
    math = entries.formula()
    assert math is not None and text(math) == WRITTEN[case]
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    right = truth(own, inputs, variable)
    assert entries.agree(math, inputs, sizes, right)
    assert not entries.agree(math, inputs, sizes, right + 1e-6)
    assert not entries.agree(math, inputs, sizes, right * torch.nan)
    assert not entries.agree(math, inputs, sizes, right[:-1])
    assert not entries.agree(Times((Num(Fraction(2)), math)), inputs, sizes, right)


NO_FORMULA = {
    "flattened": ("torch.kron(x, y)", "x: n, y: m", "x"),
    "long": ("torch.logdet(torch.exp(-torch.cdist(X, X)) + torch.cdist(X, X) * torch.cdist(X, X))", "X: n k", "X"),
    "of a batch": ("torch.linalg.inv(T).sum()", "T: k n n", "T"),
    "δ": ("torch.einsum('bij,bj->bi', A, X) * delta", "A: m n k, X: m k, delta:", "X"),
}


@pytest.mark.parametrize("name", NO_FORMULA)
def test_without_a_formula(name: str) -> None:
    body, shapes, variable = NO_FORMULA[name]
    own = written(body, shapes)
    found = traced(own)
    assert Entries(found, variable, derived(found, variable, 1, ()), own.shapes).formula() is None


def test_pieces_of_these_formulas_are_all_covered() -> None:
    kinds = {type(piece).__name__ for node, _ in PRINTED.values() for piece in pieces(entrywise(node))}
    assert {"SumOver", "Over", "At", "Holds", "Letter", "Quotient", "Apply"} <= kinds
