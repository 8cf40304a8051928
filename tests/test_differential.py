"""Derivatives with more than two indices: their differentials, vec forms and entries, as shown, and by number."""

from __future__ import annotations

import pytest
import torch
from corefixtures import difference, leaf_value, run_code, squeezed, traced, truth, value_of, written
from test_checking import checked
from torch import Tensor

from matmagic import typeset
from matmagic.derivative import Derivative
from matmagic.differential import differential
from matmagic.expr import leaf
from matmagic.left_sides import left_side, one_entry
from matmagic.tensor_forms import Equation

CASES: dict[tuple[str, str, str], tuple[str, ...]] = {  # function, shapes, variable -> lines
    # linear
    ("A @ X @ B", "A: k n, X: n m, B: m p", "X"): (
        "df = A dX B",
        "vec(df) = (Bᵀ ⊗ A) vec(dX)",
        "∂f_ij/∂X_kl = A_ik B_lj",
    ),
    ("A @ X.T @ B", "A: k m, X: n m, B: n p", "X"): (
        "df = A dXᵀ B",
        "vec(df) = (Bᵀ ⊗ A) K_nm vec(dX)",
        "∂f_ij/∂X_kl = A_il B_kj",
    ),
    ("W @ x", "W: m n, x: n", "W"): ("df = dW x", "df = (xᵀ ⊗ I) vec(dW)", "∂f_i/∂W_jk = δ_ij x_k"),
    ("W @ x", "W: m n, x: n 1", "W"): ("df = dW x", "df = (xᵀ ⊗ I) vec(dW)", "∂f_i/∂W_jk = δ_ij x_k"),
    ("W @ x.T", "W: m n, x: 1 n", "W"): ("df = dW x", "df = (xᵀ ⊗ I) vec(dW)", "∂f_i/∂W_jk = δ_ij x_k"),
    ("x.T @ x", "x: 1 n", "x"): (
        "df = dx xᵀ + x dxᵀ",
        "vec(df) = (x ⊗ I + I ⊗ x) dx",
        "∂f_ij/∂x_k = δ_ik x_j + δ_jk x_i",
    ),
    ("x.T @ W", "W: n m, x: n 1", "W"): ("df = dWᵀ x", "df = (I ⊗ xᵀ) vec(dW)", "∂f_i/∂W_jk = δ_ik x_j"),
    ("X.T", "X: n m", "X"): ("df = dXᵀ", "vec(df) = K_nm vec(dX)", "∂f_ij/∂X_kl = δ_il δ_jk"),
    ("X - X.mean(0)", "X: n m", "X"): (
        "df = dX − 𝟏 𝟏ᵀ dX / n",
        "vec(df) = (I ⊗ (I − 𝟏 𝟏ᵀ / n)) vec(dX)",
        "∂f_ij/∂X_kl = δ_ik δ_jl − δ_jl / n",
    ),
    ("torch.diag(A @ X @ B)", "A: m n, X: n p, B: p m", "X"): ("df = diag(A dX B)", "∂f_i/∂X_jk = A_ij B_ki"),
    ("X @ torch.diag(x) @ X.T", "X: m n, x: n", "x"): ("df = X diag(dx) Xᵀ", "∂f_ij/∂x_k = X_ik X_jk"),
    ("X[1:] - X[:-1]", "X: n m", "X"): (
        "df = dX_{2:n,:} − dX_{1:n−1,:}",
        "vec(df) = (I ⊗ (I_{2:n,:} − I_{1:n−1,:})) vec(dX)",
        "∂f_ij/∂X_kl = δ_jl δ_{i+1,k} − δ_jl δ_ik",
    ),
    # products
    ("X @ X", "X: n n", "X"): (
        "df = dX X + X dX",
        "vec(df) = (Xᵀ ⊗ I + I ⊗ X) vec(dX)",
        "∂f_ij/∂X_kl = δ_ik X_lj + δ_jl X_ik",
    ),
    ("X.T @ X", "X: n m", "X"): (
        "df = dXᵀ X + Xᵀ dX",
        "vec(df) = ((Xᵀ ⊗ I) K_nm + I ⊗ Xᵀ) vec(dX)",
        "∂f_ij/∂X_kl = δ_il X_kj + δ_jl X_ki",
    ),
    ("torch.outer(x, x)", "x: n", "x"): (
        "df = dx xᵀ + x dxᵀ",
        "vec(df) = (x ⊗ I + I ⊗ x) dx",
        "∂f_ij/∂x_k = δ_ik x_j + δ_jk x_i",
    ),
    ("torch.linalg.inv(X)", "X: n n", "X"): (
        "df = −X⁻¹ dX X⁻¹",
        "vec(df) = −(X⁻ᵀ ⊗ X⁻¹) vec(dX)",
        "∂f_ij/∂X_kl = −(X⁻¹)_ik (X⁻¹)_lj",
    ),
    ("torch.trace(X) * X", "X: n n", "X"): (
        "df = tr(dX) X + tr(X) dX",
        "vec(df) = (vec(X) vec(I)ᵀ + tr(X)(I ⊗ I)) vec(dX)",
        "∂f_ij/∂X_kl = X_ij δ_kl + tr(X) δ_ik δ_jl",
    ),
    # entry by entry
    ("torch.tanh(X)", "X: n m", "X"): (
        "df = (𝟏 𝟏ᵀ − tanh(X)^⊙2) ⊙ dX",
        "vec(df) = diag(vec(𝟏 𝟏ᵀ − tanh(X)^⊙2)) vec(dX)",
        "∂f_ij/∂X_kl = δ_ik δ_jl (1 − tanh(X_ij)²)",
    ),
    ("torch.tanh(W @ x + b)", "W: m n, x: n, b: m", "W"): (
        "df = (𝟏 − tanh(W x + b)^⊙2) ⊙ (dW x)",
        "df = (xᵀ ⊗ diag(𝟏 − tanh(W x + b)^⊙2)) vec(dW)",
        "∂f_i/∂W_jk = δ_ij (1 − tanh((W x)_i + b_i)²) x_k",
    ),
    ("A * X.T", "A: n m, X: m n", "X"): (
        "df = A ⊙ dXᵀ",
        "vec(df) = diag(vec(A)) K_mn vec(dX)",
        "∂f_ij/∂X_kl = δ_il δ_jk A_ij",
    ),
    ("X / X.norm()", "X: n m", "X"): (
        "df = (dX − tr(Xᵀ dX) X / ‖X‖_F²) / ‖X‖_F",
        "vec(df) = (I ⊗ I − vec(X) vec(X)ᵀ / ‖X‖_F²) vec(dX) / ‖X‖_F",
        "∂f_ij/∂X_kl = δ_ik δ_jl / ‖X‖_F − X_ij X_kl / ‖X‖_F³",
    ),
    ("torch.softmax(X, 1)", "X: n m", "X"): (
        "df = softmax_rows(X) ⊙ dX − diag((softmax_rows(X) ⊙ dX) 𝟏) softmax_rows(X)",
        "vec(df) = (diag(vec(softmax_rows(X))) − diag(vec(softmax_rows(X)))((𝟏 𝟏ᵀ) ⊗ I) diag(vec(softmax_rows(X)))) vec(dX)",
        "∂f_ij/∂X_kl = δ_ik δ_jl softmax_p(X_ip)_j − δ_ik softmax_p(X_ip)_j softmax_p(X_ip)_l",
    ),
    # flattened results
    ("(A @ X @ B).T.reshape(-1)", "A: k n, X: n m, B: m p", "X"): (
        "df = vec(A dX B)",
        "df = (Bᵀ ⊗ A) vec(dX)",
    ),
    # more than two axes
    ("torch.einsum('ijk,k->ij', T, x)", "T: k m n, x: n", "x"): ("∂f_ij/∂x_k = T_ijk",),
    ("torch.einsum('ijk,j,k->i', T, x, x)", "T: k n n, x: n", "x"): ("∂f_i/∂x_j = Σ_k T_ijk x_k + Σ_k T_ikj x_k",),
    ("torch.exp(-((X[:, None] - Y[None]) ** 2).sum(-1)).sum()", "X: m k, Y: n k", "X"): (
        "[∇_X f]_ij = −2 Σ_k exp(−Σ_l (X_il − Y_kl)²)(X_ij − Y_kj)",
    ),
}


