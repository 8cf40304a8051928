"""Names for repeated parts: when there are some, which letters, in which order; the same value with them; the legend."""

from __future__ import annotations

from fractions import Fraction

import pytest
from corefixtures import formula_of, squeezed, traced, truth, written
from readback import Setting

from matmagic.legend import legend
from matmagic.naming import latex_where, named, text_where
from matmagic.notation import Chain, Identity, Letter, Num, Ones, Plus, Quotient, Symbol, Times, Transpose, pieces

SHAPES = "q: n, K: m n, V: m k, u: k, x: n, a: n, A: m n, b: m, B: n n, t:"

NAMED = {  # function and variable: the derivative with its names
    ("torch.softmax(K @ q / t, 0) @ V @ u", "q"): "Kᵀ((V u) ⊙ p − (pᵀ V u) p) / t, where p = softmax(K q / t)",
    ("a @ (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)", "x"): (
        "(a − (aᵀ r) r / (n (‖r‖² / n + 10⁻⁵)) − (𝟏ᵀ a) 𝟏 / n) / √(‖r‖² / n + 10⁻⁵), where r = x − (𝟏ᵀ x) 𝟏 / n"
    ),
    ("((A @ x - b) ** 2).sum()", "x"): "2 Aᵀ(A x − b)",
    ("x @ B @ x / (x @ x)", "x"): "((B + Bᵀ) x − 2(xᵀ B x) x / (xᵀ x)) / (xᵀ x)",
}


@pytest.mark.parametrize(("function", "variable"), NAMED)
def test_names_make_long_formulas_shorter(function: str, variable: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    formula = formula_of(own, found, variable)
    assert formula is not None and formula.math is not None
    line = text_where(formula.math, tuple(own.shapes))
    assert line == NAMED[function, variable]
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    setting = Setting(inputs, sizes, squeezed(truth(own, inputs, variable)))
    assert not setting.problem(line)
    assert not setting.problem(latex_where(formula.math, tuple(own.shapes)))


def test_letters_avoid_those_that_are_taken() -> None:
    own = written("torch.softmax(K @ q / t, 0) @ V @ u", SHAPES)
    formula = formula_of(own, traced(own), "q")
    assert formula is not None and formula.math is not None
    for taken, letter in ((("p",), "q" if "q" not in own.shapes else "u"), (("p", "q", "u", "v"), "w")):
        _, ((symbol, _),) = named(formula.math, (*own.shapes, *taken))
        assert symbol.name not in (*own.shapes, *taken) and symbol.name in (letter, "v", "w")


def test_definitions_come_in_order() -> None:
    own = written(
        "(torch.tanh(A @ (x + a) - b) * torch.exp(A @ (x + a) - b)).sum() * torch.sigmoid(a @ (x + a))", SHAPES
    )
    formula = formula_of(own, traced(own), "x")
    assert formula is not None and formula.math is not None
    body, definitions = named(formula.math, tuple(own.shapes))
    assert definitions
    known = set(own.shapes)
    for symbol, meaning in definitions:
        assert {p.name for p in pieces(meaning) if hasattr(p, "name")} <= known
        known.add(symbol.name)
    assert {p.name for p in pieces(body) if hasattr(p, "name")} <= known


def test_the_centring_matrix_has_a_letter() -> None:
    x, A = Symbol("x", ("n",)), Symbol("A", ("n", "n"))
    ones = Chain((Ones("n"), Transpose(Ones("n"))))
    H = Plus((Identity("n"), Times((Num(Fraction(-1)), Quotient(ones, Letter("n"))))))
    assert text_where(Chain((H, A, H, x)), ["x", "A", "n"]) == "H A H x, where H = I − 𝟏 𝟏ᵀ / n"
    assert text_where(Chain((H, A, H, x)), ["x", "A", "n", "H"]) == "(I − 𝟏 𝟏ᵀ / n) A (I − 𝟏 𝟏ᵀ / n) x"
    assert text_where(Chain((H, A, x)), ["x", "A", "n"]) == "(I − 𝟏 𝟏ᵀ / n) A x"


EXPLAINED = {
    ("torch.amax(A, 1).sum()", "A"): ("onehot(argmax_rows(X)) is 1 at the largest entry of each row, else 0",),
    ("torch.relu(A @ x).sum()", "x"): ("step(t) = 1 where t > 0, else 0",),
    ("torch.where(x > 0, x, a).pow(2).sum()", "a"): (
        "where(c, a, b) = a where c holds, else b",
        "step(t) = 1 where t > 0, else 0",
    ),
    ("torch.softmax(A, 1)[:, 0].sum()", "A"): ("softmax_rows is softmax of each row",),
    ("torch.log(x).sum()", "x"): ("⊘ divides entry by entry",),
    ("((A @ x - b) ** 2).sum()", "x"): (),
}


@pytest.mark.parametrize(("function", "variable"), EXPLAINED)
def test_legend(function: str, variable: str) -> None:
    own = written(function, SHAPES)
    formula = formula_of(own, traced(own), variable)
    assert formula is not None and formula.math is not None
    assert legend(formula.math) == EXPLAINED[function, variable]
