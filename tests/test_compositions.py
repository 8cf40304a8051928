"""Compositions: rules and identities are named, the pieces add up to autograd's derivative, and what differs is not shown."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from corefixtures import (
    Written,
    derivative_value,
    difference,
    leaf_value,
    run_code,
    squeezed,
    traced,
    truth,
    value_of,
    written,
)
from corpus.cases import asked, load
from fuzzing import report_of, usable
from randomfunctions import RandomFunction, build

from matmagic.compositions import Use, composition
from matmagic.expr import scale
from matmagic.report import Report
from matmagic.trace import Trace
from matmagic.trees import Names, Piece, piece

# function, shapes, variable: the rule at the root, and the identities at the leaves
TREES = {
    ("torch.exp(-x @ A @ x)", "x: n, A: n n", "x"): ("chain rule", "quadratic form"),
    ("(x @ A @ x) ** 2", "x: n, A: n n", "x"): ("chain rule", "square of a scalar, quadratic form"),
    ("torch.sqrt(((A @ x - b) ** 2).sum() + 1)", "x: n, A: m n, b: m", "x"): ("chain rule", "least squares"),
    ("x @ A @ x + torch.exp(b @ x)", "x: n, A: n n, b: n", "x"): ("linearity", "quadratic form, linear form"),
    ("3 * torch.norm(x) - b @ x + 7", "x: n, b: n", "x"): ("linearity", "Euclidean norm, linear form"),
    ("(x @ A @ x) * (b @ x) ** 2", "x: n, A: n n, b: n", "x"): ("product rule", "quadratic form"),
    ("(x @ A @ x) * torch.exp(b @ x)", "x: n, A: n n, b: n", "x"): ("product rule", "quadratic form, linear form"),
    ("(x @ A @ x + 1) / (1 + torch.exp(b @ x))", "x: n, A: n n, b: n", "x"): (
        "quotient rule",
        "quadratic form, linear form",
    ),
    ("torch.log(a @ X @ b)", "X: m n, a: m, b: n", "X"): ("chain rule", "bilinear form in the matrix"),
    ("torch.sin(x) @ A @ (x ** 2)", "x: n, A: n n", "x"): ("product rule", "weighted sum of"),
    ("torch.trace(torch.linalg.inv(X) @ A) + torch.trace(X @ X)", "X: n n, A: n n", "X"): (
        "linearity",
        "trace of the square",
    ),
    ("(b @ x) * torch.tanh(A @ x)", "x: n, A: m n, b: n", "x"): ("product rule", "linear form"),
    ("torch.cos(t) * torch.exp(-t ** 2)", "t:", "t"): ("product rule", "square of a scalar"),
    ("torch.maximum(x @ A @ x, b @ x)", "x: n, A: n n, b: n", "x"): (
        "chain rule, each argument",
        "quadratic form, linear form",
    ),
}


def composed(own: Written, found: Trace, variable: str) -> Use:
    use = composition(found.node, found.inputs[variable][0])
    assert use is not None
    return use


def shown(own: Written, found: Trace, variable: str, use: Use) -> Piece | None:
    """The tree as the report shows it, checked at a draw."""
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    axes = {name: layout for name, (_, layout) in found.inputs.items()}
    values = {name: leaf_value(tensor) for name, tensor in inputs.items()}
    names = Names(axes, own.shapes, inputs, values, sizes)
    return piece(use, names, derivative_value(own, found, variable))


@pytest.mark.parametrize("case", TREES, ids=lambda case: case[0])
def test_rules_and_identities(case: tuple[str, str, str]) -> None:
    code, shapes, variable = case
    own = written(code, shapes)
    found = traced(own)
    use = composed(own, found, variable)
    rule, names = TREES[case]
    assert use.rule == rule
    leaves = [bound.identity.name for bound in use.bounds()]
    assert [name for name in names.split(", ") if not any(leaf.startswith(name) for leaf in leaves)] == []
    tree = shown(own, found, variable, use)
    assert tree is not None
    assert [m.name for m in tree.matches] == leaves
    assert all(depth == 0 or piece.name in tree_text(tree) for depth, piece in tree.walk())


def tree_text(tree: Piece) -> str:
    return "\n".join(piece.text for _, piece in tree.walk())


@pytest.mark.parametrize("case", TREES, ids=lambda case: case[0])
def test_the_pieces_add_up_to_autograds_derivative(case: tuple[str, str, str]) -> None:
    code, shapes, variable = case
    own = written(code, shapes)
    found = traced(own)
    use = composed(own, found, variable)
    inputs = own.inputs(own.sizes(), 5)
    right = truth(own, inputs, variable)
    assert difference(squeezed(value_of(use.derivative, found, inputs, own.sizes())), squeezed(right)) < 1e-11
    if use.rule in ("linearity", "product rule", "quotient rule"):
        parts = [value_of(part.contribution, found, inputs, own.sizes()) for part in use.parts]
        assert difference(squeezed(torch.stack(parts).sum(0)), squeezed(right)) < 1e-11


@pytest.mark.parametrize("case", TREES, ids=lambda case: case[0])
def test_what_an_identity_of_a_tree_states_is_a_part_of_the_function(case: tuple[str, str, str]) -> None:
    """Statements and bindings are code in the user's names; the letters of the tree are put back."""
    code, shapes, variable = case
    own = written(code, shapes)
    found = traced(own)
    tree = shown(own, found, variable, composed(own, found, variable))
    assert tree is not None
    inputs = own.inputs(own.sizes(), 5)
    for match in tree.matches:
        assert bool(run_code(match.statement, inputs).isnan().any()) <= bool(own(inputs).isnan().any())
        for binding in match.bindings.values():
            run_code(binding, inputs)


