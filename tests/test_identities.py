"""The registry: every row is checked from the row alone, and a corrupted row does not pass."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
import torch
from corefixtures import Written, difference, formula_of, match_of, run_code, squeezed, traced
from torch import Tensor

import matmagic.identities as registry
from matmagic import kinds
from matmagic.calling import float64
from matmagic.evaluate import evaluate
from matmagic.identities import Identity, identities, identity
from matmagic.identities.proof import DRAWS, draw, error, fault, sizes_of
from matmagic.identities.reading import NAMED, as_column
from matmagic.match import match as match_node
from matmagic.sizes import followed
from matmagic.trace import Trace

ROWS = {row.name: row for row in identities()}
INSTANCES = {f"{row.name} {k}": one for row in ROWS.values() for k, one in enumerate(row.instances)}


def as_function(row: Identity) -> Written:
    """The function of a row; vectors are columns."""
    return Written(row.function, {name: as_column(shape) for name, shape in row.shapes.items()}, name=row.name)


def samples(row: Identity, condition: str = "") -> list[tuple[dict[str, Tensor], Mapping[str, int]]]:
    """Inputs that honour the row's conditions and at which the function is finite, with their sizes."""
    found: list[tuple[dict[str, Tensor], Mapping[str, int]]] = []
    for seed, sizes in enumerate(sizes_of(row, condition)):
        with float64():
            inputs = draw(row, sizes, seed, condition)
            if bool(row.callable(row.function)(**inputs).isfinite().all()):
                found.append((inputs, sizes))
        if len(found) == DRAWS:
            break
    return found


def traced_row(row: Identity) -> Trace:
    return followed(as_function(row), as_function(row).shapes, samples(row)[:2])


@pytest.mark.parametrize("name", ROWS)
def test_the_derivative_is_autograds(name: str) -> None:
    """For each number and function, and what is said of conditions and of structured variables."""
    assert fault(ROWS[name]) is None


@pytest.mark.parametrize("name", INSTANCES)
def test_what_is_read_is_the_code(name: str) -> None:
    """A row is read without computing; the expression has the value of its code."""
    row = INSTANCES[name]
    codes = {row.function: "", row.gradient: "", **{code: condition for condition, code in row.simpler.items()}}
    codes |= dict.fromkeys(row.structured.values(), f"{row.wrt} square")
    for code, condition in codes.items():
        (inputs, sizes), *_ = samples(row, condition)
        row = row.square if condition.endswith("square") else row
        with float64():
            value = torch.as_tensor(row.callable(code)(**inputs), dtype=torch.float64)
            found = evaluate(row.read(code), {name: squeezed(own) for name, own in inputs.items()}, sizes)
        assert difference(found.reshape(value.shape), value) < 1e-9


CORRUPTIONS = {"negated": "-({})", "scaled": "2 * ({})", "transposed": "({}).mT", "shifted": "({}) + 1"}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("name", ROWS)
def test_a_corrupted_row_does_not_pass(name: str, corruption: str) -> None:
    row = ROWS[name].instances[0]
    if corruption == "transposed":
        value = torch.as_tensor(row.callable(row.gradient)(**samples(row)[0][0]))
        if (
            value.dim() != 2
            or 1 in value.shape
            or torch.allclose(value, value.mT if value.shape == value.mT.shape else -value)
        ):
            return  # a vector, a tensor of three axes or a symmetric matrix: nothing is changed
    assert not error(row, CORRUPTIONS[corruption].format(row.gradient)) < 1e-6


def without_a_factor(code: str) -> Iterator[str]:
    """The code with one factor of one product or quotient left out, in every way."""
    products = [n for n in ast.walk(ast.parse(code, mode="eval")) if isinstance(n, ast.BinOp)]
    for at in products:
        if isinstance(at.op, ast.Mult | ast.MatMult | ast.Div):
            kept = [at.left] if isinstance(at.op, ast.Div) else [at.left, at.right]
            for part in kept:
                yield code[: at.col_offset] + f"({ast.get_source_segment(code, part)})" + code[at.end_col_offset :]


def value_of(row: Identity, code: str, inputs: Mapping[str, Tensor]) -> Tensor | None:
    """The code's value; None where it has none."""
    try:
        with float64():
            return torch.as_tensor(row.callable(code)(**inputs), dtype=torch.float64).squeeze()
    except (RuntimeError, TypeError, IndexError, AttributeError):
        return None


@pytest.mark.parametrize("name", ROWS)
def test_a_row_without_one_of_its_factors_does_not_pass(name: str) -> None:
    row = ROWS[name].instances[0]
    (inputs, _), *_ = samples(row)
    right = value_of(row, row.gradient, inputs)
    for code in without_a_factor(row.gradient):
        value = value_of(row, code, inputs)
        if value is not None and right is not None and not torch.equal(value, right):  # 1.0 * (x < 1), 𝟏 broadcast
            assert not error(row, code) < 1e-6, code


