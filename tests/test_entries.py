"""Formulas of one entry: exact text and LaTeX, and the value of every entry against evaluate.py."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product as tuples

import pytest
import torch
from corefixtures import run_code
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_index_code import LETTERS, SHAPES, A, B, W, drawn, labels, values, x, z
from test_printed_nodes import ein, plus
from torch import Tensor

from matmagic.calling import float64
from matmagic.entries import entrywise
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
    triangle,
)
from matmagic.functions import code_of
from matmagic.lengths import length
from matmagic.matrix_functions import FUNCTIONS_OF_MATRICES, of
from matmagic.notation import (
    INDICES,
    Apply,
    At,
    Holds,
    Identity,
    Letter,
    Math,
    Num,
    Over,
    Plus,
    Pow,
    Quotient,
    SumOver,
    Times,
    rank,
)
from matmagic.printers.latex import latex
from matmagic.printers.text import text
from matmagic.printers.torch_code import torch_code
from matmagic.rendering import NoNotation
from matmagic.trace import input_leaf

SIZES = {"m": 2, "n": 3, "k": 4}


class Reader:
    """The value of a formula at given indices; pieces without indices by their torch code."""

    def __init__(self, inputs: Mapping[str, Tensor], shapes: Mapping[str, tuple[str | int, ...]]) -> None:
        self.inputs, self.shapes = inputs, shapes
        self.axes = {name: input_leaf(name, shape)[1] for name, shape in shapes.items()}

    def plain(self, math: Math) -> Tensor:
        form = ("()", "n", "m,n")[rank(math)]
        return run_code(torch_code(math, self.axes, self.shapes, form), self.inputs)

    def value(self, math: Math, at: Mapping[str, int]) -> float:
        match math:
            case Num(value=value):
                return float(value)
            case Letter(letter=size):
                return float(length(size, {**SIZES, **at}))
            case Plus(parts=parts):
                return sum(self.value(p, at) for p in parts)
            case Times(parts=parts):
                return float(torch.tensor([self.value(p, at) for p in parts], dtype=torch.float64).prod())
            case Quotient(top=top, bottom=bottom):
                return self.value(top, at) / self.value(bottom, at)
            case Pow(base=base, exponent=p):
                return self.value(base, at) ** float(p)
            case SumOver(indices=indices, sizes=sizes, of=inner):
                assert not set(indices) & set(at), "a letter with two meanings"
                ranges = [range(1, length(s, SIZES) + 1) for s in sizes]
                return sum(self.value(inner, {**at, **dict(zip(indices, k, strict=True))}) for k in tuples(*ranges))
            case Holds(left=left, relation=relation, right=right):
                a, b = self.value(left, at), self.value(right, at) + (relation == "=")  # labels count from 0
                return float({"=": a == b, "<": a < b, "≤": a <= b}[relation])
            case At(of=Identity(), indices=(i, j)):
                return float(length(i, {**SIZES, **at}) == length(j, {**SIZES, **at}))
            case At(of=Over() as over, indices=(i,)):
                return float(self.over(over, at)[length(i, {**SIZES, **at}) - 1])
            case At(of=inner, indices=indices):
                return float(self.tensor(inner)[tuple(length(i, {**SIZES, **at}) - 1 for i in indices)])
            case Over():
                return float(self.over(math, at))
            case Apply(function=function, args=args):
                numbers = [torch.tensor(self.value(a, at), dtype=torch.float64) for a in args]
                names = [f"a{k}" for k in range(len(args))]
                return float(run_code(code_of(function, names), dict(zip(names, numbers, strict=True))))
        return float(self.plain(math))

    def tensor(self, math: Math) -> Tensor:
        return self.inputs[math.name] if hasattr(math, "name") else self.plain(math)

    def over(self, math: Over, at: Mapping[str, int]) -> Tensor:
        entries = [self.value(math.args[0], {**at, math.index: k}) for k in range(1, length(math.size, SIZES) + 1)]
        code = FUNCTIONS_OF_MATRICES[math.function].torch.format("v")
        return run_code(code, {"v": torch.tensor(entries, dtype=torch.float64)})


def agrees(node: Node, seed: int = 3) -> Math:
    inputs = values(SHAPES, seed, SIZES)
    with float64():
        right = evaluate(node, inputs, SIZES)
    if not bool(torch.isfinite(right).all()) or float(right.abs().max()) > 1e12:
        return Num(Fraction(0))
    math = entrywise(node)
    reader = Reader(inputs, SHAPES)
    found = torch.zeros_like(right)
    for at in tuples(*(range(s) for s in right.shape)):
        found[at] = reader.value(math, dict(zip(INDICES, (k + 1 for k in at), strict=False)))
    assert torch.allclose(found, right, rtol=1e-8, atol=1e-8), text(math)
    return math


def along(node: Node, *axes: int, shape: Sequence[str] = ("m", "n", "n")) -> Node:
    """The node repeated along other axes."""
    return product([(node, axes)], shape, range(len(shape)))


gaps = plus(along(A, 0, 2), scale(-1, along(B, 1, 2)))
shifted, flip = selection("n-1", "n", 1), selection("n", "n", "n-1", -1)
probabilities = of("softmax", A)

PRINTED: dict[str, tuple[Node, str]] = {
    # distances and kernels
    "Σ_k (A_ik − B_jk)²": (ein("ijk,ijk->ij", gaps, gaps), r"\sum_{k} (A_{ik} - B_{jk})^{2}"),
    "√(Σ_k (A_ik − B_jk)²)": (
        power(ein("ijk,ijk->ij", gaps, gaps), Fraction(1, 2)),
        r"\sqrt{\sum_{k} (A_{ik} - B_{jk})^{2}}",
    ),
    "exp(−Σ_k (A_ik − B_jk)²)": (
        elementwise("exp", scale(-1, ein("ijk,ijk->ij", gaps, gaps))),
        r"\exp(-\sum_{k} (A_{ik} - B_{jk})^{2})",
    ),
    "Σ_k exp(A_ik − B_jk)": (ein("ijk->ij", elementwise("exp", gaps)), r"\sum_{k} \exp(A_{ik} - B_{jk})"),
    "Σ_kl exp(A_kl − B_il) A_kj": (
        ein("ij,ik->jk", ein("ijk->ij", elementwise("exp", gaps)), A),
        r"\sum_{k,l} \exp(A_{kl} - B_{il}) A_{kj}",
    ),
    # products of three axes
    "Σ_l W_ijl B_lk": (ein("bij,jk->bik", W, B), r"\sum_{l} W_{ijl} B_{lk}"),
    "Σ_jk W_ijk z_j x_k": (ein("bij,i,j->b", W, z, x), r"\sum_{j,k} W_{ijk} z_{j} x_{k}"),
    "W_kji": (ein("bij->jib", W), "W_{kji}"),
    "δ_ij x_k": (ein("ij,k->ijk", delta("n"), x), r"\delta_{ij} x_{k}"),
    "δ_ik δ_jl": (ein("ik,jl->ijkl", delta("m"), delta("n")), r"\delta_{ik} \delta_{jl}"),
    "(B x)_i B_ij": (ein("ij,j,ik->ik", B, x, B), r"(B x)_{i} B_{ij}"),
    "√(Σ_jk W_ijk²)": (power(ein("bij,bij->b", W, W), Fraction(1, 2)), r"\sqrt{\sum_{j,k} W_{ijk}^{2}}"),
    "W_ijk / (xᵀ x)": (ein("bij,->bij", W, power(ein("i,i->", x, x), -1)), r"\frac{W_{ijk}}{x^{\top} x}"),
    "W_ijk / (n − 1)": (ein("bij,->bij", W, power(size_of("n-1"), -1)), r"\frac{W_{ijk}}{n - 1}"),
    "W_ijk + 2": (add([(1, W), (2, number(1, W.shape))], W.shape), "W_{ijk} + 2"),
    "2": (number(2, W.shape), "2"),
    "0": (scale(0, W), "0"),
    "max(W_ijk, x_k)": (
        elementwise("maximum", W, along(x, 2, shape=W.shape)),
        r"\max(W_{ijk}, x_{k})",
    ),
    # functions along an index
    "softmax_l(W_ijl)_k": (of("softmax", W), r"\operatorname{softmax}_{l}(W_{ijl})_{k}"),
    "logsumexp_k(W_ijk)": (of("logsumexp", W), r"\operatorname{logsumexp}_{k}(W_{ijk})"),
    "max_k(A_ik − B_jk)": (of("max", gaps), r"\max_{k}(A_{ik} - B_{jk})"),
    "(e_{argmax_l(W_ijl)})_k": (of("argmax", W), r"(e_{\arg\max_{l}(W_{ijl})})_{k}"),
    "softmax_l(A_il)_j δ_jk − softmax_l(A_il)_j softmax_l(A_il)_k": (
        plus(ein("ij,jk->ijk", probabilities, delta("n")), scale(-1, ein("ij,ik->ijk", *[probabilities] * 2))),
        r"\operatorname{softmax}_{l}(A_{il})_{j} \delta_{jk} - "
        r"\operatorname{softmax}_{l}(A_{il})_{j} \operatorname{softmax}_{l}(A_{il})_{k}",
    ),
    "softmax(x)_i A_jk": (ein("i,jk->ijk", of("softmax", x), A), r"\operatorname{softmax}(x)_{i} A_{jk}"),
    "Σ_l (B⁻¹)_kl W_ijl": (ein("ij,bkj->bki", of("inverse", B), W), r"\sum_{l} (B^{-1})_{kl} W_{ijl}"),
    "λᵢ(B) A_jk": (ein("i,jk->ijk", of("eigenvalues", B), A), r"\lambda_{i}(B) A_{jk}"),
    # slices, triangles, labels
    "W_{i,j,k+1}": (ein("ij,bmj->bmi", shifted, W), "W_{i,j,k+1}"),
    "Σ_l δ_{l+1,k} W_{i,j,l+1}": (
        ein("ij,bmi->bmj", shifted, ein("bmj,ij->bmi", W, shifted)),
        r"\sum_{l} \delta_{l+1,k} W_{i,j,l+1}",
    ),
    "W_{i,j,n+1−k}": (ein("ij,bmj->bmi", flip, W), "W_{i,j,n+1-k}"),
    "W_ijn": (entry(W, 2, "n-1"), "W_{ijn}"),
    "W_{1,i,j}": (entry(W, 0, 0), "W_{1,i,j}"),
    "[j ≤ k] W_ijk": (ein("ij,bij->bij", triangle("m", "n", 0), W), r"[j \le k] W_{ijk}"),
    "[j < k] W_ijk": (ein("ij,bij->bij", triangle("m", "n", 1), W), "[j < k] W_{ijk}"),
    "[j ≤ k+2] W_ijk": (ein("ij,bij->bij", triangle("m", "n", -2), W), r"[j \le k+2] W_{ijk}"),
    "Σ_jk [k = s_j] W_ijk": (ein("ij,bij->b", onehot(labels, "n"), W), r"\sum_{j,k} [k = s_{j}] W_{ijk}"),
    "Σ_k (k−1) W_ijk": (ein("i,bmi->bm", arange("n"), W), r"\sum_{k} (k-1) W_{ijk}"),
    "δ_{i,1} A_jk": (ein("i,jk->ijk", basis("n", 0), A), r"\delta_{i,1} A_{jk}"),
}


@pytest.mark.parametrize("line", PRINTED)
def test_text_latex_and_every_entry(line: str) -> None:
    node, tex = PRINTED[line]
    math = agrees(node)
    assert (text(math), latex(math)) == (line, tex)


NAMED = {
    "(W₁)_ijk + (a_b)_ijk": r"(W_{1})_{ijk} + (a_{b})_{ijk}",
}


@pytest.mark.parametrize("line", NAMED)
def test_names_with_an_index_of_their_own(line: str) -> None:
    node = plus(leaf("W1", W.shape), leaf("a_b", W.shape))
    assert (text(entrywise(node)), latex(entrywise(node))) == (line, NAMED[line])


WITHOUT = {
    "functions of the matrices of a batch": of("pinv", W),
    "a name that is an index": ein("bij,->bij", W, leaf("k", ())),
    "a size that is an index": ein("bij,->bij", W, size_of("k")),
    "too long": add([(1, elementwise("exp", leaf(f"c{k}", W.shape))) for k in range(500)], W.shape),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_without_a_formula(name: str) -> None:
    with pytest.raises(NoNotation):
        entrywise(WITHOUT[name])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_expressions(seed: int) -> None:
    pick = random.Random(seed)
    shape = tuple(pick.choice(LETTERS) for _ in range(pick.randrange(4)))
    node = drawn(pick, shape, pick.randrange(1, 4))
    try:
        math = agrees(node, seed % 1000)
    except NoNotation:
        return
    assert text(math) and latex(math)
