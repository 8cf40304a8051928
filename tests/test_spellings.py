"""Answers as students spell them, after a textbook or a torch habit: each is graded right, and its wrong twins are not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from matmagic.capture import subject_of
from matmagic.errors import OptionError
from matmagic.options import Options
from matmagic.report import check

QUADRATIC = ("x @ A @ x", {"x": "n", "A": "n,n"}, "x")
LEAST = ("((A @ x - b) ** 2).sum()", {"x": "n", "A": "m,n", "b": "m"}, "x")
HALF = ("0.5 * ((A @ x - b) ** 2).sum()", {"x": "n", "A": "m,n", "b": "m"}, "x")
LINEAR = ("a @ x", {"x": "n", "a": "n"}, "x")
SQUARE = ("x @ x", {"x": "n"}, "x")
LOGISTIC = ("F.softplus(X @ w).sum()", {"w": "n", "X": "m,n"}, "w")
SIGMOID = ("torch.sigmoid(x).sum()", {"x": "n"}, "x")
LOSS = ("y.sum() * torch.logsumexp(x, 0) - y @ x", {"x": "n", "y": "n"}, "x")
DETERMINANT = ("torch.linalg.det(X)", {"X": "n,n"}, "X")
LOGDET = ("torch.logdet(X)", {"X": "n,n"}, "X")
FROBENIUS = ("torch.linalg.norm(X)", {"X": "m,n"}, "X")
TRACE = ("torch.trace(A @ X)", {"X": "m,n", "A": "n,m"}, "X")
TRACES = ("torch.trace(X) * torch.trace(A)", {"X": "n,n", "A": "n,n"}, "X")
INVERSE = ("a @ torch.linalg.inv(X) @ b", {"X": "n,n", "a": "n", "b": "n"}, "X")
SUM = ("x.sum()", {"x": "n"}, "x")
MEAN = ("x.mean()", {"x": "n"}, "x")
SUMS = ("x.sum() ** 2", {"x": "n"}, "x")
NORM = ("x.norm()", {"x": "n"}, "x")
L1 = ("x.abs().sum()", {"x": "n"}, "x")
RELU = ("torch.relu(x).sum()", {"x": "n"}, "x")
HALF_RELU = ("(torch.relu(x) ** 2).sum() / 2", {"x": "n"}, "x")
EXP = ("torch.exp(x).sum()", {"x": "n"}, "x")
LOG = ("(x * torch.log(x)).sum()", {"x": "n"}, "x")
CUBE = ("(x ** 3).sum()", {"x": "n"}, "x")
WEIGHTED = ("(w * x * x).sum() / 2", {"x": "n", "w": "n"}, "x")
RIDGE = ("((A @ x - b) ** 2).sum() + lam * (x @ x)", {"x": "n", "A": "m,n", "b": "m", "lam": "()"}, "x")
HAT = ("0.5 * ((y - y_hat) ** 2).sum()", {"y_hat": "n", "y": "n"}, "y_hat")
COSINE = ("(a @ x) / x.norm()", {"x": "n", "a": "n"}, "x")
SCALAR = ("t ** 3 + torch.sqrt(t)", {"t": "()"}, "t")
CROSS = ("torch.dot(a, x) * x", {"x": "n", "a": "n"}, "x")
OUTER = ("a @ X @ b", {"X": "m,n", "a": "m", "b": "n"}, "X")
SECH = ("torch.tanh(x).sum()", {"x": "n"}, "x")
SQUARES = ("(X * X).sum()", {"X": "m,n"}, "X")
CENTRED = ("(x - x.mean()).pow(2).sum() / 2", {"x": "n"}, "x")

# function by variable: spellings that are right, and wrong twins, apart by ¦
SPELLED = [
    (
        QUADRATIC,
        r"""(A + A.T) x ¦ A.T x + A x ¦ (A + A^T) x ¦ (A + A^{\mathsf T}) x ¦ (A + A^\top) x ¦ (A + A')x
        (A + transpose(A)) x ¦ (A+A^{T})x ¦ $(A + A^\top) x$ ¦ $$(A + A^\top) x$$ ¦ \[(A + A^\top) x\]
        \((A + A^\top) x\) ¦ $ (A + A^{\top})\,x $ ¦ df/dx = (A + A^T) x ¦ ∇f = (A + Aᵀ)x
        \nabla_x f(x) = (A + A^\top) x ¦ \frac{\partial f}{\partial x} = (A + A^\top) x ¦ grad = (A + A')x
        f'(x) = (A + A^T) x ¦ ∂f/∂x = (A + Aᵀ) x ¦ \frac{df}{dx} = (A + A^T) x ¦ \nabla f(x) = (A+A^T)x
        \frac{\mathrm{d} f}{\mathrm{d} x} = (A + A^T) x ¦ gradient = (A + A')x ¦ ∇f(x) = (A + A')x
        \nabla_{x} f = (A + A^{\top}) x ¦ (A + A^T) x. ¦ (A + A^T) x, ¦ $(A + A^T)x$.
        \nabla f = \left(A + A^{\top}\right) x . ¦ A x + A^T x ¦ A·x + Aᵀ·x ¦ A \cdot x + A^\top \cdot x
        A \times x + A^T \times x ¦ \mathbf{A}\mathbf{x} + \mathbf{A}^\top\mathbf{x} ¦ ∇ₓf = (A + Aᵀ)x
        \nabla_x f(x, A) = (A + A^\top) x ¦ (A^{T} + A)\mathbf x ¦ \begin{equation}(A + A^T) x\end{equation}
        A x + (xᵀ A)ᵀ ¦ \begin{align*}\nabla_x f &= (A + A^\top) x\end{align*} ¦ $\displaystyle (A+A^T)x$
        d/dx f = (A + A^T) x ¦ f' = (A + A^T)x ¦ \frac{d}{dx} f(x) = (A + A^T)x
        \frac{\partial}{\partial x} f = (A + A^T)x ¦ grad f = (A + A')x ¦ grad_x f = (A + A')x
        \nabla_{\mathbf{x}} f(\mathbf{x}) = (\mathbf{A} + \mathbf{A}^\top)\mathbf{x}
        \nabla_x\left(x^\top A x\right) = (A + A^\top) x ¦ \frac{\partial x^T A x}{\partial x} = (A + A^T) x
        2 (A + A')/2 x ¦ answer = (A + A')x ¦ \nabla_x f := (A + A^T) x""",
        r"""df/dx = (A - A^T) x ¦ grad = x ¦ f'(x) = A^T x ¦ $$A x$$ ¦ \nabla_x f(x) = (A - A) x. ¦ transpose(A) x
        d/dx f = A x ¦ \nabla_x\left(x^\top A x\right) = 2 A x - x ¦ (A + A^T) x + x.
        \begin{equation}(A - A^T) x\end{equation}""",
    ),
    (
        LEAST,
        r"""2 A^T (A x - b) ¦ 2 A.T (A x - b) ¦ 2 A'(A x - b) ¦ 2A^{\top}Ax - 2A^{\top}b ¦ 2 A^\top (Ax - b),
        2 transpose(A) (A x - b) ¦ -2 A^T (b - A x) ¦ 2 A.T @ (A @ x - b) ¦ 2 A^T r where r = Ax - b
        \nabla f = 2 A^T r, where r = A x - b ¦ $$\nabla_x f = 2 A^{\mathsf T}(Ax - b).$$
        \frac{\partial}{\partial x} \lVert Ax-b \rVert_2^2 = 2A^T(Ax-b) ¦ ∇‖A x − b‖² = 2 Aᵀ(A x − b)
        2 \cdot A^{\top} \left( A x - b \right)""",
        r"""2 A^T (A x + b) ¦ A^T (A x - b) ¦ 2 A (A x - b) ¦ 2 A'(b - A x)
        \frac{\partial}{\partial x} \lVert Ax-b \rVert^2 = A^T(Ax-b)""",
    ),
    (
        HALF,
        r"A^T (A x - b) ¦ \tfrac12 2 A^T(Ax-b) ¦ ½·2 A'(Ax - b) ¦ ½ (2 A'(Ax - b))",
        "2 A^T (A x - b) ¦ ½ A'(A x - b)",
    ),
    (
        LINEAR,
        r"a ¦ $a$ ¦ \mathbf{a} ¦ \vec a ¦ 1 a ¦ \vec{a} ¦ a.",
        "x ¦ a + x ¦ aᵀ",
    ),
    (
        SQUARE,
        r"""2x ¦ 2 x. ¦ 2*x ¦ 2\mathbf{x} ¦ 2 · x ¦ 2 \cdot x ¦ 2\times x ¦ x + x ¦ \frac{d}{dx} x^T x = 2x ¦ 2 I x
        f'(x) = 2x""",
        "x ¦ 2 ¦ 2 x^T ¦ -2x",
    ),
    (
        LOGISTIC,
        r"""X^T \frac{1}{1+e^{-Xw}} ¦ X^T (1/(1+e^{-Xw})) ¦ X^\top \sigma(Xw) ¦ X' sigmoid(X w)
        X^T \frac{1}{1 + \exp(-Xw)} ¦ X.T @ torch.sigmoid(X @ w) ¦ X^T σ(X w) ¦ X^T [1/(1 + exp(-X w))]
        X^T \operatorname{sigmoid}(Xw) ¦ X^{T}\,\frac{e^{Xw}}{1+e^{Xw}}""",
        r"X^T \frac{1}{1+e^{Xw}} ¦ X^T (1/(1-e^{-Xw})) ¦ \frac{1}{1+e^{-Xw}}",
    ),
    (
        SIGMOID,
        r"σ(x) ⊙ (1 − σ(x)) ¦ \frac{e^{-x}}{(1+e^{-x})^2} ¦ e^{-x}/(1+e^{-x})^2 ¦ sigmoid(x) * (1 - sigmoid(x))",
        r"σ(x) ¦ σ(x)(1 + σ(x)) ¦ \frac{e^{x}}{(1+e^{-x})^2} ¦ σ(x)(1 - σ(x)) ¦ \sigma(x)(1-\sigma(x))",
    ),
    (
        LOSS,
        r"""(1'y) softmax(x) - y ¦ (1^T y) softmax(x) - y ¦ sum(y) softmax(x) - y ¦ \sum_i y_i \operatorname{softmax}(x) - y
        (\mathbf{1}^\top y)\, \mathrm{softmax}(x) - y ¦ (𝟏ᵀy) softmax(x) − y ¦ 1ᵀy softmax(x) - y
        (ones(n)' y) softmax(x) - y ¦ (\sum_{i=1}^n y_i) \frac{e^x}{\sum_j e^{x_j}} - y ¦ (1'y) exp(x)/sum(exp(x)) - y
        \left(\sum_{j} y_j\right)\operatorname{softmax}(x) - y""",
        "softmax(x) - y ¦ (1'x) softmax(x) - y ¦ sum(y) softmax(x) + y",
    ),
    (
        DETERMINANT,
        r"""|X| X^{-T} ¦ \det(X) X^{-\top} ¦ \lvert X\rvert X^{-T} ¦ det(X) inv(X).T ¦ det(X) X^-T
        \left|X\right| (X^{-1})^T ¦ |X| (X^{-1})^T ¦ \det(X) (X^{-1})^{\top} ¦ det(X) inv(X)'
        \mathrm{det}(X) X^{-\mathsf{T}} ¦ \text{det}(X) X^{-T}""",
        r"|X| X^{-1} ¦ \det(X) X^{-1} ¦ X^{-T} ¦ \lvert X\rvert X^T",
    ),
    (
        LOGDET,
        r"X^{-T} ¦ X⁻ᵀ ¦ (X⁻¹)ᵀ ¦ inv(X)' ¦ X^{-\top} ¦ (X^-1)^T ¦ inv(X).T ¦ \left(X^{-1}\right)^\top ¦ inv(X)^T",
        "X^{-1} ¦ X⁻¹ ¦ X^T ¦ inv(X)",
    ),
    (
        FROBENIUS,
        r"""X/‖X‖ ¦ X/||X|| ¦ X/‖X‖_F ¦ X / \|X\|_F ¦ \frac{X}{\lVert X\rVert_F} ¦ X/norm(X) ¦ \frac{X}{\|X\|}
        X/\sqrt{tr(X^T X)} ¦ X/√(tr(X'X))""",
        "2X/‖X‖ ¦ X/‖X‖² ¦ X ¦ X/||X||_2",
    ),
    (
        TRACE,
        r"""A^T ¦ A' ¦ Aᵀ ¦ A.T ¦ A^\top ¦ A^{\mathsf T} ¦ transpose(A) ¦ $A^T$ ¦ A^{\mathrm T} ¦ A^{\intercal}
        \nabla_X f = A^T ¦ A^⊤""",
        "A ¦ 2A' ¦ A + A",
    ),
    (
        TRACES,
        r"""tr(A) I ¦ \mathrm{tr}(A) I ¦ \text{tr}(A) I ¦ Tr(A) I ¦ trace(A) I ¦ \operatorname{tr}(A)\,I_n ¦ tr(A) eye(n)
        \operatorname{Tr}(A)\mathbb{I}""",
        "A ¦ tr(A) A ¦ I",
    ),
    (
        INVERSE,
        r"""-X^{-T} a b^T X^{-T} ¦ -inv(X)' a b' inv(X)' ¦ -X⁻ᵀ a bᵀ X⁻ᵀ ¦ -X^{-\top} a b^{\top} X^{-\top}
        -(X^{-1})^T a b^T (X^{-1})^T""",
        "X^{-T} a b^T X^{-T} ¦ -X^{-1} a b^T X^{-1} ¦ -X^{-T} b a^T X^{-T}",
    ),
    (
        SUM,
        r"""𝟏 ¦ \mathbf{1} ¦ \mathbb{1} ¦ ones(n) ¦ 1_n ¦ 𝟏_n ¦ \mathbf{1}_n ¦ \vec{1} ¦ \mathbf 1 ¦ \boldsymbol{1}
        \mathbb{1}_n ¦ 1_{n}""",
        "2 𝟏 ¦ x ¦ n 𝟏",
    ),
    (
        MEAN,
        r"""𝟏/n ¦ 1/n 𝟏 ¦ \frac{1}{n}\mathbf{1} ¦ \tfrac1n \mathbb{1} ¦ ones(n)/n ¦ \frac1n \mathbf 1 ¦ 1_n/n
        \frac{\mathbf{1}}{n} ¦ n^{-1} 𝟏""",
        "𝟏 ¦ n 𝟏 ¦ 𝟏/n²",
    ),
    (
        SUMS,
        r"""2 (1'x) 𝟏 ¦ 2 sum(x) 𝟏 ¦ 2 (\sum_i x_i) \mathbf{1} ¦ 2 \mathbf{1}\mathbf{1}^T x ¦ 2 (1^T x) ones(n)
        2 n mean(x) 𝟏 ¦ 2\,(\mathbf{1}^\top x)\,\mathbf{1}""",
        "2 sum(x) x ¦ (1'x) 𝟏 ¦ 2 mean(x) 𝟏 ¦ 2 x",
    ),
    (
        NORM,
        r"""x/‖x‖ ¦ x/||x|| ¦ x/norm(x) ¦ \frac{x}{\|x\|_2} ¦ x/√(x'x) ¦ x/\sqrt{x^T x} ¦ x / sqrt(x·x) ¦ x (x^T x)^{-1/2}
        x/\left\|x\right\|""",
        "x ¦ x/‖x‖² ¦ x/‖x‖₁ ¦ x/norm(x)^2",
    ),
    (
        L1,
        r"""sign(x) ¦ sgn(x) ¦ \operatorname{sign}(x) ¦ \mathrm{sgn}(x) ¦ x ⊘ abs(x) ¦ \text{sign}(x) ¦ x ⊘ |x|
        \frac{x}{|x|}""",
        "x ¦ -sign(x) ¦ abs(x) ¦ |x|",
    ),
    (
        RELU,
        r"""1[x>0] ¦ 𝟙[x > 0] ¦ \mathbb{1}[x > 0] ¦ step(x) ¦ [x > 0] ¦ \mathbf{1}[x > 0] ¦ 1(x > 0) ¦ \mathbb{1}_{x>0}
        \mathbb{1}\{x > 0\} ¦ 1_{x > 0} ¦ \mathbb{I}(x > 0) ¦ I(x > 0) ¦ 𝟏{x > 0} ¦ (x > 0) ¦ \mathbf{1}_{[x > 0]}
        \mathbb{1}_{\{x > 0\}}""",
        r"1[x<0] ¦ max(0, x) ¦ relu(x) ¦ 𝟏 ¦ \mathbb{1}_{x<0} ¦ I(x < 0)",
    ),
    (
        HALF_RELU,
        r"""max(0, x) ¦ max(x, 0) ¦ relu(x) ¦ \max(0, x) ¦ ReLU(x) ¦ x ⊙ 1[x>0] ¦ \operatorname{ReLU}(x)
        x \odot \mathbb{1}[x > 0] ¦ max{0, x} ¦ \max\{0, x\}""",
        "x ¦ 2 max(0, x) ¦ min(0, x) ¦ 1[x>0]",
    ),
    (
        EXP,
        r"exp(x) ¦ e^x ¦ e^{x} ¦ \exp(x) ¦ \exp x ¦ exp x ¦ e^(x) ¦ \mathrm{e}^{x} ¦ e^{\mathbf{x}}",
        "e^{-x} ¦ x ⊙ exp(x) ¦ 2 e^x",
    ),
    (
        LOG,
        r"log(x) + 1 ¦ ln(x) + 1 ¦ \log x + \mathbf{1} ¦ 1 + \ln x ¦ 𝟏 + log(x) ¦ \ln(x) + 1 ¦ ln x + 1",
        "log(x) ¦ log(x) - 1 ¦ 𝟏 ⊘ x",
    ),
    (
        CUBE,
        r"""3 x**2 ¦ 3x.^2 ¦ 3 x ⊙ x ¦ 3 x \odot x ¦ 3 x∘x ¦ 3x\circ x ¦ 3 x.*x ¦ 3 x^{\odot 2} ¦ 3 x^{\circ 2}
        3 diag(x) x ¦ 3x² ¦ 3x^2 ¦ 3 x^{2}""",
        "3 x ¦ x.^2 ¦ 3 x.^3 ¦ x²",
    ),
    (
        WEIGHTED,
        r"""w ⊙ x ¦ w∘x ¦ w .* x ¦ w * x ¦ diag(w) x ¦ Diag(w) x ¦ \operatorname{diag}(w)\,x ¦ \mathrm{diag}(w) x
        w \odot x ¦ w \circ x ¦ \text{diag}(w) x ¦ diag(w)x""",
        "w + x ¦ 2 w ⊙ x ¦ w ⊙ w",
    ),
    (
        RIDGE,
        r"""2 A^T (A x - b) + 2 \lambda x ¦ 2A'(Ax - b) + 2 lam x ¦ 2 A^T(Ax-b) + 2λx ¦ 2 (A^T A + λ I) x - 2 A^T b
        2(A^{\top}A + \lambda I)x - 2A^{\top}b""",
        "2A'(Ax - b) + λ x ¦ 2 A'(Ax-b)",
    ),
    (
        HAT,
        r"""\hat y - y ¦ \hat{y} - y ¦ y_hat - y ¦ ŷ - y ¦ -(y - \hat{y}) ¦ \widehat{y} - y ¦ \hat{\mathbf{y}} - \mathbf{y}
        -(y-ŷ)""",
        r"y - \hat y ¦ \hat y ¦ 2(ŷ - y)",
    ),
    (
        COSINE,
        r"""a/‖x‖ - (a'x) x/‖x‖³ ¦ a/||x|| - (a^T x) x/||x||^3 ¦ \frac{a}{\|x\|} - \frac{a^\top x}{\|x\|^3} x
        a/norm(x) - \langle a, x\rangle x/norm(x)^3 ¦ a/‖x‖ − ⟨a, x⟩ x/‖x‖³ ¦ a/‖x‖ - (a·x) x/‖x‖^3
        (I - x x'/‖x‖²) a/‖x‖ ¦ (I - \frac{x x^\top}{x^\top x}) a/\|x\|_2 ¦ a/‖x‖ - <a, x> x/‖x‖³""",
        "a/‖x‖ ¦ a/‖x‖ + (a'x) x/‖x‖³ ¦ a/‖x‖ - ⟨a, x⟩ x/‖x‖²",
    ),
    (
        SCALAR,
        r"""3t² + 1/(2√t) ¦ 3 t^2 + \frac{1}{2\sqrt{t}} ¦ 3t**2 + 0.5 t**-0.5 ¦ 3 t^2 + \frac12 t^{-1/2} ¦ 3t^2 + ½ t^(-½)
        3 t**2 + 1/(2 sqrt(t)) ¦ f'(t) = 3t^2 + 1/(2 t^{1/2})""",
        "3t² ¦ 3 t + 1/(2√t) ¦ 3t² + 1/√t",
    ),
    (
        CROSS,
        r"""x a^T + (a^T x) I ¦ x aᵀ + (a·x) I ¦ x a' + \langle a, x\rangle I ¦ x aᵀ + ⟨a, x⟩ Iₙ ¦ xa^\top + a^\top x I
        outer(x, a) + (a'x) I""",
        "a x^T + (a'x) I ¦ x a' ¦ (a'x) I",
    ),
    (
        OUTER,
        r"a b^T ¦ ab' ¦ a bᵀ ¦ outer(a, b) ¦ a b^\top ¦ a ⊗ bᵀ ¦ a_i b_j",
        "b a^T ¦ 2 a b'",
    ),
    (
        SECH,
        r"""1 - tanh²(x) ¦ 1 - tanh(x)^2 ¦ 1 − tanh(x)² ¦ 1-\tanh^2(x) ¦ sech(x)^2 ¦ 1/cosh(x)^2
        1 - \tanh(x) \odot \tanh(x) ¦ \operatorname{sech}^2(x)""",
        "1 - tanh(x) ¦ 1 + tanh²(x) ¦ tanh(x)",
    ),
    (
        SQUARES,
        r"2X ¦ 2 X ¦ 2 X_{ij} ¦ 2·X ¦ 2 \mathbf X",
        "X ¦ 3X ¦ X + 2",
    ),
    (
        CENTRED,
        r"""x - mean(x) 𝟏 ¦ x - mean(x) ¦ (I - 𝟏𝟏ᵀ/n) x ¦ H x where H = I - 𝟏𝟏ᵀ/n ¦ x - \frac1n \sum_i x_i ¦ x - (1'x)/n 𝟏
        x - \frac{1}{n}\mathbf{1}\mathbf{1}^\top x""",
        "x ¦ x - sum(x) 𝟏 ¦ x + mean(x)",
    ),
]  # fmt: skip


def spellings(texts: str) -> list[str]:
    return [text.strip() for line in texts.splitlines() for text in line.split("¦")]


@pytest.mark.parametrize("function, goods, twins", SPELLED, ids=[function[0] for function, _, _ in SPELLED])
def test_spellings(function: tuple[str, dict[str, str], str], goods: str, twins: str) -> None:
    body, shapes, variable = function
    right, wrong = spellings(goods), spellings(twins)
    names = {"torch": torch, "F": F}
    exec(f"def f({', '.join(shapes)}): return {body}", names)
    refused = []
    subject = subject_of(names["f"], names)
    for claim in (*right, *wrong):
        try:
            (grade,) = check(subject, Options(wrt=(variable,), shapes=shapes, claims=(claim,))).claims
        except OptionError as error:
            refused.append((claim, str(error)))
            continue
        if (grade.verdict == "correct") != (claim in right) or grade.verdict == "undecided":
            refused.append((claim, grade.sentence))
    assert not refused