def corrupted(use: Use) -> Iterator[Use]:
    """The tree with one derivative changed, each in turn."""
    yield replace(use, derivative=scale(1.001, use.derivative))
    for k, part in enumerate(use.parts):
        for other in corrupted(part):
            yield replace(use, parts=(*use.parts[:k], other, *use.parts[k + 1 :]))


@pytest.mark.parametrize("case", list(TREES)[:6], ids=lambda case: case[0])
def test_a_tree_with_a_wrong_piece_is_not_shown(case: tuple[str, str, str]) -> None:
    code, shapes, variable = case
    own = written(code, shapes)
    found = traced(own)
    use = composed(own, found, variable)
    assert shown(own, found, variable, use) is not None
    wrong = list(corrupted(use))
    assert len(wrong) > 1
    assert [shown(own, found, variable, one) for one in wrong] == [None] * len(wrong)


SINGLE = ["x @ A @ x", "((A @ x) ** 2).sum()", "5 * x @ A @ x", "x @ A @ x + 3"]


@pytest.mark.parametrize("code", SINGLE)
def test_a_function_with_an_identity_is_no_composition(code: str) -> None:
    own = written(code, "x: n, A: n n")
    use = composed(own, traced(own), "x")
    assert use.rule == "identity" and not use.parts


def test_a_function_of_many_parts_has_no_tree() -> None:
    code = " + ".join(f"torch.sin({k} * x).sum() * torch.cos(x).prod()" for k in range(2, 30))
    own = written(code, "x: n")
    found = traced(own)
    assert composition(found.node, found.inputs["x"][0]) is None


# ---- the corpus and random functions, through the whole pipeline --------------------------------------------------


def trees_of(report: Report) -> Iterator[tuple[str, Piece]]:
    for derivative in report:
        assert bool(derivative.uses) == bool(derivative.identity or derivative.tree)
        if derivative.tree is not None:
            yield derivative.variable, derivative.tree


OPEN = [case for case in load("open.toml", "case") if not case["identity"] and case["order"] == 1]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", OPEN, ids=lambda case: case["id"])
def test_every_composition_of_the_corpus_has_a_tree(case: dict[str, object]) -> None:
    report, _ = asked(case)
    derivative = report[str(case["wrt"])]
    assert derivative.identity or derivative.tree
    assert all(use.name for use in derivative.uses)


def functions(seed: int, count: int) -> Iterator[RandomFunction]:
    choose = random.Random(seed)
    while count:
        made = build(choose)
        if made.order == 1 and usable(made):
            count -= 1
            yield made


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(10))
def test_most_random_functions_have_an_identity_or_a_tree(seed: int) -> None:
    """A tree that is there was checked by number, piece by piece; here: that most are, and that none raises."""
    found = asked_for = 0
    for made in functions(seed, 10):
        report = report_of(made)
        derivatives = [d for d in report if d.code is not None and "," not in d.variable]
        asked_for += len(derivatives)
        found += sum(bool(d.uses) for d in derivatives)
        for _, tree in trees_of(report):
            assert tree_text(tree)
    assert found > 0.3 * asked_for
