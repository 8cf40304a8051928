"""Formulas as people write them: what each says, in torch; what is ambiguous, unknown or doesn't fit; hostile texts."""

from __future__ import annotations

import time

import pytest
import torch
import torch.nn.functional as F

from matmagic.errors import OptionError
from matmagic.reading import Known, Misfit, read

torch.manual_seed(0)
DOUBLE = torch.float64
V = {
    "A": torch.randn(5, 3, dtype=DOUBLE),
    "B": torch.randn(3, 3, dtype=DOUBLE) + 3 * torch.eye(3, dtype=DOUBLE),
    "X": torch.randn(5, 3, dtype=DOUBLE),
    "x": torch.randn(3, dtype=DOUBLE),
    "w": torch.randn(3, dtype=DOUBLE).abs() + 0.5,
    "b": torch.randn(5, dtype=DOUBLE),
    "c": torch.randn(5, 1, dtype=DOUBLE),
    "t": torch.tensor(0.7, dtype=DOUBLE),
    "lam": torch.tensor(0.3, dtype=DOUBLE),
    "theta": torch.randn(3, dtype=DOUBLE),
    "s2": torch.tensor(1.7, dtype=DOUBLE),
    "W_ih": torch.randn(5, 3, dtype=DOUBLE),
    "x_1": torch.tensor(0.4, dtype=DOUBLE),
    "T3": torch.randn(5, 3, 4, dtype=DOUBLE),
    "y": torch.tensor([2, 0, 1, 1, 2]),
}
SIZES = {"m": 5, "n": 3, "k": 4}
KNOWN = Known(tuple(V), tuple(SIZES))
NAMES = {
    "torch": torch,
    "F": F,
    **V,
    "m": 5.0,
    "n": 3.0,
    "I": torch.eye(3, dtype=DOUBLE),
    "one": torch.ones(3, dtype=DOUBLE),
}


def value_of(text: str, right: torch.Tensor, known: Known = KNOWN) -> torch.Tensor:
    return read(text, known).value(V, SIZES, lambda: tuple(right.shape))