@pytest.mark.parametrize("name", INSTANCES)
def test_the_derivative_that_is_found_is_the_rows(name: str) -> None:
    """Tracing, differentiating and printing a row gives the row's own derivative, and its match is itself."""
    row = INSTANCES[name]
    own, found = as_function(row), traced_row(row)
    inputs, _ = samples(row)[-1]
    formula = formula_of(own, found, row.wrt, row.order)
    with float64():
        stated = torch.as_tensor(row.callable(row.gradient)(**inputs), dtype=torch.float64)
    assert formula is not None
    value = squeezed(run_code(formula.code, inputs))
    assert difference(value, squeezed(stated).reshape(value.shape)) < 1e-8
    given = dict(condition.split(" ") for condition in row.given)
    match = match_node(found.node, found.inputs[row.wrt][0], row.order, given)
    assert match is not None and match.identity.name == row.name


def test_no_two_rows_ask_for_the_same() -> None:
    assert list(kinds.clashes()) == []


GIVEN = [name for name, row in ROWS.items() if row.given]


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_is_needed(name: str) -> None:
    """Without the declared property the function is another identity, or none, and the derivative is another one."""
    row = ROWS[name]
    found = traced_row(row)
    match = match_node(found.node, found.inputs[row.wrt][0], row.order)
    assert match is None or match.identity.name != name
    free = replace(row, conditions=tuple(c for c in row.conditions if c not in row.given), given=())
    assert not error(free, row.gradient) < 1e-6


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_where_it_is_from(name: str) -> None:
    row = ROWS[name]
    assert row.source and row.name == row.name.strip() and len(row.name) < 70
    assert any(f"identities/{subject}.py:" in row.place for subject in registry.SUBJECTS)


def test_functions_without_torch_code_are_those_of_rows() -> None:
    used = {word for row in ROWS.values() for word in NAMED if f"{word}(" in row.gradient}
    assert used == set(NAMED)


# ---- rows that are refused ----------------------------------------------------------------------------------------


@pytest.fixture
def own_rows() -> Iterator[None]:
    """The registry as before, afterwards."""
    rows = dict(registry._rows)
    yield
    registry._rows.clear()
    registry._rows.update(rows)
    kinds.forget()


REFUSED = {
    "a name that is taken": ({"name": "quadratic form", "function": "x.T @ x", "wrt": "x", "shapes": "x: n"}, "taken"),
    "a symbol without use": ({"name": "new", "function": "x.T @ x", "wrt": "x", "shapes": "x: n, A: n n"}, "A"),
    "a shape missing": ({"name": "new", "function": "x.T @ A @ x", "wrt": "x", "shapes": "x: n"}, "A"),
    "a variable that is not there": ({"name": "new", "function": "x.T @ x", "wrt": "y", "shapes": "x: n"}, "y"),
    "a symbol of the derivative only": (
        {"name": "new", "function": "x.sum()", "wrt": "x", "shapes": "x: n", "gradient": "2 * z"},
        "z",
    ),
    "no derivative": ({"name": "new", "function": "x.sum()", "wrt": "x", "shapes": "x: n", "gradient": ""}, "gradient"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_row_is_refused_with_file_and_line(case: str, own_rows: None) -> None:
    row, word = REFUSED[case]
    with pytest.raises(ValueError, match=rf"test_identities\.py:\d+: .*{word}"):
        identity(**{"gradient": "x", "source": "none", **row})  # type: ignore[arg-type]
    assert "new" not in registry._rows


@pytest.mark.parametrize(
    "spelled", [("y.T @ M.T @ y", "y: k, M: k k"), ("y.T @ M @ y", "y: n, M: n n")], ids=["turned", "the same"]
)
def test_a_row_for_a_function_that_has_one_is_refused(spelled: tuple[str, str], own_rows: None) -> None:
    function, shapes = spelled
    identity("again", function, wrt="y", gradient="(M + M.T) @ y", shapes=shapes, source="none")
    (said,) = kinds.clashes()
    assert re.match(
        r".*test_identities\.py:\d+: 'again' is the same function as 'quadratic form' in .*vectors\.py:\d+", said
    )


def test_shapes_that_clash_are_refused_when_the_row_is_read(own_rows: None) -> None:
    identity("clash", "x.T @ A @ x", wrt="x", gradient="(A + A.T) @ x", shapes="x: n, A: m n", source="none")
    (said,) = kinds.clashes()
    assert re.match(r".*test_identities\.py:\d+: 'clash': x\.T @ A @ x: ", said)


FAULTS = {
    "a wrong gradient": ({"gradient": "A @ x"}, "is not A @ x"),
    "a wrong simpler form": ({"simpler": {"A symmetric": "A @ x"}}, "under A symmetric, .* is not A @ x"),
    "a condition that is not needed": ({"simpler": {"A symmetric": "A @ x + A.T @ x"}}, "needs no A symmetric"),
    "a wrong structured form": (
        {"wrt": "A", "gradient": "x @ x.T", "structured": {"symmetric": "x @ x.T"}},
        "for symmetric A",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_named(case: str) -> None:
    changes, said = FAULTS[case]
    found = fault(replace(ROWS["quadratic form"], **{"simpler": {}, **changes}))  # type: ignore[arg-type]
    assert found is not None
    assert re.search(said, found), found


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
    assert fault(row) is None
    own = Written("torch.einsum('i,ij,j,k,k', v, M, v, v, c)", {"v": ("n",), "M": ("n", "n"), "c": ("n",)})
    match = match_of(own, traced(own), "v")
    assert match is not None and match.name == "cubic form"
