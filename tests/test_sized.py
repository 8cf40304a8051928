"""Sizes that are written: only where nothing around them says them, and so that the formula can be read."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from matmagic.notation import (
    Apply,
    At,
    Called,
    Chain,
    Diag,
    Hadamard,
    Identity,
    Kronecker,
    Math,
    Norm,
    Num,
    Ones,
    Over,
    Plus,
    Rows,
    SumOver,
    Symbol,
    Times,
    Trace,
    Transpose,
    Triangular,
    Unit,
    Vec,
    Zero,
)
from matmagic.printers.latex import latex
from matmagic.printers.text import text
from matmagic.reading import Known, Misfit, read
from matmagic.sized import sized

x, y = Symbol("x", ("n",)), Symbol("y", ("m",))
A, X = Symbol("A", ("m", "n")), Symbol("X", ("m", "m"))
one_n, one_m, one_2 = Ones("n"), Ones("m"), Ones(2)
stack = Plus((Chain((Unit(2, 0), Transpose(x))), Chain((Unit(2, 1), Transpose(x)))))
delta = At(Identity("n"), ("k+1", "i"))

# formulas, how they are written, and in LaTeX
SIZED: list[tuple[Math, str, str]] = [
    (Chain((Transpose(one_n), x)), "𝟏ᵀ x", r"\mathbf{1}^{\top} x"),
    (Plus((x, one_n)), "x + 𝟏", r"x + \mathbf{1}"),
    (one_n, "𝟏", r"\mathbf{1}"),
    (Trace(Chain((A, one_n, Transpose(one_m)))), "tr(A 𝟏 𝟏ᵀ)", r"\operatorname{tr}(A \mathbf{1} \mathbf{1}^{\top})"),
    (Norm(one_m, False), "‖𝟏ₘ‖", r"\lVert \mathbf{1}_{m} \rVert"),
    (Times((Called("logsumexp", (one_m,), ()), x)), "logsumexp(𝟏ₘ) x", r"\operatorname{logsumexp}(\mathbf{1}_{m}) x"),
    (Chain((x, Transpose(one_m), one_m)), "x 𝟏ₘᵀ 𝟏", r"x \mathbf{1}_{m}^{\top} \mathbf{1}"),
    (Trace(Apply("exp", (Identity("m"),))), "tr(exp(Iₘ))", r"\operatorname{tr}(\exp(I_{m}))"),
    (Chain((Transpose(stack), one_2)), "(e₁ xᵀ + e₂ xᵀ)ᵀ 𝟏₂", r"(e_{1} x^{\top} + e_{2} x^{\top})^{\top} \mathbf{1}_{2}"),
    (
        Called("max", (Transpose(stack),), ("n",)),
        "max_rows(((I₂)_{:,1} xᵀ + e₂ xᵀ)ᵀ)",
        r"\max_{\mathrm{rows}}(((I_{2})_{:,1} x^{\top} + e_{2} x^{\top})^{\top})",
    ),
    (Chain((Kronecker(X, Identity("n")), Vec(Transpose(A)))), "(X ⊗ I) vec(Aᵀ)", r"(X \otimes I) \operatorname{vec}(A^{\top})"),
    (Kronecker(X, Identity("n")), "X ⊗ I", r"X \otimes I"),
    (Trace(Kronecker(X, Identity("n"))), "tr(X ⊗ Iₙ)", r"\operatorname{tr}(X \otimes I_{n})"),
    (
        Chain((X, Triangular(Chain((one_m, Transpose(one_m))), 0, False), y)),
        "X triu(𝟏 𝟏ᵀ) y",
        r"X \operatorname{triu}(\mathbf{1} \mathbf{1}^{\top}) y",
    ),
    (Chain((A, Rows(Identity("n"), 0, 1, "n", "n"))), "A I_{1:n,:}", "A I_{1:n,:}"),
    (
        Norm(Rows(Plus((Called("softmax", (Zero(("n",)),), ("n",)), Hadamard((one_n, one_n)))), 1, 1, "n-1", "n"), False),
        "‖(softmax(0) + 𝟏ₙ ⊙ 𝟏)_{2:n}‖",
        r"\lVert (\operatorname{softmax}(0) + \mathbf{1}_{n} \odot \mathbf{1})_{2:n} \rVert",
    ),
    (
        Norm(Rows(Called("softmax", (Zero(("n",)),), ("n",)), 1, 1, "n-1", "n"), False),
        "‖softmax(0ₙ)_{2:n}‖",
        r"\lVert \operatorname{softmax}(0_{n})_{2:n} \rVert",
    ),
    (Times((SumOver(("k",), ("n",), At(x, ("k",))), y)), "(Σ_k xₖ) y", r"(\sum_{k} x_{k}) y"),
    (SumOver(("k",), ("n-1",), delta), "Σ_{k=1}^{n−1} δ_{k+1,i}", r"\sum_{k=1}^{n-1} \delta_{k+1,i}"),
    (
        Over("max", "k", "n", (Plus((delta, Num(Fraction(1)))),), False),
        "max_{k≤n}(δ_{k+1,i} + 1)",
        r"\max_{k \le n}(\delta_{k+1,i} + 1)",
    ),
    (Diag(Plus((x, Times((Num(Fraction(2)), one_n))))), "diag(x + 2 𝟏)", r"\operatorname{diag}(x + 2 \mathbf{1})"),
]  # fmt: skip


@pytest.mark.parametrize("math, shown, tex", SIZED, ids=[shown for _, shown, _ in SIZED])
def test_sizes_are_written_where_they_are_needed(math: Math, shown: str, tex: str) -> None:
    marked = sized(math, ("n",) if "i}" in shown else ())
    assert (text(marked).replace("x_k", "xₖ"), latex(marked)) == (shown, tex)
    assert sized(marked, ("n",) if "i}" in shown else ()) == marked


VALUES = {
    "x": torch.randn(4, dtype=torch.float64),
    "y": torch.randn(3, dtype=torch.float64),
    "A": torch.randn(3, 4, dtype=torch.float64),
    "X": torch.randn(3, 3, dtype=torch.float64),
}
SHAPES = {"𝟏": (4,), "x + 𝟏": (4,), "X ⊗ I": (12, 12), "(X ⊗ I) vec(Aᵀ)": (12,), "X triu(𝟏 𝟏ᵀ) y": (3,)}


@pytest.mark.parametrize("math, shown, tex", SIZED, ids=[shown for _, shown, _ in SIZED])
def test_what_is_written_can_be_read_and_without_it_cannot(math: Math, shown: str, tex: str) -> None:
    free = "i" if "i}" in shown else ""
    known = Known(tuple(VALUES), ("m", "n"), {}, free)
    sizes = {"m": 3, "n": 4}

    def value(line: str) -> torch.Tensor:
        shape = (
            (4,) if free or shown.startswith(("x 𝟏", "(e", "max_r", "logs")) else (3,) if shown.endswith(" y") else
            (3, 4) if shown.startswith("A I") else (4, 4) if shown.startswith("diag") else SHAPES.get(shown, ())
        )  # fmt: skip
        return read(line, known).value(VALUES, sizes, lambda: shape)

    assert torch.equal(value(shown), value(tex))
    if text(math) != text(sized(math, ("n",) if free else ())):
        with pytest.raises(Misfit):
            value(text(math))