def code(expression: str) -> torch.Tensor:
    """The value of torch code in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DOUBLE)
    try:
        found = eval(expression, dict(NAMES))
    finally:
        torch.set_default_dtype(before)
    return found if isinstance(found, torch.Tensor) else torch.tensor(float(found), dtype=DOUBLE)


# formulas that say the same, and what they say
READ: dict[str, list[str]] = {
    "2 * A.T @ (A @ x - b)": [
        "2 Aᵀ(A x − b)", "2Aᵀ(Ax − b)", "2 A^T (A x - b)", "2A'(Ax-b)", "2*A^T*(A*x - b)", "2A^TAx - 2A^Tb", "2 A^t(A x - b)",
        r"2 A^{\top} (A x - b)", r"2A^\top\left(A\mathbf{x}-\mathbf b\right)", r"2 \mathbf{A}^{\mathsf{T}} (\mathbf{A}x - b)",
        r"2 \, A^{\mathrm T} \bigl( A x - b \bigr)", "2A^T r where r = Ax − b", "2 Aᵀ r, where r = A x − b",
        r"2 A^{\top} r, \quad \text{where } r = A x - b", "A^T s, where r = A x - b; s = 2 r", "2 Aᵀ[A x − b]", "$2A^T(Ax-b)$",
        r"2 A^{\intercal}\{A x - b\}", "Σ_j 2 A_ji (A x − b)_j", r"2 \sum_{j=1}^{m} A_{ji} (A x - b)_{j}", "2 𝐀ᵀ(𝐀 x − b)",
        "2 A.T @ (A x - b)", "2 A^⊤ (A x − b)", "2·Aᵀ(A x − b)", "∇ₓ f = 2Aᵀ(Ax − b)", r"\nabla_{x} f = 2 A^\top (A x - b)",
        r"\frac{\partial f}{\partial x} = 2A^T(Ax-b)",
        "∂f/∂x = 2 Aᵀ r where r = A x − b", r"2\cdot A^{T}(Ax-b)",
    ],
    "(B + B.T) @ x": ["(B + B')x", "(B+Bᵀ) x", "B x + B^T x", r"(B + B^{\top}) x", "(B + B^T)*x", "B'x + Bx"],
    "torch.linalg.inv(B).T": [
        "B^{-T}", "B⁻ᵀ", "B^-T", r"B^{-\top}", "(B^-1)'", "(B⁻¹)ᵀ", "inv(B)'", r"\left(B^{-1}\right)^{\top}",
    ],
    "torch.linalg.inv(B) @ x": ["B^-1 x", "B⁻¹x", "B^{-1} x", "B^(-1) x", "inv(B) x"],
    "B @ B @ x": ["B^2 x", "B²x", "BBx", "B^{2}x", r"B^2\,x"],
    "torch.linalg.pinv(A) @ b": ["A⁺ b", "A^+ b", r"A^{\dagger} b", "pinv(A) b"],
    "torch.trace(B) * I": [
        "tr(B) I", "tr(B)I", r"\operatorname{tr}(B) I", r"\mathrm{tr}(B)\,I", "trace(B) I", "tr(B) I_n", "I tr(B)",
    ],
    "torch.linalg.det(B) * torch.linalg.inv(B).T": ["det(B) B⁻ᵀ", r"\det(B) B^{-\top}", "det(B)B^{-T}"],
    "torch.log(torch.linalg.det(B @ B.T))": [
        "log det(B Bᵀ)", r"\log\det(B B^{\top})", "logdet(B B')", "log |det(B Bᵀ)|",
        r"\log \lvert \det (B B^\top) \rvert", r"\ln\left|\det(BB^T)\right|",
    ],
    "x * w": ["x ⊙ w", "x∘w", r"x \odot w", r"x \circ w", "x .* w", "x*w", "diag(x) w", "Diag(w)x"],
    "x / w": ["x ⊘ w", r"x \oslash w", "x ./ w", "diag(w)^-1 x"],
    "x * (x @ x) ** -0.5": [
        "x(x'x)^-0.5", "x(x'x)^{-0.5}", "x(x'x)^(-0.5)", "x(x'x)^-.5", "x(xᵀx)^−0.5", "x/(x'x)^0.5", "x/(x'x)^.5", "x(x'x)**-0.5",
        r"x(x^\top x)^{-0.5}", r"x(x^\top x)^-0.5", r"\frac{x}{(x^\top x)^0.5}", "x(x'x)^-0.5.", "(x'x)^-1.5 x'x x",
    ],
    "w ** 1.5 * 2.5": ["2.5w^⊙1.5", "2.5 w.^1.5", "w^⊙1.5 2.5"],
    "torch.outer(b, x)": ["b x^T", "bxᵀ", r"b x^{\top}", "b*x'"],
    "0.5 * (x @ x) * w": [
        "½ (xᵀx) w", "1/2 x^T x w", r"\tfrac12 x^{\top}x\, w", r"\frac{1}{2} (x^\top x) w", "½(x·x)w", "½‖x‖² w",
        "0.5||x||^2 w", r"\frac12\lVert x\rVert^2 w", r"\frac{\|x\|_2^2}{2} w", "w xᵀx/2",
    ],
    "2 * lam * theta": [
        "2 λ θ", "2λθ", r"2 \lambda \theta", "2 lam theta", "2 lambda theta", r"2\lambda\boldsymbol{\theta}",
        "2*λ*θ",
    ],
    "s2 * x": ["s₂ x", "s2 x", "s_2 x", r"s_2 x", r"s_{2} x"],
    "W_ih @ x": ["W_ih x", "W_{ih} x", r"W_{ih} x", r"\mathbf{W}_{ih}\mathbf{x}"],
    "x_1 * x": ["x_1 x"],
    "x / torch.norm(x)": [
        "x / ‖x‖", "x/||x||", r"\frac{x}{\lVert x \rVert}", r"x/\|x\|_2", r"\frac{x}{\|x\|}", "x (xᵀx)^{-1/2}",
        "x/√(xᵀx)", r"\frac{x}{\sqrt{x^\top x}}",
    ],
    "2 * (A ** 2).sum() * x": ["2‖A‖_F² x", r"2 \lVert A \rVert_F^2 x", r"2\|A\|_F^{2} x", "2 tr(AᵀA) x"],
    "torch.linalg.matrix_norm(A, 2) * x": ["‖A‖₂ x", r"\lVert A \rVert_2 x"],
    "torch.linalg.matrix_norm(A, 'nuc') * x": ["‖A‖_* x", r"\|A\|_* x"],
    "x.abs().sum() * x + x.abs().max() * w": ["‖x‖₁ x + ‖x‖_∞ w", r"\|x\|_1 x + \|x\|_\infty w"],
    "x.abs()": ["|x|", r"\lvert x \rvert", "abs(x)"],
    "abs(t) * x": ["|t| x", r"\lvert t \rvert x", r"\left|t\right|x", "abs(t)x"],
    "one": ["𝟏", r"\mathbf{1}", r"\mathbb{1}", "𝟏_n", r"\mathbf{1}_n", r"\boldsymbol{1}", r"\mathbf 1"],
    "x.sum() * w": [
        "(𝟏ᵀ x) w", "1^T x w", r"(\mathbf{1}^{\top} x) w", "sum(x) w", "Σ_i x_i w",
        r"\left(\sum_{i=1}^{n} x_i\right) w",
    ],
    "I - torch.outer(one, one) / n": [
        "I − 𝟏 𝟏ᵀ / n", r"I - \frac{1}{n}\mathbf{1}\mathbf{1}^\top", r"I_n - \tfrac1n \mathbf{1}\mathbf{1}^{\top}",
    ],
    "torch.sigmoid(X @ w)": ["σ(X w)", r"\sigma(Xw)", "sigmoid(X w)", "𝟏 ⊘ (𝟏 + exp(−X w))", "1 ⊘ (1 + exp(-Xw))"],
    "torch.sigmoid(w) * (1 - torch.sigmoid(w))": ["σ(w) ⊙ (𝟏 − σ(w))", "σ(w) ⊙ (1 − σ(w))", r"\sigma(w)\odot(1-\sigma(w))"],
    "torch.softmax(x, 0) - one / 3": ["softmax(x) − softmax(0)"],
    "torch.softmax(x, 0)": ["softmax(x)", r"\operatorname{softmax}(x)", "exp(x)/(𝟏ᵀ exp(x))", r"\mathrm{softmax}(x)"],
    "torch.softmax(A, 1)": ["softmax(A)", "softmax_rows(A)", r"\operatorname{softmax}_{\mathrm{rows}}(A)"],
    "torch.logsumexp(x, 0) * x": ["logsumexp(x) x", r"\log\left(\mathbf{1}^\top \exp(x)\right) x", "log(Σ_i exp(x_i)) x"],
    "torch.exp(-x @ x) * x": ["exp(−xᵀ x) x", r"e^{-x^{\top}x} x", r"\exp\left(-\|x\|^2\right)x", "e^(−xᵀx) x"],
    "torch.linalg.matrix_exp(t * B)": ["expm(t B)", "e^{tB}", r"e^{t B}"],
    "torch.triu(B, 1)": ["triu(B,1)", r"\operatorname{triu}(B, 1)", "B ⊙ triu(𝟏 𝟏ᵀ, 1)"],
    "torch.eye(3)[y]": ["onehot(y)", r"\operatorname{onehot}(y)"],
    "x ** 3": ["x^⊙3", r"x^{\odot 3}", "x ⊙ x ⊙ x", "x^{⊙3}", "x^{∘3}", r"x^{\circ 3}", "x**3"],
    "w ** -0.5": ["w^⊙(-1/2)", r"w^{\odot -1/2}", "w^⊙(−½)", "1 ⊘ √w"],
    "torch.kron(B.T.contiguous(), A)": ["Bᵀ ⊗ A", r"B^{\top} \otimes A", "B'⊗A", "kron(B', A)", "kron(B.T, A)"],
    "(A @ B).T.reshape(-1)": ["vec(A B)", "(Bᵀ ⊗ I) vec(A)", r"(I \otimes A) \operatorname{vec}(B)"],
    "A.reshape(-1)": ["vec(Aᵀ)", "K_mn vec(A)", r"K_{m,n}\operatorname{vec}(A)"],
    "A[:, 1]": ["A e₂", "A e_2", r"A e_{2}", "A_{:,2}"],
    "torch.eye(3)[:, 2]": ["e₃", "e_3", "e_n", "eₙ"],
    "x[1:]": ["x_{2:n}", r"x_{2:n}"],
    "A[1:3]": ["A_{2:3,:}", r"A_{2:3,:}"],
    "A[:, ::2]": ["A_{:,1:2:n}"],
    "x[1] * x": ["x₂ x", "x_2 x", "x_{2} x"],
    "1 / (1 + torch.exp(-x))": [r"\frac{1}{1 + e^{-x}}", "1/(1+e^{-x})", "σ(x)", "(1 + e^{-x})^{-1}", "1 ⊘ (1 + exp(-x))"],
    "torch.linalg.det(B) * x": ["|B| x", r"\lvert B \rvert x", "det(B) x", r"\det{B} x"],
    "torch.linalg.norm(A) * x": ["‖A‖ x", "norm(A) x", r"\|A\| x", "x √⟨A, A⟩"],
    "(x @ w) * x": ["⟨x, w⟩ x", r"\langle x, w \rangle x", "<x, w> x", "dot(x, w) x", "inner(x, w) x"],
    "torch.outer(x, w)": ["outer(x, w)", "x w'"],
    "(x > w) * 1.0": ["1[x > w]", "𝟏[x>w]", r"\mathbb{1}_{x > w}", r"\mathbf{1}\{x > w\}", "1(x > w)", "[w < x]", "I(x > w)"],
    "1 / torch.cosh(x) ** 2": ["sech²(x)", r"\operatorname{sech}^2(x)", "1/cosh(x)^2", "1 - tanh(x)^2"],
    "x.sum() * one": ["(1'x) 1_n", "(1ᵀx) ones(n)", r"1^\top x \mathbb{1}_n", "sum(x) 1_{n}"],
    "A * A": ["A_ij²", "A_{ij}^2", r"A_{ij} A_{ij}", "A^⊙2"],
    "x @ B @ x * x": [
        "(xᵀ B x) x", "Σ_ij x_i B_ij x_j x", r"x \sum_{i,j} x_i B_{ij} x_j", "x x^T B x",
        "B x xᵀ x − B x xᵀ x + x xᵀ B x",
    ],
    "torch.einsum('ijl,j->il', T3, x)": ["Σ_j T3_ijl x_j", r"\sum_{j} T3_{ijl} x_j", r"\sum_{j=1}^n (T_3)_{ijl} x_j"],
    "torch.eye(3) * 2": ["2 δ_ij", r"2\delta_{ij}", "2 I"],
    "torch.stack([t, 2 * t])": ["[t, 2t]", r"\begin{bmatrix} t \\ 2 t \end{bmatrix}", "t [1, 2]"],
    "torch.stack([torch.stack([t, t * 0]), torch.stack([t * 0, 1 + t])])": [
        "[[t, 0], [0, 1 + t]]", r"\begin{pmatrix} t & 0 \\ 0 & 1+t \end{pmatrix}",
    ],
    "torch.cat([x, 2 * w])": ["[x; 2 w]", r"\begin{bmatrix} x \\ 2 w \end{bmatrix}", "[xᵀ, 2 wᵀ]ᵀ"],
    "torch.cat([x, t[None]])": ["[x; t]", r"\begin{bmatrix} x \\ t \end{bmatrix}"],
    "torch.cat([A, A[:, :1] * 0 + 1], 1)": ["[A, 𝟏]", r"\begin{bmatrix} A & \mathbf{1} \end{bmatrix}"],
    "torch.cat([torch.cat([B, x[:, None]], 1), torch.cat([x[None], t.reshape(1, 1)], 1)])": [
        "[B, x; xᵀ, t]", r"\begin{bmatrix} B & x \\ x^{\top} & t \end{bmatrix}", "[[B, x]; [xᵀ, t]]",
    ],
    "torch.arange(3) * 1.0": ["(0, 1, 2)ᵀ", "(0, …, n−1)ᵀ", r"(0, \ldots, n-1)^{\top}"],
    "x[:-1] - x[1:]": ["x_{1:n−1} − x_{2:n}", "x_{1:n-1} - x_{2:n}"],
    "(x[:-1] * x[1:]).sum() * x": ["(Σ_i x_i x_{i+1}) x"],
    "torch.where(x > 0, x, 0 * x)": ["relu(x)", "where(x > 0, x, 0 x)", "max(x, 0)", "step(x) ⊙ x"],
    "torch.linalg.eigvalsh(B + B.T)[2] * x": ["λₙ(B + Bᵀ) x", r"\lambda_{n}(B + B^{\top}) x", "λ₃(B + Bᵀ) x"],
    "(2 / torch.pi) ** 0.5 * x": ["√(2/π) x", r"\sqrt{2/\pi} x", r"\sqrt{\frac{2}{\pi}}\, x"],
    "2e-5 * x": ["2·10⁻⁵ x", r"2 \cdot 10^{-5} x", "2e-5 x"],
    "t / (2 * n) * x": ["t/(2n) x", r"\frac{t}{2n} x", "(t / (2 n)) x", "t x / (2 n)"],
    "torch.sin(t) ** 2 * x": ["sin²(t) x", r"\sin^2(t) x", "sin(t)² x", r"(\sin t)^2 x"],
    "(x @ w) * b": ["xᵀ w b", "b xᵀ w", "(x·w) b", r"(x \cdot w) b"],
}  # fmt: skip


@pytest.mark.parametrize("text, right", [(t, right) for right, texts in READ.items() for t in texts])
def test_says_what_the_code_says(text: str, right: str) -> None:
    expected = code(right)
    found = value_of(text, expected)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, 1e-10, 1e-12)


# what shapes leave open, and the readings that are shown
AMBIGUOUS = [
    ("1/2t", {}, "(1 / 2) t", "1 / (2 t)"),
    ("t/s2(t+1)", {}, "(t / s2)", "t / (s2"),
    ("log t s2", {}, "log(t) s2", "log(t s2)"),
    ("tr B B", {}, "tr(B) B", "tr(B B)"),
    ("Wx", {"Wx": "Wx", "W": "W"}, "Wx as Wx", "Wx as W x"),
    ("B^T", {"T": "T"}, "^T as the transpose", "to the power T"),
    ("σ(t)", {"sigma": "t"}, "the argument σ", "σ as a function"),
    ("x₁", {}, "x_1 as a name", "x_1 as an entry of x"),
]


@pytest.mark.parametrize("text, more, one, other", AMBIGUOUS)
def test_two_readings_are_an_error_that_shows_both(text: str, more: dict[str, str], one: str, other: str) -> None:
    values = {**V, "W": V["B"], "Wx": V["x"] + 1, "T": torch.tensor(2.0, dtype=DOUBLE)}
    values |= {"sigma": V["s2"], "x1": V["t"]}
    known = Known((*V, *more), tuple(SIZES))
    with pytest.raises(OptionError, match="can be read in two ways") as caught:
        read(text, known).value(values, SIZES)
    lines = str(caught.value).splitlines()
    assert lines[1].strip() == text and len(lines) <= 6
    assert one in lines[2] and other in lines[3]


@pytest.mark.parametrize("text", ["1/2 x", "1/2x", "tr(B) t", "log t", "2/n x", "1/2 t", "t/2·t", "x/t/2"])
def test_what_shapes_decide_is_not_ambiguous(text: str) -> None:
    assert torch.isfinite(value_of(text, torch.zeros(3 if "x" in text else ()))).all()


UNKNOWN = [
    ("2 A z", "z is no argument of the function", 4),
    ("A x + foo", "foo is no argument of the function", 6),
    ("lambd x", r"did you mean lambda|did you mean lam", 0),
    (r"2 \foo x", r"\\foo is not known", 2),
    ("2 A (x", "ends too early", 6),
    ("2 A x)", r"\) can't stand here", 5),
    ("2 + ", "ends too early", 2),
    ("x ⊙", "ends too early", 2),
    ("x ; y", "; can't stand here", 2),
    ("A^", "ends too early", 2),
    ("p x where r = A x", "p is no argument", 0),
    ("r where x = A", "x is an argument already", 8),
    (r"\begin{foo} x \end{foo}", "environment foo", 0),
    ("x ! w", "'!' can't stand in a formula", 2),
    ("‖x‖_7", "the norm", 0),
    ("softmaxx(x)", "did you mean softmax", 0),
    ("Σ_t t", "can't be an index", 0),
    ("f(x)", "f is no argument of the function", 0),
]  # fmt: skip


@pytest.mark.parametrize("text, message, place", UNKNOWN)
def test_what_is_no_formula_is_refused_with_the_place(text: str, message: str, place: int) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        read(text, KNOWN)
    lines = str(caught.value).splitlines()
    assert 3 <= len(lines) <= 6 and lines[1] == f"  {text}"
    assert lines[2].index("^") - 2 >= place


MISFITS = [
    ("A B x x", "a product of"),
    ("x + b", "a sum"),
    ("(xᵀ)^2", "square matrix to take a power"),
    ("A^2", "square matrix"),
    ("B * B", r"A B, or A ⊙ B"),
    ("B**2", r"X\^2 is X X"),
    ("1 + B", "a number plus a square matrix"),
    ("A / X", "⊘ divides entry by entry"),
    ("x / b", "a fraction, entry by entry"),
    ("|A|", "as a determinant"),
    ("B ⊘ |B|", r"det\(A\)"),
    ("‖A‖_∞", "spectral norm"),
    ("det(A)", "square matrix"),
    ("logsumexp(A)", "a vector is needed"),
    ("A_1", "two indices"),
    ("x_7", "beyond the size"),
    ("T3 x", "has 3 axes"),
    ("e_9", "beyond its size"),
    ("(𝟏ᵀ 𝟏) x", "the size of 𝟏"),
    ("tr(A)", "square matrix"),
    ("[x; A]", "a block as wide as those above it"),
    ("[b, x]", "a block as high as those beside it"),
    ("B^{1/2} x", "no whole number"),
]  # fmt: skip


@pytest.mark.parametrize("text, message", MISFITS)
def test_shapes_that_do_not_fit_are_misfits(text: str, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        value_of(text, torch.zeros(3))


def test_a_row_stays_a_row() -> None:
    """A result of the wrong orientation is not turned."""
    assert value_of("xᵀ(B + Bᵀ)", torch.zeros(3)).shape == (1, 3)
    assert value_of("x", torch.zeros(3)).shape == (3,) and value_of("x", torch.zeros(3, 1)).shape == (3, 1)
    assert value_of("c", torch.zeros(5, 1)).shape == (5, 1)
    assert value_of("x xᵀ", torch.zeros(3)).shape == (3, 3)


# ---- hostile texts --------------------------------------------------------------------------------------------------

HOSTILE = [
    "__import__('os').system('ls')", "x.__class__", "os", "exec", "eval(x)", "open(x)", "().x", "x if x", "lambda x: x",
    r"\input{/etc/passwd}", r"\write18{ls}", r"\def\x{\x\x}\x", r"\newcommand{\x}{x}", r"\csname x\endcsname", "`ls`", "$(ls)",
    "x\x00", "\u202ex", "x; import os", "#", "\\", "{", "}", "^", "_", "((", "[[", "‖", "|", "√", "Σ", "frac", r"\frac", r"\sqrt",
    r"\begin", r"\begin{", r"\begin{bmatrix}", r"\left", r"\mathbf", r"\operatorname",
    "where", "x where", "x where r", "x where r =",
    "x_", "x_{", "x^{", "x_{:", "x_{1:}", "x_{1:2:3:4}", "e_", "K_", "δ_", "Σ_", "Σ_{", "‖x‖_", "½½",
    "1e999", "9" * 400, "_ x", "x__",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises((OptionError, Misfit)):
        value_of(text, torch.zeros(3))


LONG = {
    "parentheses": "(" * 500 + "x" + ")" * 500,
    "braces": "{" * 500 + "x" + "}" * 500,
    "roots": "√" * 900 + "t",
    "norms": "‖" * 400 + "x" + "‖" * 400,
    "bars": "|" * 900 + "t" + "|" * 900,
    "fractions": r"\frac{1}{" * 180 + "t" + "}" * 180,
    "scripts": "t" + "^{t" * 400 + "}" * 400,
    "logs": "log " * 450 + "t",
    "sums": "Σ_i " * 400 + "x_i",
    "slashes": "1/2t" * 400,
    "letters": "AxAxAxAx" * 200,
    "lists": "[" * 900 + "t" + "]" * 900,
    "powers": "t^100",
    "big powers": "B^{1000000000} x",
    "entrywise": "x^⊙1000",
    "kron": " ⊗ ".join(["B"] * 40),
    "kron of ones": " ⊗ ".join(["(𝟏_n 𝟏_nᵀ)"] * 30),
    "large": "𝟏_{1000000000000}",
    "large diagonal": "diag(𝟏_{100000}) x",
    "large ones": "ones(1000000000000)",
    "identity": "I_{1000000} x",
    "range": "x_{1:1000000000}",
    "counting": "(0, …, 99999999999)",
    "commutation": "K_{100000,100000} x",
    "index": r"\sum_{i=1}^{1000000000} i",
    "indices": r"\sum_{i=1}^{9999} \sum_{j=1}^{9999} \sum_{k=1}^{9999} i j k t",
    "definitions": "z where a = B; "
    + "; ".join(f"{c} = {d} {d}" for c, d in zip("bcdefghijklopqrs", "abcdefghijklopqr", strict=False)),
    "characters": "x + " * 600 + "x",
    "subscripts": "x_" * 900,
    "choices": " ".join(["t/t t"] * 200),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_is_too_much_is_refused_in_no_time(text: str) -> None:
    start = time.thread_time()
    with pytest.raises((OptionError, Misfit)):
        value_of(text, torch.zeros(3))
    assert time.thread_time() - start < 1


def test_nothing_is_written() -> None:
    """Arguments are as they were."""
    before = {name: value.clone() for name, value in V.items()}
    for right, texts in READ.items():
        value_of(texts[0], code(right))
    assert all(torch.equal(before[name], V[name]) for name in V)