def shown(body: str, shapes: str, variable: str, name: str = "f", **options: object) -> Derivative:
    """The derivative as the report has it."""
    of = {n: ",".join(map(str, s)) or "()" for n, s in written(body, shapes).shapes.items()}
    cell = f"def {name}({', '.join(of)}):\n    return {body}"
    return checked(cell, shapes=of, wrt=(variable,), **options)[variable]


def lines_of(derivative: Derivative) -> list[str]:
    return [f"{line.left_text} = {line.text}" for line in derivative.lines]


@pytest.mark.parametrize("case", CASES)
def test_lines(case: tuple[str, str, str]) -> None:
    derivative = shown(*case)
    assert tuple(lines_of(derivative)) == CASES[case]
    assert f"{derivative.left_text} = {derivative.text}" == CASES[case][0]


@pytest.mark.parametrize("case", [c for c in CASES if not c[0].startswith("torch.exp(-")])
def test_code_of_every_line(case: tuple[str, str, str]) -> None:
    body, shapes, variable = case
    derivative = shown(*case)
    own = written(body, shapes)
    inputs = own.inputs(own.sizes(), 11)
    right = truth(own, inputs, variable)
    assert derivative.code is not None and difference(run_code(derivative.code, inputs), right) < 1e-10
    for line in derivative.lines:
        if line.increment:
            step = torch.randn(inputs[variable].shape, dtype=torch.float64)
            found = squeezed(run_code(line.code, {**inputs, line.increment: step}))
            moved = torch.tensordot(right, leaf_value(step), dims=leaf_value(step).ndim)
            stacked = moved.T.reshape(-1) if line.left_text.startswith("vec") else moved
            assert difference(found, stacked) < 1e-10, line.code
        if line.matrix:
            assert difference(run_code(line.matrix, inputs), by_columns(right, inputs[variable])) < 1e-10


