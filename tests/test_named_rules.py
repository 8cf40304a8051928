"""Rewriting to functions with names, and terms that cancel: what is printed, that values stay, what must not fire."""

from __future__ import annotations

import pytest
from corefixtures import difference, formula_of, run_code, squeezed, traced, truth, value_of, written

from matmagic import named_rules, term_rules
from matmagic.differentiate import differentiate
from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.simplify import simplify, with_names
from matmagic.walk import transform

SHAPES = "x: n, w: n, y: m, A: m n, X: m n, B: n n, t:"

NAMED = {  # function: what it is
    "torch.exp(x) / torch.exp(x).sum()": "softmax(x)",
    "torch.exp(x - x.max()) / torch.exp(x - x.max()).sum()": "softmax(x)",
    "torch.exp(A) / torch.exp(A).sum(1, keepdim=True)": "softmax_rows(A)",
    "torch.exp(A) / torch.exp(A).sum(0)": "softmax_rows(Aᵀ)ᵀ",
    "torch.exp(A @ x) * torch.exp(A @ x).sum() ** -2": "softmax(A x) / (𝟏ᵀ exp(A x))",
    "torch.log(torch.exp(x).sum())": "logsumexp(x)",
    "torch.log(torch.exp(x - x.max()).sum()) + x.max()": "logsumexp(x)",
    "torch.log(torch.exp(A).sum(1))": "logsumexp_rows(A)",
    "torch.log(torch.exp(A).sum(0))": "logsumexp_rows(Aᵀ)",
    "torch.log(torch.softmax(x, 0)) @ x": "(x − logsumexp(x) 𝟏)ᵀ x",
    "1 / (1 + torch.exp(-x))": "σ(x)",
    "1 / (1 + torch.exp(-(w @ x + t))) ** 2": "σ(wᵀ x + t)²",
    "torch.exp(x) / (1 + torch.exp(x))": "σ(x)",
    "torch.log(1 + torch.exp(-y * (A @ x)))": "softplus(−y ⊙ (A x))",
    "torch.log1p(torch.exp(x))": "softplus(x)",
    "torch.log(torch.sigmoid(x))": "−softplus(−x)",
    "torch.log(1 - torch.sigmoid(x))": "−softplus(x)",
    "1 - torch.sigmoid(-x)": "σ(x)",
    "torch.log(torch.exp(x))": "x",
    "(torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)": "tanh(x)",
    "torch.sinh(x) / torch.cosh(x)": "tanh(x)",
    "torch.sign(x) / torch.abs(x)": "1 ⊘ x",
    "torch.sign(A @ x) * torch.abs(A @ x) * y": "y ⊙ (A x)",
    "torch.log(torch.abs(torch.linalg.det(B)))": "log |det(B)|",
    "torch.exp(x - torch.logsumexp(x, 0)) * w": "softmax(x) ⊙ w",
}
OTHERS = {  # function: what it is not
    "torch.exp(x) / torch.exp(w).sum()": "softmax",
    "torch.exp(A) / torch.exp(A).sum()": "softmax",
    "torch.exp(B) / torch.exp(B).sum(1)": "softmax",
    "torch.exp(x) / (1 + torch.exp(x).sum())": "softmax",
    "1 / (1 - torch.exp(-x))": "σ",
    "1 / (2 + torch.exp(-x))": "σ",
    "1 / (1 + 2 * torch.exp(-x))": "σ",
    "1 + torch.exp(-x)": "σ",
    "torch.log(1 + torch.exp(x).sum())": "logsumexp",
    "torch.log(2 + torch.exp(x))": "softplus",
    "torch.log((w * torch.exp(x)).sum())": "logsumexp",
    "torch.exp(x) * torch.sigmoid(-w)": "σ(x)",
    "torch.log(torch.exp(A).sum())": "_rows",
    "torch.exp(x - torch.logsumexp(w, 0))": "softmax",
    "(torch.exp(2 * x) - 1) / (torch.exp(2 * w) + 1)": "tanh",
    "torch.sign(x) / torch.abs(w)": "1 ⊘ x",
    "torch.sinh(x) / torch.cosh(w)": "tanh",
}


@pytest.mark.parametrize("function", NAMED)
def test_a_function_has_its_name(function: str) -> None:
    found = traced(function, SHAPES)
    assert text(notation(simplify(with_names(found.node)))) == NAMED[function]


