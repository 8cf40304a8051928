"""Notation: exact text and LaTeX of textbook derivatives; what is printed, read back, and the code are autograd's values."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from corefixtures import (
    Written,
    difference,
    formula_of,
    run_code,
    squeezed,
    statement,
    traced,
    truth,
    written,
)
from readback import Setting

from matmagic.derivative import has_indices
from matmagic.notation import Chain, Norm, Num, Plus, Pow, Quotient, Symbol, Times, Trace, Transpose, rank
from matmagic.printers.latex import latex
from matmagic.printers.names import latex_name, text_name
from matmagic.printers.sympy_form import sympy_form
from matmagic.printers.text import text
from matmagic.rendering import notation

# function, shapes, variable: the function in text, its derivative in text and LaTeX
TABLE = {
    ("((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m", "x"): ("‖A x − b‖²", "2 Aᵀ(A x − b)", r"2 A^{\top} (A x - b)"),
    ("((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m", "A"): ("‖A x − b‖²", "2(A x − b) xᵀ", r"2 (A x - b) x^{\top}"),
    ("((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m", "b"): ("‖A x − b‖²", "−2(A x − b)", "-2 (A x - b)"),
    ("((A @ x - b) ** 2).mean()", "x: n 1, A: m n, b: m 1", "x"): (
        "‖A x − b‖² / m",
        "2 Aᵀ(A x − b) / m",
        r"\frac{2}{m} A^{\top} (A x - b)",
    ),
    ("x.T @ A @ x", "x: n 1, A: n n", "x"): ("xᵀ A x", "(A + Aᵀ) x", r"(A + A^{\top}) x"),
    ("x.T @ A @ x", "x: n 1, A: n n", "A"): ("xᵀ A x", "x xᵀ", r"x x^{\top}"),
    ("a @ X @ b", "a: m, X: m n, b: n", "X"): ("aᵀ X b", "a bᵀ", r"a b^{\top}"),
    ("a @ X @ b", "a: m, X: m n, b: n", "a"): ("aᵀ X b", "X b", "X b"),
    ("torch.trace(A @ X @ B @ X)", "A: n m, X: m n, B: n m", "X"): (
        "tr(A X B X)",
        "Aᵀ Xᵀ Bᵀ + Bᵀ Xᵀ Aᵀ",
        r"A^{\top} X^{\top} B^{\top} + B^{\top} X^{\top} A^{\top}",
    ),
    ("torch.trace(A @ X @ A @ X)", "A: n m, X: m n", "X"): (
        "tr(A X A X)",
        "2 Aᵀ Xᵀ Aᵀ",
        r"2 A^{\top} X^{\top} A^{\top}",
    ),
    ("torch.trace(X @ X)", "X: n n", "X"): ("tr(X²)", "2 Xᵀ", r"2 X^{\top}"),
    ("torch.trace(X @ X @ X)", "X: n n", "X"): ("tr(X³)", "3(Xᵀ)²", r"3 (X^{\top})^{2}"),
    ("torch.trace(X) ** 2", "X: n n", "X"): ("tr(X)²", "2 tr(X) I", r"2 \operatorname{tr}(X) I"),
    ("torch.trace(X)", "X: n n", "X"): ("tr(X)", "I", "I"),
    ("torch.trace(X.T @ A @ X)", "X: m n, A: m m", "X"): ("tr(Xᵀ A X)", "(A + Aᵀ) X", r"(A + A^{\top}) X"),
    ("torch.trace(X @ A @ X.T)", "X: m n, A: n n", "X"): ("tr(X A Xᵀ)", "X (A + Aᵀ)", r"X \, (A + A^{\top})"),
    ("(X ** 2).sum()", "X: m n", "X"): ("‖X‖_F²", "2 X", "2 X"),
    ("torch.norm(X)", "X: m n", "X"): ("‖X‖_F", "X / ‖X‖_F", r"\frac{X}{\lVert X \rVert_F}"),
    ("torch.norm(x)", "x: n", "x"): ("‖x‖", "x / ‖x‖", r"\frac{x}{\lVert x \rVert}"),
    ("torch.norm(x - a)", "x: n, a: n", "x"): ("‖x − a‖", "(x − a) / ‖x − a‖", r"\frac{x - a}{\lVert x - a \rVert}"),
    ("torch.norm(A @ x - b)", "x: n, A: m n, b: m", "x"): (
        "‖A x − b‖",
        "Aᵀ(A x − b) / ‖A x − b‖",
        r"\frac{A^{\top} (A x - b)}{\lVert A x - b \rVert}",
    ),
    ("x / torch.norm(x)", "x: n", "x"): (
        "x / ‖x‖",
        "(I − x xᵀ / ‖x‖²) / ‖x‖",
        r"\frac{1}{\lVert x \rVert} \left(I - \frac{x x^{\top}}{\lVert x \rVert^{2}}\right)",
    ),
    ("A @ x", "x: n, A: m n", "x"): ("A x", "A", "A"),
    ("A @ x + b", "x: n, A: m n, b: m", "x"): ("A x + b", "A", "A"),
    ("2 * x", "x: n", "x"): ("2 x", "2 I", "2 I"),
    ("w * x", "x: n, w: n", "x"): ("w ⊙ x", "diag(w)", r"\operatorname{diag}(w)"),
    ("x * x", "x: n", "x"): ("x^⊙2", "2 diag(x)", r"2 \operatorname{diag}(x)"),
    ("x ** 3", "x: n", "x"): ("x^⊙3", "3 diag(x^⊙2)", r"3 \operatorname{diag}(x^{\odot 2})"),
    ("(x ** 3).sum()", "x: n", "x"): ("𝟏ᵀ x^⊙3", "3 x^⊙2", r"3 x^{\odot 2}"),
    ("(x ** 5).sum()", "x: n", "x"): ("𝟏ᵀ x^⊙5", "5 x^⊙4", r"5 x^{\odot 4}"),
    ("(w * x ** 2).sum()", "x: n, w: n", "x"): ("wᵀ x^⊙2", "2 w ⊙ x", r"2 w \odot x"),
    ("x.sum()", "x: n", "x"): ("𝟏ᵀ x", "𝟏", r"\mathbf{1}"),
    ("x.sum() ** 2", "x: n", "x"): ("(𝟏ᵀ x)²", "2(𝟏ᵀ x) 𝟏", r"2 (\mathbf{1}^{\top} x) \mathbf{1}"),
    ("x.abs().sum() ** 2", "x: n", "x"): (
        "‖x‖₁²",
        "2 ‖x‖₁ sign(x)",
        r"2 \lVert x \rVert_1 \operatorname{sign}(x)",
    ),
    ("x.mean()", "x: n", "x"): ("𝟏ᵀ x / n", "𝟏 / n", r"\frac{\mathbf{1}}{n}"),
    ("X.sum()", "X: m n", "X"): ("𝟏ᵀ X 𝟏", "𝟏 𝟏ᵀ", r"\mathbf{1} \mathbf{1}^{\top}"),
    ("(x @ x) ** 2", "x: n", "x"): ("(xᵀ x)²", "4(xᵀ x) x", r"4 (x^{\top} x) x"),
    ("(a @ x) * (x @ b)", "x: n, a: n, b: n", "x"): (
        "(aᵀ x)(xᵀ b)",
        "(xᵀ b) a + (aᵀ x) b",
        r"(x^{\top} b) a + (a^{\top} x) b",
    ),
    ("(a @ x) ** 2", "x: n, a: n", "x"): ("(aᵀ x)²", "2(aᵀ x) a", r"2 (a^{\top} x) a"),
    ("(a @ x) * x", "x: n, a: n", "x"): ("(aᵀ x) x", "x aᵀ + (aᵀ x) I", r"x a^{\top} + (a^{\top} x) I"),
    ("(x @ A @ x) / (x @ x)", "x: n, A: n n", "x"): (
        "xᵀ A x / (xᵀ x)",
        "((A + Aᵀ) x − 2(xᵀ A x) x / (xᵀ x)) / (xᵀ x)",
        r"\frac{1}{x^{\top} x} \left((A + A^{\top}) x - \frac{2 x^{\top} A x}{x^{\top} x} x\right)",
    ),
    ("1 / (1 + x @ x)", "x: n", "x"): ("1 / (xᵀ x + 1)", "−2 x / (xᵀ x + 1)²", r"-\frac{2 x}{(x^{\top} x + 1)^{2}}"),
    ("torch.sqrt(1 + x @ x)", "x: n", "x"): ("√(xᵀ x + 1)", "x / √(xᵀ x + 1)", r"\frac{x}{\sqrt{x^{\top} x + 1}}"),
    ("t * (x @ x)", "x: n, t:", "t"): ("t xᵀ x", "xᵀ x", r"x^{\top} x"),
    ("t * (x @ x)", "x: n, t:", "x"): ("t xᵀ x", "2 t x", "2 t x"),
    ("0.5 * (x @ A @ x) - b @ x", "x: n, A: n n, b: n", "x"): (
        "½ xᵀ A x − bᵀ x",
        "½(A + Aᵀ) x − b",
        r"\frac{1}{2} (A + A^{\top}) x - b",
    ),
    ("((A @ x - b) ** 2).sum() + lam * (x @ x)", "x: n, A: m n, b: m, lam:", "x"): (
        "‖A x − b‖² + λ xᵀ x",
        "2 Aᵀ(A x − b) + 2 λ x",
        r"2 A^{\top} (A x - b) + 2 \lambda x",
    ),
    ("(x - mu) @ S @ (x - mu)", "x: n, mu: n, S: n n", "x"): (
        "(x − μ)ᵀ S (x − μ)",
        "(S + Sᵀ)(x − μ)",
        r"(S + S^{\top}) (x - \mu)",
    ),
    ("(A @ x) * (B @ x)", "x: n, A: m n, B: m n", "x"): (
        "(A x) ⊙ (B x)",
        "diag(B x) A + diag(A x) B",
        r"\operatorname{diag}(B x) A + \operatorname{diag}(A x) B",
    ),
    ("x @ torch.diag(w) @ x", "x: n, w: n", "x"): ("(x^⊙2)ᵀ w", "2 x ⊙ w", r"2 x \odot w"),
    ("torch.diagonal(X) @ a", "X: n n, a: n", "X"): ("diag(X)ᵀ a", "diag(a)", r"\operatorname{diag}(a)"),
    ("torch.diag(X).sum()", "X: n n", "X"): ("tr(X)", "I", "I"),
    ("((X @ w - y) ** 2).sum() / (2 * X.shape[0])", "X: m n, w: n, y: m", "w"): (
        "‖X w − y‖² / (2 m)",
        "Xᵀ(X w − y) / m",
        r"\frac{1}{m} X^{\top} (X w - y)",
    ),
    ("((X @ w - y) ** 2).sum() / (2 * X.shape[0])", "X: m n, w: n, y: m", "X"): (
        "‖X w − y‖² / (2 m)",
        "(X w − y) wᵀ / m",
        r"\frac{1}{m} (X w - y) w^{\top}",
    ),
    ("((A @ X - B) ** 2).sum()", "X: n k, A: m n, B: m k", "X"): (
        "‖A X − B‖_F²",
        "2 Aᵀ(A X − B)",
        r"2 A^{\top} (A X - B)",
    ),
    ("((X - A @ B) ** 2).sum()", "X: m n, A: m k, B: k n", "A"): (
        "‖X − A B‖_F²",
        "−2(X − A B) Bᵀ",
        r"-2 (X - A B) B^{\top}",
    ),
    ("x[0] * x[1]", "x: n", "x"): ("x₁ x₂", "x₂ e₁ + x₁ e₂", "x_{2} e_{1} + x_{1} e_{2}"),
    ("torch.stack([x[0] * x[1], x[2] ** 2])", "x: 3", "x"): (
        "[x₁ x₂, x₃²]",
        "[[x₂, x₁, 0], [0, 0, 2 x₃]]",
        r"\begin{bmatrix} x_{2} & \; x_{1} & \; 0 \\ 0 & \; 0 & \; 2 x_{3} \end{bmatrix}",
    ),
    ("x @ A @ A @ A @ x", "x: n, A: n n", "A"): (
        "xᵀ A³ x",
        "x xᵀ(Aᵀ)² + Aᵀ x xᵀ Aᵀ + (Aᵀ)² x xᵀ",
        r"x x^{\top} (A^{\top})^{2} + A^{\top} x x^{\top} A^{\top} + (A^{\top})^{2} x x^{\top}",
    ),
    ("torch.outer(x, x) @ a", "x: n, a: n", "x"): ("(xᵀ a) x", "(xᵀ a) I + x aᵀ", r"(x^{\top} a) I + x a^{\top}"),
    ("(X * A).sum()", "X: m n, A: m n", "X"): ("tr(X Aᵀ)", "A", "A"),
    ("(X * X * A).sum()", "X: m n, A: m n", "X"): ("tr(X^⊙2 Aᵀ)", "2 X ⊙ A", r"2 X \odot A"),
    ("1 / x", "x: n", "x"): ("1 ⊘ x", "−diag(1 ⊘ x^⊙2)", r"-\operatorname{diag}(1 \oslash x^{\odot 2})"),
    ("(1 / x).sum()", "x: n", "x"): ("𝟏ᵀ(1 ⊘ x)", "−1 ⊘ x^⊙2", r"-1 \oslash x^{\odot 2}"),
    ("x @ y", "x: n, y: n", "y"): ("xᵀ y", "x", "x"),
    ("t ** 3", "t:", "t"): ("t³", "3 t²", "3 t^{2}"),
    ("t ** -2", "t:", "t"): ("1 / t²", "−2 / t³", r"-\frac{2}{t^{3}}"),
    ("(t * x) @ (t * x)", "t:, x: n", "t"): ("t² xᵀ x", "2 t xᵀ x", r"2 t x^{\top} x"),
    ("-x @ A @ x", "x: n, A: n n", "x"): ("−xᵀ A x", "−(A + Aᵀ) x", r"-(A + A^{\top}) x"),
    ("torch.trace(A @ X.T @ X)", "A: n n, X: m n", "X"): ("tr(A Xᵀ X)", "X (A + Aᵀ)", r"X \, (A + A^{\top})"),
    ("x - x.mean()", "x: n", "x"): ("x − (𝟏ᵀ x) 𝟏 / n", "I − 𝟏 𝟏ᵀ / n", r"I - \frac{\mathbf{1} \mathbf{1}^{\top}}{n}"),
}


@pytest.mark.parametrize("case", TABLE)
def test_exact_notation(case: tuple[str, str, str]) -> None:
    body, shapes, variable = case
    own = written(body, shapes)
    found = traced(own, positive=True)
    formula = formula_of(own, found, variable)
    assert formula is not None
    shown = statement(own, found)
    assert shown is not None
    assert (text(shown), text(formula.math), latex(formula.math)) == TABLE[case]


@pytest.mark.parametrize("case", TABLE)
def test_printed_text_says_what_autograd_says(case: tuple[str, str, str]) -> None:
    """The text is read back as a claim is."""
    body, shapes, variable = case
    own = written(body, shapes)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11, positive=True)
    function, slope, _ = TABLE[case]
    assert not Setting(inputs, sizes, truth(own, inputs, variable)).problem(slope)
    assert not Setting(inputs, sizes, own(inputs)).problem(function)


MISPRINTS = {
    "2 Aᵀ(A x − b)": [
        "2 A(A x − b)",
        "2 Aᵀ A x − b",
        "Aᵀ(A x − b)",
        "−2 Aᵀ(A x − b)",
        "2 (A x − b) Aᵀ",
        "2 Aᵀ(A x + b)",
    ]
}


def test_the_reader_refuses_misprints() -> None:
    own = written("((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m")
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    right = truth(own, inputs, "x")
    for good, bad in MISPRINTS.items():
        setting = Setting(inputs, sizes, right)
        assert not setting.problem(good)
        assert all(setting.problem(line) for line in bad)


# ---- code, in every layout of every vector ------------------------------------------------------------------------

# vectors are written as columns; a layout prepares the arguments: x is 1-D, a column or a row
LAID_OUT = [
    ("((A @ x - b) ** 2).sum()", "A: m n, x: n, b: m"),
    ("(x.T @ B @ y).squeeze()", "B: n n, x: n, y: n"),
    ("(x.T @ B @ x) * (y.T @ x)", "B: n n, x: n, y: n"),
    ("(b.T @ A @ x) ** 2", "A: m n, x: n, b: m"),
    ("torch.norm(A @ x - b)", "A: m n, x: n, b: m"),
    ("torch.norm(A + b @ x.T)", "A: m n, x: n, b: m"),
    ("(A * (b @ x.T)).sum()", "A: m n, x: n, b: m"),
    ("A @ x + b", "A: m n, x: n, b: m"),
    ("(A @ x) * b", "A: m n, x: n, b: m"),
    ("(B @ x) * y + x.sum() * y", "B: n n, x: n, y: n"),
    ("x / torch.norm(y)", "x: n, y: n"),
    ("(x.T @ y) * x", "x: n, y: n"),
    ("t * (x - y) + x.mean() * x", "t:, x: n, y: n"),
    ("(A + b).sum() * (A * x.T).sum()", "A: m n, x: n, b: m"),
    ("torch.trace((B + x @ y.T) @ (B + x @ y.T))", "B: n n, x: n, y: n"),
    ("((A + b @ x.T).T @ b).sum()", "A: m n, x: n, b: m"),
    ("(A + b @ x.T) @ y", "A: m n, x: n, b: m, y: n"),
    ("x[0, 0] * y[1, 0] + (x * y).sum() ** 2", "x: n, y: n"),
    ("torch.sqrt(1 + (A @ x) ** 2).sum()", "A: m n, x: n"),
    ("(1 / (1 + x ** 2)) * y", "x: n, y: n"),
    ("((x - y) ** 2).sum() / x.shape[0]", "x: n, y: n"),
    ("((A.T @ b + x) ** 3).sum()", "A: m n, x: n, b: m"),
    ("(A + C.T) @ x", "A: m n, C: n m, x: n"),
    ("((A + C.T).sum(1, keepdim=True) * b).sum()", "A: m n, C: n m, b: m"),
    ("((A * C.T).sum(1, keepdim=True) ** 2).sum()", "A: m n, C: n m, b: m"),
]
LAYOUTS = {
    "1-D": ("{}", lambda n: (n,), "{0} = {0}[:, None]"),
    "column": ("{}", lambda n: (n, 1), ""),
    "row": ("{}", lambda n: (1, n), "{0} = {0}.T"),
}


@pytest.mark.parametrize("case", LAID_OUT)
def test_code_in_every_layout_of_every_vector(case: tuple[str, str]) -> None:
    body, shapes = case
    base = written(body, shapes)
    vectors = [name for name, shape in base.shapes.items() if len(shape) == 1]
    for layouts in product(LAYOUTS, repeat=len(vectors)):
        prepared, laid = [], dict(base.shapes)
        for name, layout in zip(vectors, layouts, strict=True):
            _, shape, line = LAYOUTS[layout]
            laid[name] = shape(laid[name][0])
            prepared.append(line.format(name))
        own = Written("\n".join([*filter(None, prepared), f"return {body}"]), laid)
        found = traced(own)
        inputs = own.inputs(own.sizes(), 11)
        for variable in own.shapes:
            formula = formula_of(own, found, variable)
            assert formula is not None, (layouts, variable)
            where = (dict(zip(vectors, layouts, strict=True)), variable, formula.code)
            assert difference(run_code(formula.code, inputs), truth(own, inputs, variable)) < 1e-10, where
            assert not any(word in formula.code for word in ("grad", "autograd", "backward"))


FUNCTIONS_WITH_HESSIANS = [
    "x @ B @ x",
    "(x @ x) ** 2",
    "torch.norm(x)",
    "(x @ B @ x) / (x @ x)",
    "((A @ x - z) ** 2).sum()",
    "(x ** 4).sum()",
    "x.sum() ** 3",
    "1 / (1 + x @ x)",
]


@pytest.mark.parametrize("function", FUNCTIONS_WITH_HESSIANS)
def test_hessian_code_and_text(function: str) -> None:
    own = written(function, "x: n, A: m n, B: n n, z: m")
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    formula = formula_of(own, found, "x", order=2)
    assert formula is not None and not has_indices(formula.math)
    right = truth(own, inputs, "x", order=2)
    assert difference(run_code(formula.code, inputs), right) < 1e-10
    assert not Setting(inputs, sizes, right).problem(text(formula.math))


TENSORS = [
    "A @ B",
    "x[:, None] * B",
    "torch.outer(x, x)",
    "torch.outer(x, y)",
    "A.T",
    "(2 * A).T",
    "B / (1 + torch.trace(B) ** 2)",
    "B @ B",
    "torch.diag(x)",
    "torch.outer(x, z).T",
    "(A ** 2).mT",
]


@pytest.mark.parametrize("function", TENSORS)
def test_tensor_derivatives_have_the_axes_of_the_result_first(function: str) -> None:
    own = written(function, "x: n, y: n, z: m, A: m n, B: n n")
    found = traced(own)
    inputs = own.inputs(own.sizes(), 11)
    for variable in own.shapes:
        formula = formula_of(own, found, variable)
        right = truth(own, inputs, variable)
        if formula is not None and bool(right.any()):
            assert difference(run_code(formula.code, inputs), right) < 1e-10, (variable, formula.code)


STATEMENTS = [
    "A.T",
    "(2 * A).T",
    "torch.outer(x, z).T",
    "torch.norm((x ** 2) @ torch.outer(x, x))",
    "torch.norm(torch.diagonal(B))",
    "(torch.eye(x.shape[0]) * x)[2, 0]",
    "A.reshape(-1)",
    "(B - B) ** 5",
    "torch.norm(x * y)",
    "torch.norm(t * x)",
    "torch.norm(2 * x)",
    "torch.norm(B.mean(1))",
    "torch.norm(A @ x / (1 + t ** 2))",
    "torch.norm(torch.eye(B.shape[0])) * B.sum()",
]


@pytest.mark.parametrize("function", STATEMENTS)
def test_the_function_itself_as_printed(function: str) -> None:
    own = written(function, "x: n, y: n, z: m, A: m n, B: n n, t:")
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    shown = statement(own, traced(own))
    if shown is None:
        assert "reshape" in function  # flattened: no notation
        return
    assert not Setting(inputs, sizes, own(inputs)).problem(text(shown)), text(shown)


# ---- SymPy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", list(TABLE)[::3])
def test_sympy_form_on_explicit_matrices(case: tuple[str, str, str]) -> None:
    import sympy

    body, shapes, variable = case
    own = written(body, shapes)
    found = traced(own, positive=True)
    formula = formula_of(own, found, variable)
    assert formula is not None
    form = sympy_form(formula.math)
    assert form is not None
    sizes = dict(zip(own.letters(), (3, 4, 5), strict=False))
    inputs = own.inputs(sizes, 11, positive=True)
    right = squeezed(truth(own, inputs, variable))
    form = sympy.sympify(form).subs({sympy.Symbol(k, integer=True, positive=True): v for k, v in sizes.items()})
    values = {}
    for symbol in form.atoms(sympy.MatrixSymbol) | form.free_symbols:
        own_value = inputs[str(symbol)]
        matrix = own_value.reshape(symbol.shape) if isinstance(symbol, sympy.MatrixSymbol) else own_value
        values[symbol] = sympy.Matrix(matrix.tolist()) if isinstance(symbol, sympy.MatrixSymbol) else float(matrix)
    explicit = form.xreplace(values).doit()
    explicit = explicit.as_explicit() if hasattr(explicit, "as_explicit") else explicit
    numbers = (
        sympy.Matrix(explicit).evalf() if getattr(explicit, "is_Matrix", False) else sympy.Matrix([[explicit.evalf()]])
    )
    found_value = torch.tensor([[float(v) for v in numbers.row(i)] for i in range(numbers.rows)], dtype=torch.float64)
    assert difference(squeezed(found_value), right) < 1e-10


# ---- printers -----------------------------------------------------------------------------------------------------

A, x, b, t = Symbol("A", ("m", "n")), Symbol("x", ("n",)), Symbol("b", ("m",)), Symbol("t", ())
PRINTED = {
    "Aᵀ b": (Chain((Transpose(A), b)), r"A^{\top} b"),
    "tr(A)": (Trace(A), r"\operatorname{tr}(A)"),
    "‖x‖²": (Pow(Norm(x, False), Num(2).value, False), r"\lVert x \rVert^{2}"),
    "A x / ‖b‖": (Quotient(Chain((A, x)), Norm(b, False)), r"\frac{A x}{\lVert b \rVert}"),
    "t (A x + b)": (Times((t, Plus((Chain((A, x)), b)))), r"t \, (A x + b)"),
}


@pytest.mark.parametrize("line", PRINTED)
def test_printers(line: str) -> None:
    math, tex = PRINTED[line]
    assert (text(math), latex(math)) == (line, tex)


@pytest.mark.parametrize(
    ("name", "plain", "tex"),
    [
        ("alpha", "α", r"\alpha"),
        ("lam", "λ", r"\lambda"),
        ("W_q", "W_q", "W_{q}"),
        ("x_1", "x₁", "x_{1}"),
        ("loss", "loss", r"\mathrm{loss}"),
    ],
)
def test_names(name: str, plain: str, tex: str) -> None:
    assert (text_name(name), latex_name(name)) == (plain, tex)


def test_rank_of_notation() -> None:
    assert [rank(m) for m in (A, x, t, Chain((A, x)), Chain((Transpose(x), x)), Chain((b, Transpose(x))))] == [
        2,
        1,
        0,
        1,
        0,
        2,
    ]


def test_float_coefficients_survive() -> None:
    own = written("0.30000000000000004 * (x @ x)", "x: n")
    found = traced(own)
    formula = formula_of(own, found, "x")
    assert formula is not None and "0.6000000000000001" in formula.code
    assert text(notation(found.node)).startswith("0.3 ")  # what rounding alone parts from 3/10


PARTS_OF_THREE_AXES = [
    ("(A - x) * ((A - x) @ B)", "x: n, A: m n, B: n n"),
    ("(torch.outer(z, z) - z) ** 2", "z: m"),
    ("r = torch.outer(z, z) - torch.eye(z.shape[0])\nr @ r", "z: m"),
    ("torch.diagonal((B * x - t * B) @ (B * x - t * B))", "x: n, B: n n, t:"),
]


@pytest.mark.parametrize(("body", "shapes"), PARTS_OF_THREE_AXES)
def test_derivatives_with_a_sum_of_three_axes_inside(body: str, shapes: str) -> None:
    own = written(body, shapes)
    found = traced(own)
    inputs = own.inputs(own.sizes(), 11)
    for variable in own.shapes:
        formula = formula_of(own, found, variable)
        if formula is not None:
            assert difference(run_code(formula.code, inputs), truth(own, inputs, variable)) < 1e-10, variable