def by_columns(derivative: Tensor, variable: Tensor) -> Tensor:
    """The derivative as a matrix, the columns of f and of the variable stacked."""
    inner = leaf_value(variable).ndim
    order = [*range(derivative.ndim - inner)[::-1], *range(derivative.ndim - inner, derivative.ndim)[::-1]]
    return derivative.permute(order).reshape(-1, variable.numel())


# ---- what is not shown --------------------------------------------------------------------------------------------


def test_a_wrong_line_is_refused() -> None:
    own = written("A @ X @ B", "A: k n, X: n m, B: m p")
    inputs = own.inputs(own.sizes(), 11)
    right = truth(own, inputs, "X")
    line = shown("A @ X @ B", "A: k n, X: n m, B: m p", "X").lines[1]
    assert line.agrees(inputs, "X", right)
    codes = [
        ("2 * ", ""),
        ("", "[::1].flip(0)"),
        ("", " + 1e-6"),
        ("torch.nan * ", ""),
    ]
    for before, after in codes:
        for field in ("code", "matrix"):
            code = f"{before}({getattr(line, field)}){after}"
            wrong = Equation(**{**fields_of(line), field: code})
            assert not wrong.agrees(inputs, "X", right), code
    rows = line.code.replace(".T.reshape", ".reshape")
    assert not Equation(**{**fields_of(line), "code": rows}).agrees(inputs, "X", right)


def fields_of(line: Equation) -> dict[str, object]:
    names = ("left_latex", "left_text", "math", "code", "increment", "matrix", "where")
    return {name: getattr(line, name) for name in names}


def test_what_fails_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Equation, "agrees", lambda *_: False)
    derivative = shown("X @ X", "X: n n", "X")
    assert lines_of(derivative) == ["∂f_ij/∂X_kl = δ_ik X_lj + δ_jl X_ik"]


# ---- letters ------------------------------------------------------------------------------------------------------

