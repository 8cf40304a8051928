"""The registry: every row is checked from the row alone, and a corrupted row does not pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from corefixtures import Written, difference, formula_of, match_of, run_code, squeezed, traced, truth

import matmagic.identities as registry
from matmagic.identities import Identity, by_key, identities, identity

SIZES = ((5, 8, 7, 6, 11), (3, 2, 4, 9, 5), (2, 9, 3, 4, 7))
ROWS = {row.name: row for row in identities()}


def as_function(row: Identity, code: str) -> Written:
    """An expression of a row; vectors are columns."""
    return Written(
        code, {name: (*shape, 1) if len(shape) == 1 else shape for name, shape in row.shapes.items()}, name=row.name
    )


def error(row: Identity, gradient: str, symmetric: str = "") -> float:
    """How far a gradient is from autograd's, at the worst of several non-square sizes."""
    worst = 0.0
    own = as_function(row, row.function)
    for seed, numbers in enumerate(SIZES):
        inputs = own.inputs(own.sizes(numbers), seed)
        if symmetric:
            inputs[symmetric] = inputs[symmetric] + inputs[symmetric].T
        right = truth(own, inputs, row.wrt)
        found = run_code(gradient, inputs)
        found = found.reshape(right.shape) if right.numel() == 1 == found.numel() else found
        worst = max(worst, difference(found if own(inputs).numel() == 1 else squeezed(found), right))
    return worst


@pytest.mark.parametrize("name", ROWS)
def test_gradient_is_autograds(name: str) -> None:
    assert error(ROWS[name], ROWS[name].gradient) < 1e-12


CONDITIONAL = [(row.name, condition) for row in ROWS.values() for condition in row.simpler]


@pytest.mark.parametrize(("name", "condition"), CONDITIONAL)
def test_simpler_form_is_right_under_its_condition_only(name: str, condition: str) -> None:
    row = ROWS[name]
    symbol, _, prop = condition.partition(" ")
    assert prop == "symmetric" and symbol in row.shapes and symbol != row.wrt
    assert error(row, row.simpler[condition], symmetric=symbol) < 1e-12
    assert error(row, row.simpler[condition]) > 1e-3


CORRUPTIONS = {"negated": "-({})", "scaled": "2 * ({})", "transposed": "({}).mT", "shifted": "({}) + 1"}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("name", ROWS)
def test_a_corrupted_row_does_not_pass(name: str, corruption: str) -> None:
    row = ROWS[name]
    gradient = CORRUPTIONS[corruption].format(row.gradient)
    if corruption == "transposed":
        own = as_function(row, row.gradient)
        value = own(own.inputs(own.sizes(), 0))
        if value.dim() != 2 or (value.shape == value.mT.shape and torch.allclose(value, value.mT)):
            return  # a scalar, a tensor of three axes or a symmetric matrix: nothing is changed
    assert error(row, gradient) > 1e-3


@pytest.mark.parametrize("name", ROWS)
def test_the_derivative_that_is_found_is_the_rows(name: str) -> None:
    """Tracing, differentiating and printing a row gives the row's own gradient, and its match is itself."""
    row = ROWS[name]
    own = as_function(row, row.function)
    found = traced(own)
    inputs = own.inputs(own.sizes(), 1)
    formula = formula_of(own, found, row.wrt)
    assert formula is not None
    assert difference(squeezed(run_code(formula.code, inputs)), squeezed(run_code(row.gradient, inputs))) < 1e-11
    match = match_of(own, found, row.wrt)
    assert match is not None and match.name == name


def test_no_two_rows_have_one_key() -> None:
    keys: dict[bytes, str] = {}
    for row in ROWS.values():
        assert keys.setdefault(row.pattern.key, row.name) == row.name
    assert len(by_key()) == len(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_where_it_is_from(name: str) -> None:
    row = ROWS[name]
    assert row.source and row.name == row.name.strip() and len(row.name) < 50
    assert any(f"identities/{subject}.py:" in row.place for subject in registry.SUBJECTS)


# ---- rows that are refused ----------------------------------------------------------------------------------------


@pytest.fixture
def own_rows() -> Iterator[None]:
    """The registry as before, afterwards."""
    by_key()
    before = dict(registry._rows), dict(registry._by_key), set(registry._indexed)
    yield
    for kept, old in zip((registry._rows, registry._by_key), before[:2], strict=True):
        kept.clear()
        kept.update(old)  # type: ignore[arg-type]
    registry._indexed.clear()
    registry._indexed.update(before[2])


REFUSED = {
    "a name that is taken": ({"name": "quadratic form", "function": "x.T @ x", "wrt": "x", "shapes": "x: n"}, "taken"),
    "a symbol without use": ({"name": "new", "function": "x.T @ x", "wrt": "x", "shapes": "x: n, A: n n"}, "A"),
    "a shape missing": ({"name": "new", "function": "x.T @ A @ x", "wrt": "x", "shapes": "x: n"}, "A"),
    "a variable that is not there": ({"name": "new", "function": "x.T @ x", "wrt": "y", "shapes": "x: n"}, "y"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_row_is_refused_with_file_and_line(case: str, own_rows: None) -> None:
    row, word = REFUSED[case]
    with pytest.raises(ValueError, match=rf"test_identities\.py:\d+: .*{word}"):
        identity(gradient="x", source="none", **row)  # type: ignore[arg-type]
    assert "new" not in registry._rows


def test_a_row_for_a_function_that_has_one_is_refused(own_rows: None) -> None:
    identity("again", "y.T @ M.T @ y", wrt="y", gradient="(M + M.T) @ y", shapes="y: k, M: k k", source="none")
    with pytest.raises(
        ValueError,
        match=r"test_identities\.py:\d+: 'again' is the same function as 'quadratic form' in .*vectors\.py:\d+",
    ):
        by_key()


def test_a_new_row_is_found(own_rows: None) -> None:
    identity(
        "cubic form",
        "(x.T @ A @ x) * (b.T @ x)",
        wrt="x",
        gradient="(b.T @ x) * (A + A.T) @ x + (x.T @ A @ x) * b",
        shapes="x: n, A: n n, b: n",
        source="product rule",
    )
    row = registry._rows["cubic form"]
    assert error(row, row.gradient) < 1e-12
    own = Written("torch.einsum('i,ij,j,k,k', v, M, v, v, c)", {"v": ("n",), "M": ("n", "n"), "c": ("n",)})
    match = match_of(own, traced(own), "v")
    assert match is not None and match.name == "cubic form"
