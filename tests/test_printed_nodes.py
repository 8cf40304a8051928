"""Notation of functions of matrices, slices, triangles and labels: exact text and LaTeX, and code against evaluate.py."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

import pytest
import torch
from corefixtures import run_code, shapes_of, squeezed
from torch import Tensor

from matmagic.calling import float64
from matmagic.evaluate import evaluate
from matmagic.expr import (
    Node,
    add,
    arange,
    basis,
    delta,
    elementwise,
    entry,
    leaf,
    number,
    onehot,
    power,
    product,
    scale,
    selection,
    size_of,
    transpose,
    triangle,
)
from matmagic.lengths import Size, length
from matmagic.matrix_functions import of
from matmagic.notation import rank
from matmagic.printers.latex import latex
from matmagic.printers.sympy_form import sympy_form
from matmagic.printers.text import text
from matmagic.printers.torch_code import torch_code
from matmagic.rendering import NoNotation, notation
from matmagic.trace import input_leaf
from matmagic.typeset import MACROS

SIZES = {"m": 3, "n": 5, "k": 4}
LAYOUTS = {
    "plain": shapes_of("x: n, z: m, u: n-1, A: m n, B: n n, C: n n, S: n n, W: k m n, t:, y: m, c:"),
    "columns": shapes_of("x: n 1, z: m 1, u: n-1 1, A: m n, B: n n, C: n n, S: n n, W: k m n, t: 1 1, y: m 1, c: 1"),
    "rows": shapes_of("x: 1 n, z: 1 m, u: 1 n-1, A: m n, B: n n, C: n n, S: n n, W: k m n, t: 1, y: 1 m, c:"),
}
x, z, u, A, B, C, S, W, t, y, c = (input_leaf(name, shape)[0] for name, shape in LAYOUTS["plain"].items())


def values(shapes: Mapping[str, tuple[Size, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    found = {}
    for name, shape in shapes.items():
        found[name] = torch.rand([length(s, SIZES) for s in shape], generator=generator, dtype=torch.float64) + 0.2
    for name in "BC":
        found[name] += torch.eye(SIZES["n"], dtype=torch.float64)
    found["S"] = found["S"] @ found["S"].T + torch.eye(SIZES["n"], dtype=torch.float64)
    for name in "yc":
        found[name] = torch.randint(0, 4, found[name].shape, generator=generator)
    return found


def ein(spec: str, *nodes: Node, sizes: str = "") -> Node:
    """The einsum; `sizes` says "i=n" of letters that no operand has."""
    left, _, out = spec.partition("->")
    known = dict(pair.split("=") for pair in sizes.split())
    factors = list(zip(nodes, left.split(","), strict=True))
    known |= {letter: size for node, own in factors for letter, size in zip(own, node.shape, strict=True)}
    return product([(node, list(map(ord, own))) for node, own in factors], [known[i] for i in out], list(map(ord, out)))


def plus(*nodes: Node) -> Node:
    return add([(1, node) for node in nodes], nodes[0].shape)


def last(node: Node) -> Node:
    return entry(node, 0, "n-1")


inv = of("inverse", B)
first, shifted = selection("n-1", "n", 0), selection("n-1", "n", 1)
flip = selection("n", "n", "n-1", -1)
differences = plus(ein("ij,j->i", shifted, x), scale(-1, ein("ij,j->i", first, x)))

PRINTED: dict[str, tuple[Node, str]] = {
    # functions of matrices
    "B⁻¹": (inv, "B^{-1}"),
    "B⁻ᵀ": (transpose(inv), r"B^{-\top}"),
    "(B + t C)⁻¹": (of("inverse", plus(B, ein(",ij->ij", t, C))), "(B + t C)^{-1}"),
    "(B + t C)⁻ᵀ": (transpose(of("inverse", plus(B, ein(",ij->ij", t, C)))), r"(B + t C)^{-\top}"),
    "B⁻¹ C x": (ein("ij,jk,k->i", inv, C, x), "B^{-1} C x"),
    "xᵀ B⁻¹ x": (ein("i,ij,j->", x, inv, x), r"x^{\top} B^{-1} x"),
    "B⁻²": (ein("ij,jk->ik", inv, inv), "B^{-2}"),
    "−B⁻ᵀ x xᵀ B⁻ᵀ": (scale(-1, ein("ji,j,k,lk->il", inv, x, x, inv)), r"-B^{-\top} x x^{\top} B^{-\top}"),
    "Aᵀ(A Aᵀ)⁻¹ z": (
        ein("ji,jk,k->i", A, of("inverse", ein("ik,jk->ij", A, A)), z),
        r"A^{\top} (A A^{\top})^{-1} z",
    ),
    "A⁺": (of("pinv", A), "A^{+}"),
    "A⁺ᵀ": (transpose(of("pinv", A)), r"A^{+\top}"),
    "det(B)": (of("det", B), r"\det(B)"),
    "det(B + t C)": (of("det", plus(B, ein(",ij->ij", t, C))), r"\det(B + t C)"),
    "det(B) B⁻ᵀ": (ein(",ji->ij", of("det", B), inv), r"\det(B) B^{-\top}"),
    "det(B)²": (power(of("det", B), 2), r"\det(B)^{2}"),
    "x / det(B)": (ein(",i->i", power(of("det", B), -1), x), r"\frac{x}{\det(B)}"),
    "log det(B)": (of("logdet", B), r"\log\det(B)"),
    "(log det(B)) x": (ein(",i->i", of("logdet", B), x), r"(\log\det(B)) x"),
    "2 log det(B)": (scale(2, of("logdet", B)), r"2 \log\det(B)"),
    "(log det(B))²": (power(of("logdet", B), 2), r"(\log\det(B))^{2}"),
    "log |det(B)|": (of("logabsdet", B), r"\log \lvert \det(B) \rvert"),
    "sign det(B)": (of("signdet", B), r"\operatorname{sign}\det(B)"),
    "expm(t B)": (of("expm", ein(",ij->ij", t, B)), "e^{t B}"),
    "expm(Bᵀ) x": (ein("ji,j->i", of("expm", B), x), r"e^{B^{\top}} x"),
    "L_exp(B, C)": (of("expm_frechet", B, C), r"L_{\exp}(B, C)"),
    "chol(S)": (of("cholesky", S), r"\operatorname{chol}(S)"),
    "chol(S)⁻ᵀ": (transpose(of("inverse", of("cholesky", S))), r"\operatorname{chol}(S)^{-\top}"),
    "λ(S)": (of("eigenvalues", S), r"\lambda(S)"),
    "λ₁(S)": (entry(of("eigenvalues", S), 0, 0), r"\lambda_{1}(S)"),
    "λₙ(S)": (last(of("eigenvalues", S)), r"\lambda_{n}(S)"),
    "q₁(S) q₁(S)ᵀ": (
        ein("ik,jk,k->ij", *[of("eigenvectors", S)] * 2, basis("n", 0)),
        r"q_{1}(S) q_{1}(S)^{\top}",
    ),
    "qₙ(S) qₙ(S)ᵀ": (
        ein("ik,jk,k->ij", *[of("eigenvectors", S)] * 2, basis("n", "n-1")),
        r"q_{n}(S) q_{n}(S)^{\top}",
    ),
    "Q(S) diag(x) Q(S)ᵀ": (
        ein("ik,jk,k->ij", *[of("eigenvectors", S)] * 2, x),
        r"Q(S) \operatorname{diag}(x) Q(S)^{\top}",
    ),
    "‖A‖_*": (of("nuclear", A), r"\lVert A \rVert_*"),
    "‖A‖₂²": (power(of("spectral", A), 2), r"\lVert A \rVert_2^{2}"),
    "polar(A)": (of("polar", A), r"\operatorname{polar}(A)"),
    "V(B + C) x": (
        ein("ji,j->i", of("right_singular", plus(B, C)), x),
        "V(B + C) x",
    ),
    "u₁(A) v₁(A)ᵀ": (of("top_singular", A), r"u_1(A) v_1(A)^{\top}"),
    # functions of vectors
    "softmax(x)": (of("softmax", x), r"\operatorname{softmax}(x)"),
    "softmax(A x)": (of("softmax", ein("ij,j->i", A, x)), r"\operatorname{softmax}(A x)"),
    "softmax(x)ᵀ x": (ein("i,i->", of("softmax", x), x), r"\operatorname{softmax}(x)^{\top} x"),
    "softmax(x) ⊙ x": (ein("i,i->i", of("softmax", x), x), r"\operatorname{softmax}(x) \odot x"),
    "diag(softmax(x)) − softmax(x) softmax(x)ᵀ": (
        plus(ein("ij,i->ij", delta("n"), of("softmax", x)), scale(-1, ein("i,j->ij", *[of("softmax", x)] * 2))),
        r"\operatorname{diag}(\operatorname{softmax}(x)) - \operatorname{softmax}(x) \operatorname{softmax}(x)^{\top}",
    ),
    "softmax(x)₁": (entry(of("softmax", x), 0, 0), r"\operatorname{softmax}(x)_{1}"),
    "logsumexp(x)": (of("logsumexp", x), r"\operatorname{logsumexp}(x)"),
    "max(x)": (of("max", x), r"\max(x)"),
    "min(x − 𝟏)": (of("min", plus(x, number(-1, ("n",)))), r"\min(x - \mathbf{1})"),
    "prod(x)": (of("prod", x), r"\operatorname{prod}(x)"),
    "e_{argmax(x)}": (of("argmax", x), r"e_{\arg\max(x)}"),
    "softmax_rows(A)": (of("softmax", A), r"\operatorname{softmax}_{\mathrm{rows}}(A)"),
    "softmax_rows(Aᵀ)ᵀ": (
        transpose(of("softmax", transpose(A))),
        r"\operatorname{softmax}_{\mathrm{rows}}(A^{\top})^{\top}",
    ),
    "logsumexp_rows(A)": (of("logsumexp", A), r"\operatorname{logsumexp}_{\mathrm{rows}}(A)"),
    "max_rows(A)": (of("max", A), r"\max_{\mathrm{rows}}(A)"),
    "onehot(argmin_rows(A))": (of("argmin", A), r"\operatorname{onehot}(\arg\min_{\mathrm{rows}}(A))"),
    "softmax_rows(A B) C": (
        ein("ij,jk->ik", of("softmax", ein("ij,jk->ik", A, B)), C),
        r"\operatorname{softmax}_{\mathrm{rows}}(A B) C",
    ),
    # triangles
    "triu(B)": (ein("ij,ij->ij", triangle("n", "n", 0), B), r"\operatorname{triu}(B)"),
    "triu(A, 1)": (ein("ij,ij->ij", triangle("m", "n", 1), A), r"\operatorname{triu}(A, 1)"),
    "tril(A)": (ein("ji,ij->ij", triangle("n", "m", 0), A), r"\operatorname{tril}(A)"),
    "tril(B, −1)": (ein("ji,ij->ij", triangle("n", "n", 1), B), r"\operatorname{tril}(B, -1)"),
    "tril(Bᵀ)": (ein("ji,ji->ij", triangle("n", "n", 0), B), r"\operatorname{tril}(B^{\top})"),
    "triu(B ⊙ C)": (ein("ij,ij,ij->ij", B, triangle("n", "n", 0), C), r"\operatorname{triu}(B \odot C)"),
    "triu(𝟏 𝟏ᵀ)": (triangle("m", "n", 0), r"\operatorname{triu}(\mathbf{1} \mathbf{1}^{\top})"),
    "tril(𝟏 𝟏ᵀ) x": (ein("ji,j->i", triangle("n", "n", 0), x), r"\operatorname{tril}(\mathbf{1} \mathbf{1}^{\top}) x"),
    "𝟏ᵀ triu(A) 𝟏": (ein("ij,ij->", triangle("m", "n", 0), A), r"\mathbf{1}^{\top} \operatorname{triu}(A) \mathbf{1}"),
    "tril(B) x": (ein("ji,ij,j->i", triangle("n", "n", 0), B, x), r"\operatorname{tril}(B) x"),
    # slices
    "x_{2:n}": (ein("ij,j->i", shifted, x), "x_{2:n}"),
    "x_{2:n} − x_{1:n−1}": (differences, "x_{2:n} - x_{1:n-1}"),
    "‖x_{2:n} − x_{1:n−1}‖²": (ein("i,i->", differences, differences), r"\lVert x_{2:n} - x_{1:n-1} \rVert^{2}"),
    "I_{2:n,:}": (shifted, "I_{2:n,:}"),
    "I_{:,2:n} u": (ein("ij,i->j", shifted, u), "I_{:,2:n} u"),
    "A_{2:m,:} x": (ein("ij,jk,k->i", selection("m-1", "m", 1), A, x), "A_{2:m,:} x"),
    "A_{:,2:n}": (ein("ij,kj->ik", A, shifted), "A_{:,2:n}"),
    "A_{:,2:n} u": (ein("ij,kj,k->i", A, shifted, u), "A_{:,2:n} u"),
    "x_{n:−1:1}": (ein("ij,j->i", flip, x), "x_{n:-1:1}"),
    "xᵀ x_{n:−1:1}": (ein("i,ij,j->", x, flip, x), r"x^{\top} x_{n:-1:1}"),
    "x_{1:2:5}": (ein("ij,j->i", selection(3, "n", 0, 2), x), "x_{1:2:5}"),
    "x_{n:−2:n−2}": (ein("ij,j->i", selection(2, "n", "n-1", -2), x), "x_{n:-2:n-2}"),
    "B_{2:n,:} B_{2:n,:}ᵀ": (ein("ij,jk,lk,ml->im", shifted, B, B, shifted), r"B_{2:n,:} B_{2:n,:}^{\top}"),
    "I_{2:n,:} I_{:,1:n−1}": (ein("ij,kj->ik", shifted, first), "I_{2:n,:} I_{:,1:n-1}"),
    "(x + exp(x))_{2:n}": (ein("ij,j->i", shifted, plus(x, elementwise("exp", x))), r"(x + \exp(x))_{2:n}"),
    # positions and sizes
    "xₙ": (last(x), "x_{n}"),
    "x_{n−1}": (entry(x, 0, "n-2"), "x_{n-1}"),
    "eₙ": (basis("n", "n-1"), "e_{n}"),
    "x₁ xₙ": (ein(",->", entry(x, 0, 0), last(x)), "x_{1} x_{n}"),
    "B_{1,n}": (entry(entry(B, 1, "n-1"), 0, 0), "B_{1,n}"),
    "x / (n − 1)": (ein(",i->i", power(size_of("n-1"), -1), x), r"\frac{x}{n - 1}"),
    # counting and labels
    "(0, …, n−1)ᵀ": (arange("n"), r"(0, \ldots, n-1)^{\top}"),
    "(0, …, n−1) x": (ein("i,i->", arange("n"), x), r"(0, \ldots, n-1) x"),
    "onehot(y)": (onehot(y, "k"), r"\operatorname{onehot}(y)"),
    "e_{c}": (onehot(c, "k"), "e_{c}"),
    "onehot(y) x": (ein("ij,j->i", onehot(y, "n"), x), r"\operatorname{onehot}(y) x"),
    "tr(onehot(y) Aᵀ)": (ein("ij,ij->", onehot(y, "n"), A), r"\operatorname{tr}(\operatorname{onehot}(y) A^{\top})"),
    "e_{c}ᵀ x": (ein("i,i->", onehot(c, "n"), x), r"e_{c}^{\top} x"),
    "(0, 1)ᵀ": (arange(2), r"(0, 1)^{\top}"),
    # functions of several arguments
    "max(x, B x)": (elementwise("maximum", x, ein("ij,j->i", B, x)), r"\max(x, B x)"),
    "max(x, 1)": (elementwise("maximum", x, number(1, ("n",))), r"\max(x, 1)"),
    "where(x > 0, B x, 0)": (
        elementwise("where", elementwise("step", x), ein("ij,j->i", B, x), number(0, ("n",))),
        r"\operatorname{where}(x > 0, B x, 0)",
    ),
    "x^⊙t": (elementwise("pow", x, ein(",->i", t, number(1), sizes="i=n")), r"x^{\odot t}"),
    "x^⊙(B x)": (elementwise("pow", x, ein("ij,j->i", B, x)), r"x^{\odot B x}"),
    "(xᵀ x)^t": (elementwise("pow", ein("i,i->", x, x), t), r"(x^{\top} x)^{t}"),
    "t^(t + 1)": (elementwise("pow", t, plus(t, number(1))), "t^{t + 1}"),
    "(t + 1) x": (
        ein(",i->i", add([(-1, t), (-1, number(1))], ()), scale(-1, x)),
        "(t + 1) x",
    ),
    "A_{:,2:n}ᵀ": (ein("ij,jk->ik", selection("n-1", "n", 1), transpose(A)), r"A_{:,2:n}^{\top}"),
    "√(π/2) x": (scale(math.sqrt(math.pi / 2), x), r"\sqrt{\pi/2} x"),
    "logaddexp(A, z xᵀ)": (
        elementwise("logaddexp", A, ein("i,j->ij", z, x)),
        r"\operatorname{logaddexp}(A, z x^{\top})",
    ),
    "xlogy(t, zᵀ A x)": (
        elementwise("xlogy", t, ein("i,ij,j->", z, A, x)),
        r"\operatorname{xlogy}(t, z^{\top} A x)",
    ),
    # scalars outside
    "½ tr(B + C)": (ein("ii->", scale(Fraction(1, 2), plus(B, C))), r"\frac{1}{2} \operatorname{tr}(B + C)"),
    "prod(x) ⊘ x": (ein(",i->i", of("prod", x), power(x, -1)), r"\operatorname{prod}(x) \oslash x"),
    "½ xᵀ(B + Bᵀ) C x": (
        ein("i,ij,jk,k->", x, add([(Fraction(1, 2), B), (Fraction(1, 2), transpose(B))], B.shape), C, x),
        r"\frac{1}{2} x^{\top} (B + B^{\top}) C x",
    ),
    "(n / (𝟏ᵀ x)²) ⊘ x": (
        ein(",,i->i", size_of("n"), power(ein("i->", x), -2), power(x, -1)),
        r"\left(\frac{n}{(\mathbf{1}^{\top} x)^{2}}\right) \oslash x",
    ),
    # products by rows, norms
    "(A x) ⊙ z": (ein("ij,ij->i", A, ein("i,j->ij", z, x)), r"(A x) \odot z"),
    "(A ⊙ softmax_rows(A)) 𝟏": (
        ein("ij,ij->i", A, of("softmax", A)),
        r"(A \odot \operatorname{softmax}_{\mathrm{rows}}(A)) \mathbf{1}",
    ),
    "zᵀ A^⊙2 𝟏": (ein("ij,ij,i->", A, A, z), r"z^{\top} A^{\odot 2} \mathbf{1}"),
    "diag(A B Aᵀ)": (ein("ij,jk,ik->i", A, B, A), r"\operatorname{diag}(A B A^{\top})"),
    "‖A B‖_F": (
        power(ein("ij,jk,il,lk->", A, B, A, B), Fraction(1, 2)),
        r"\lVert A B \rVert_F",
    ),
    "‖x‖³": (power(ein("i,i->", x, x), Fraction(3, 2)), r"\lVert x \rVert^{3}"),
    "√(xᵀ B x)": (elementwise("root", ein("i,ij,j->", x, B, x)), r"\sqrt{x^{\top} B x}"),
    # numbers
    "0.7 x": (scale(0.7, x), "0.7 x"),
    "0.01 x": (scale(0.01, x), "0.01 x"),
    "(1/3) x": (scale(1 / 3, x), r"\frac{1}{3} x"),
    "x − ½ 𝟏": (plus(x, number(-0.5, ("n",))), r"x - \frac{1}{2} \mathbf{1}"),
    "10⁹ x": (scale(10**9, x), "10^{9} x"),
    "−2π x": (scale(-2 * math.pi, x), r"-2 \pi x"),
    "(2/√π) x": (scale(2 / math.sqrt(math.pi), x), r"\frac{2}{\sqrt{\pi}} x"),
    "(1/√2) x": (scale(1 / math.sqrt(2), x), r"\frac{1}{\sqrt{2}} x"),
    "0.3 x": (scale(0.1 + 0.2, x), "0.3 x"),
    "2 log(2π) x": (scale(2 * math.log(2 * math.pi), x), r"2 \log(2 \pi) x"),
    # functions of sizes
    "log(n) x": (ein(",i->i", elementwise("log", size_of("n")), x), r"\log(n) x"),
}


@pytest.mark.parametrize("line", PRINTED)
def test_text_and_latex(line: str) -> None:
    node, tex = PRINTED[line]
    shown = notation(node)
    assert (text(shown), latex(shown)) == (line, tex)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("line", PRINTED)
def test_code(line: str, layout: str) -> None:
    node, _ = PRINTED[line]
    shapes = LAYOUTS[layout]
    inputs = values(shapes)
    leaves = {name: squeezed(value) for name, value in inputs.items()}
    axes = {name: input_leaf(name, shape)[1] for name, shape in shapes.items()}
    shown = notation(node)
    code = torch_code(shown, axes, shapes, ("()", "n", "m,n")[rank(shown)])
    found = run_code(code, inputs)
    with float64():
        right = evaluate(node, leaves, SIZES)
    assert found.shape == right.shape, code
    assert torch.allclose(found, right, rtol=1e-9, atol=1e-9), code


def test_no_named_constant_beside_a_name_that_is_the_same() -> None:
    node = scale(2 * math.pi, leaf("pi", ()))
    assert text(notation(node)) == "6.283185307179586 π"


SOLVED = {
    "B⁻¹ C x": "torch.linalg.solve(B, C @ x)",
    "(B + t C)⁻¹": "torch.linalg.inv(B + t * C)",
    "xᵀ B⁻¹ x": "x @ torch.linalg.solve(B, x)",
    "Aᵀ(A Aᵀ)⁻¹ z": "A.T @ torch.linalg.solve(A @ A.T, z)",
}


@pytest.mark.parametrize("line", SOLVED)
def test_an_inverse_with_something_to_its_right_is_solved_for(line: str) -> None:
    shapes = LAYOUTS["plain"]
    axes = {name: input_leaf(name, shape)[1] for name, shape in shapes.items()}
    shown = notation(PRINTED[line][0])
    assert torch_code(shown, axes, shapes, ("()", "n", "m,n")[rank(shown)]) == SOLVED[line]


IN_SYMPY = [
    "B⁻ᵀ",
    "−B⁻ᵀ x xᵀ B⁻ᵀ",
    "det(B) B⁻ᵀ",
    "(log det(B)) x",
    "log |det(B)|",
    "softmax(x) ⊙ x",
    "logsumexp(x)",
    "xₙ",
    "eₙ",
    "x / (n − 1)",
    "(0, …, n−1)ᵀ",
]


@pytest.mark.parametrize("line", IN_SYMPY)
def test_sympy_on_explicit_matrices(line: str) -> None:
    import sympy

    node, _ = PRINTED[line]
    sizes = {"n": 3}
    inputs = {name: value[..., :3] for name, value in values(LAYOUTS["plain"]).items() if name in "xB"}
    inputs["B"] = inputs["B"][:3]
    form = sympy_form(notation(node))
    form = form.subs({sympy.Symbol("n", integer=True, positive=True): 3})
    symbols = form.atoms(sympy.MatrixSymbol)
    form = form.xreplace({s: sympy.Matrix(inputs[str(s)].reshape(s.shape).tolist()) for s in symbols}).doit()
    form = form.as_explicit() if hasattr(form, "as_explicit") else sympy.Matrix([[form]])
    found = torch.tensor(sympy.Matrix(form).evalf().tolist(), dtype=torch.float64)
    right = evaluate(node, inputs, sizes)
    assert torch.allclose(found.reshape(right.shape), right)


def test_no_sympy_where_it_has_no_such_function() -> None:
    assert all(sympy_form(notation(PRINTED[line][0])) is None for line in ("A⁺", "chol(S)", "max_rows(A)"))


WITHOUT_MATRIX_FORM = {
    "a batch of inverses": of("pinv", W),
    "softmax along the last of three axes": of("softmax", W),
    "a function of a part with three axes": of("logsumexp", W),
    "labels of two axes": onehot(A, "k"),
    "a function without a name": of("expm_frechet_by_matrix", B, C, C),
}


@pytest.mark.parametrize("name", WITHOUT_MATRIX_FORM)
def test_without_matrix_form(name: str) -> None:
    with pytest.raises(NoNotation):
        notation(WITHOUT_MATRIX_FORM[name])


def test_every_macro_is_one_that_is_drawn() -> None:
    used = {macro for _, tex in PRINTED.values() for macro in re.findall(r"\\[A-Za-z]+", tex)}
    assert used - MACROS <= {r"\oslash"}  # shown as MathML