LETTERS = {  # function, shapes -> first two lines
    ("X @ dX", "X: n m, dX: m k"): ("δf = δX dX", "vec(δf) = (dXᵀ ⊗ I) vec(δX)"),
    ("d * X", "X: n m, d:"): ("δf = d δX", "vec(δf) = d (I ⊗ I) vec(δX)"),
    ("d * delta @ X", "X: n m, d:, delta: k n"): ("Δf = d δ ΔX", "vec(Δf) = d (I ⊗ δ) vec(ΔX)"),
    ("X.T @ K", "X: n m, K: n k"): ("df = dXᵀ K", "∂f_ij/∂X_kl = δ_il K_kj"),
    ("I @ X", "X: n m, I: k n"): ("df = I dX", "∂f_ij/∂X_kl = δ_jl I_ik"),
}


@pytest.mark.parametrize("case", LETTERS)
def test_letters_with_two_meanings_are_avoided(case: tuple[str, str]) -> None:
    assert tuple(lines_of(shown(*case, "X"))[:2]) == LETTERS[case]


def test_delta_of_the_user_beside_the_symbol() -> None:
    assert not any("δ_" in line for line in lines_of(shown("delta @ X", "X: n m, delta: k n", "X")))


def test_names_of_more_than_a_letter() -> None:
    derivative = shown("torch.exp(weights @ x)", "weights: m n, x: n", "weights", name="layer")
    assert lines_of(derivative)[0] == "d layer = exp(weights x) ⊙ (dweights x)"
    main = derivative.lines[0]
    assert main.left_latex == r"\mathrm{d}\,\mathrm{layer}"
    assert main.latex == r"\exp(\mathrm{weights} \, x) \odot (\mathrm{d}\,\mathrm{weights} \, x)"


def test_what_k_means_is_said() -> None:
    derivative = shown("X.T @ X", "X: n m", "X")
    assert [line.where for line in derivative.lines] == ["", "K_nm vec(X) = vec(Xᵀ)", ""]


# ---- other orders and kinds ---------------------------------------------------------------------------------------


def test_hessian_by_a_matrix() -> None:
    derivative = shown("torch.trace(X.T @ A @ X)", "X: n m, A: n n", "X", order=2)
    assert derivative.kind == "hessian"
    assert lines_of(derivative) == [
        "d∇_X f = (A + Aᵀ) dX",
        "vec(d∇_X f) = (I ⊗ (A + Aᵀ)) vec(dX)",
        "∂²f/∂X_ij∂X_kl = δ_jl A_ik + δ_jl A_ki",
    ]
    assert derivative.code_left == "∇²_X f"


WITHOUT_LINES = {  # function, shapes, variable -> the formula
    ("torch.exp(t * A)", "t:, A: n m", "t"): "∂f/∂t = exp(t A) ⊙ A",
    ("torch.kron(x, y)", "x: n, y: m", "x"): "∂f/∂x = I ⊗ y",
    ("A @ x", "A: m n, x: n", "x"): "∂f/∂x = A",
    ("x @ A @ x", "A: n n, x: n", "x"): "∇ₓ f = (A + Aᵀ) x",
}


@pytest.mark.parametrize("case", WITHOUT_LINES)
def test_derivatives_with_up_to_two_indices_are_one_formula(case: tuple[str, str, str]) -> None:
    derivative = shown(*case)
    assert f"{derivative.left_text} = {derivative.text}" == WITHOUT_LINES[case] and not derivative.lines


def test_flattened_functions_are_said_in_vec_and_kronecker_form() -> None:
    report = checked("def f(X, A): return torch.kron(X, A)", shapes={"X": "n,m", "A": "p,q"}, trials=2)
    assert report.statement_text == "f(X, A) = X ⊗ A" and report["X"].text == "dX ⊗ A"
    report = checked("def f(X, A): return (A @ X).T.reshape(-1)", shapes={"X": "n,m", "A": "p,n"}, trials=2)
    assert report.statement_text == "f(X, A) = vec(A X)"