@pytest.mark.parametrize("function", OTHERS)
def test_no_other_function_has_it(function: str) -> None:
    assert OTHERS[function] not in text(notation(simplify(with_names(traced(function, SHAPES).node))))


GRADIENTS = {  # function and variable: the derivative
    ("torch.exp(x) / torch.exp(x).sum()", "x"): "diag(softmax(x)) − softmax(x) softmax(x)ᵀ",
    ("1 / (1 + torch.exp(-(w @ x + t)))", "x"): "σ(wᵀ x + t)(1 − σ(wᵀ x + t)) w",
    ("(-y * torch.log(torch.sigmoid(X @ w)) - (1 - y) * torch.log(1 - torch.sigmoid(X @ w))).sum()", "w"): (
        "Xᵀ(σ(X w) − y)"
    ),
    ("torch.log(1 + torch.exp(-y * (X @ w))).sum()", "w"): "−Xᵀ(σ(−y ⊙ (X w)) ⊙ y)",
    ("((x - x.mean()) ** 2).sum() / (x.shape[0] - 1)", "x"): "2(x − (𝟏ᵀ x) 𝟏 / n) / (n − 1)",
    ("((A - A.mean(0)) ** 2).sum()", "A"): "2(A − 𝟏 𝟏ᵀ A / m)",
    ("((x - x.mean()) * w).sum()", "x"): "w − (𝟏ᵀ w) 𝟏 / n",
    ("((x - x.mean()) * (w - w.mean())).sum()", "x"): "w − (𝟏ᵀ w) 𝟏 / n",
    ("((x + 0.3 * (w - x)) ** 2).sum()", "x"): "1.4(x + 0.3(w − x))",
    ("torch.log(torch.cosh(A @ x - y)).sum()", "x"): "Aᵀ tanh(A x − y)",
    ("torch.log(torch.abs(1 + w @ x))", "x"): "w / (wᵀ x + 1)",
    ("((A @ x - y) ** 2).sum() + x @ w * t - (x @ w + 1) * t", "x"): "2 Aᵀ(A x − y)",
}


@pytest.mark.parametrize(("function", "variable"), GRADIENTS)
def test_gradients_as_a_textbook_has_them(function: str, variable: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    formula = formula_of(own, found, variable)
    assert formula is not None and text(formula.math) == GRADIENTS[function, variable]
    inputs = own.inputs(own.sizes(), 11)
    right = squeezed(truth(own, inputs, variable))
    assert difference(run_code(formula.code, inputs), right) < 1e-10


SUMS = [
    "((x - x.mean()) / (x * w) + w / x).sum() * x * w",
    "(x * w - (x - 1) * w) * x",
    "torch.sigmoid(-x) * w - w + torch.sigmoid(x) * w",
    "(x / w + w / x) * w * x",
    "(w / x + x) * (x + w)",
    "(B - B.mean(0)).sum(0) + x",
    "(B - B.mean(0)).sum(1) + x",
    "(B - B.mean(0)).T @ x",
    "((x + w) * (x - w)).sum() + w @ w",
    "(x + w) @ B @ (x + w) - w @ B @ w",
]


@pytest.mark.parametrize("function", [*NAMED, *OTHERS, *SUMS])
@pytest.mark.parametrize(
    "rule",
    [*named_rules.ROWS, *term_rules.ROWS, *term_rules.LAST, term_rules.wide_sums],
    ids=lambda rule: rule.__name__,
)
def test_every_rule_keeps_the_value(function: str, rule) -> None:  # type: ignore[no-untyped-def]
    own = written(function, SHAPES)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 3)
    for node in (found.node, differentiate(found.node, found.inputs["x"][0]) if "x" in found.inputs else found.node):
        changed = transform(node, lambda part: rule(part) or part)
        true = value_of(node, found, inputs, sizes)
        if bool(true.isfinite().all()):
            assert difference(value_of(changed, found, inputs, sizes), true) < 1e-9


def test_each_rule_fires() -> None:
    told: set[str] = set()
    more = ["x @ B @ w + w @ B.T @ x", "1 / (1 + x @ B @ w) * (1 / (w @ B.T @ x + 1))", "(B @ x) ** (-2) * (B @ x) * w"]
    for function in (*NAMED, *SUMS, *more):
        simplify(traced(function, SHAPES).node, record=lambda rule, before, after: told.add(rule))
    assert {(rule.__doc__ or "").strip() for rule in (*named_rules.ROWS, *term_rules.ROWS, *term_rules.LAST)} <= told