def test_an_answer_is_told_the_entries() -> None:
    (grade,) = checked("def f(X): return X @ X\nexpected = X", shapes={"X": "n,n"}).claims
    assert "it is ∂f_ij/∂X_kl = δ_ik X_lj + δ_jl X_ik" in grade.sentence


def test_sympy_form_of_a_differential() -> None:
    import sympy

    formula = shown("A @ X @ B", "A: k n, X: n m, B: m p", "X").formula
    assert [str(s) for s in formula.args] == ["A", "dX", "B"] and isinstance(formula, sympy.MatMul)


def test_sympy_form_of_a_kronecker_product() -> None:
    import sympy

    formula = shown("torch.kron(x, y)", "x: 2, y: 3", "x").formula
    y = sympy.MatrixSymbol("y", 3, 1)
    assert formula.as_explicit() == sympy.kronecker_product(sympy.eye(2), y.as_explicit())


DRAWN = [
    ("X.T @ X", "X: n m", "X"),
    ("torch.softmax(X, 1)", "X: n m", "X"),
    ("torch.exp(weights @ x)", "weights: m n, x: n", "weights"),
]


@pytest.mark.parametrize("case", DRAWN)
def test_every_line_can_be_drawn(case: tuple[str, str, str]) -> None:
    for line in shown(*case).lines:
        assert "<svg" in typeset.svg(f"{line.left_latex} = {line.latex}", line.text)


# ---- the expression -----------------------------------------------------------------------------------------------

EXPRESSIONS = [
    ("torch.linalg.inv(X @ X.T + torch.eye(X.shape[0])) @ X", "X: n m", "X"),
    ("torch.softmax(X @ A, 1) @ B", "X: n m, A: m p, B: p k", "X"),
    ("torch.logsumexp(X @ A, 1) * torch.logdet(X @ X.T)", "X: n m, A: m p", "X"),
    ("torch.linalg.pinv(X) @ A", "X: n m, A: n p", "X"),
    ("(x ** 3) / (1 + x @ x) ** 0.5", "x: n", "x"),
    ("torch.maximum(X, A) * torch.sigmoid(X)", "X: n m, A: n m", "X"),
    ("torch.cumsum(X, 0)[1:] * X[:-1]", "X: n m", "X"),
    ("t * X / (1 + t ** 2)", "X: n m, t:", "t"),
]


@pytest.mark.parametrize(("body", "shapes", "variable"), EXPRESSIONS)
def test_differential_is_the_derivative_of_the_increment(body: str, shapes: str, variable: str) -> None:
    own = written(body, shapes)
    found = traced(own)
    x = found.inputs[variable][0]
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    step = torch.randn(inputs[variable].shape, dtype=torch.float64)
    moved = differential(found.node, x, leaf("step", x.shape))
    both = {**inputs, "step": step}
    layout = type(found)(found.node, found.axes, {**found.inputs, "step": found.inputs[variable]}, sizes, ())
    value = value_of(moved, layout, both, sizes)
    right = truth(own, inputs, variable).reshape(*value.shape, -1) @ step.reshape(-1)
    assert difference(value, right) < 1e-10


LEFT = [
    (("f", ["x"], "jacobian", (1, 1)), "∂f/∂x", "∂f_i/∂x_j"),
    (("f", ["a", "b"], "gradient", (0, 1)), "∇_(a, b) f", "[∇_(a, b) f]_i"),
    (("f", ["t"], "gradient", (0, 0)), "∂f/∂t", "∂f/∂t"),
    (("loss", ["W1"], "hessian", (0, 2)), "∇²_W₁ loss", "∂²loss/∂(W₁)_ij∂(W₁)_kl"),
    (("g", ["t"], "derivative", (2, 0)), "∂g/∂t", "∂g_ij/∂t"),
]


@pytest.mark.parametrize(("asked", "whole", "entry"), LEFT)
def test_left_sides(asked: tuple[str, list[str], str, tuple[int, int]], whole: str, entry: str) -> None:
    assert (left_side(*asked)[1], one_entry(*asked)[1]) == (whole, entry)
