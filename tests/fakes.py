"""Reports made by hand, for the tests of what shows them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class FakeReport(SimpleNamespace):
    """Iterates over its derivatives, as a Report does."""

    def __iter__(self) -> Any:
        return iter(self.derivatives)


def verdict(**changes: Any) -> SimpleNamespace:
    text = "checked on 6 random draws, largest error 3e-16"
    return SimpleNamespace(**{"ok": True, "max_error": 3e-16, "draws": 6, "autograd_ok": True, "text": text} | changes)


def match(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "name": "quadratic form",
            "source": "Matrix Cookbook (81)",
            "conditions": (),
            "conditions_said": (),
            "bindings": {},
            "bindings_text": "",
            "factor_text": "",
            "pattern_latex": r"\nabla_{x} x^{\top} A\,x = \left(A + A^{\top}\right)\,x",
            "pattern_text": "∇ₓ xᵀ A x = (A + Aᵀ) x",
            "simpler": (("A symmetric", r"2\,A\,x", "2 A x"),),
        }
        | changes
    )


def derivative(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "variable": "x",
            "kind": "gradient",
            "left_latex": r"\nabla_{x} f",
            "left_text": "∇ₓ f",
            "latex": r"\left(A + A^{\top}\right)\,x",
            "text": "(A + Aᵀ) x",
            "code": "(A + A.T) @ x",
            "identity": match(),
            "tree": None,
            "verdict": verdict(),
            "value_text": "",
            "lines": (),
            "code_left": "",
            "legend": (),
            "math": None,
        }
        | changes
    )


def grade(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "variable": "x",
            "claim": "2 * A @ x",
            "claim_latex": r"2\,A\,x",
            "claim_text": "2 A x",
            "verdict": "correct-if",
            "why": "symmetry",
            "condition": "A symmetric",
            "hint": "A need not be symmetric.",
            "sentence": "Your answer 2 A x is right only if A is symmetric: it is (A + Aᵀ) x in general. "
            "It fails at A = [[0, 1], [0, 0]], x = [1, 1].",
            "counterexample_text": "A = [[0, 1], [0, 0]], x = [1, 1]",
            "line": 3,
        }
        | changes
    )


def note(kind: str, text: str) -> SimpleNamespace:
    return SimpleNamespace(kind=kind, text=text)


def report(*derivatives: Any, **changes: Any) -> FakeReport:
    """The quadratic form with a claim, or what `changes` make of it."""
    return FakeReport(
        **{
            "function": "f",
            "signature_text": "f(x, A)",
            "shapes": {"x": "n,1", "A": "n,n"},
            "shapes_text": "x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ",
            "shapes_latex": r"x \in \mathbb{R}^{n},\; A \in \mathbb{R}^{n \times n}",
            "statement_text": "f(x, A) = xᵀ A x",
            "statement_latex": r"f(x, A) = x^{\top} A\,x",
            "notes": (),
            "passed": False,
            "claims": (grade(),),
            "text_only": False,
            "derivatives": derivatives or (derivative(),),
        }
        | changes
    )


def least_squares() -> FakeReport:
    """Several derivatives, claims and notes, with values."""
    inner = derivative(
        latex=r"2\,A^{\top}\left(A\,x - b\right)",
        text="2 Aᵀ(A x − b)",
        code="2 * A.T @ (A @ x - b)",
        identity=match(
            name="squared norm of an affine map",
            source="Matrix Cookbook (84)",
            bindings={"W": "torch.eye(m)"},
            bindings_text="W := I",
            pattern_latex=r"\nabla_{x} \lVert A\,x - b \rVert^{2} = 2\,A^{\top}\left(A\,x - b\right)",
            pattern_text="∇ₓ ‖A x − b‖² = 2 Aᵀ(A x − b)",
            conditions_said=("W symmetric",),
            simpler=(),
        ),
        value_text="[ 3.20, -1.50]",
    )
    outer = derivative(
        variable="A",
        left_latex=r"\nabla_{A} f",
        left_text="∇_A f",
        latex=r"2\left(A\,x - b\right)\,x^{\top}",
        text="2 (A x − b) xᵀ",
        code="2 * torch.outer(A @ x - b, x)",
        identity=None,
        value_text="[[ 1.00, -0.50],\n [ 2.25,  0.75],\n [-4.00,  1.50]]",
    )
    right = "Your answer 2 Aᵀ(A x − b) is correct."
    wrong = "Your answer 2 x (A x − b)ᵀ is wrong for A: it is transposed. The gradient is 2 (A x − b) xᵀ."
    unsure = "Your answer could be evaluated at the notebook's values only; there it is right."
    return report(
        inner,
        outer,
        signature_text="f(x, A, b)",
        statement_text="f(x, A, b) = ‖A x − b‖²",
        statement_latex=r"f(x, A, b) = \left\lVert A\,x - b \right\rVert^{2}",
        shapes_text="x ∈ ℝⁿ, A ∈ ℝᵐˣⁿ, b ∈ ℝᵐ",
        shapes_latex=r"x \in \mathbb{R}^{n},\; A \in \mathbb{R}^{m \times n},\; b \in \mathbb{R}^{m}",
        claims=(
            grade(verdict="correct", sentence=right),
            grade(verdict="wrong", variable="A", sentence=wrong),
            grade(verdict="undecided", sentence=unsure),
        ),
        notes=(
            note("assumed", "x is a vector of any length; --shapes x=n,1 would make it a column."),
            note("warning", "b was float32; everything was checked in float64."),
        ),
    )


def unknown() -> FakeReport:
    """No closed form, and a value of several lines."""
    untraced = derivative(latex=None, text=None, code=None, identity=None, value_text="[0.1305,\n 0.2210]")
    return report(
        untraced,
        statement_text=None,
        statement_latex=None,
        claims=(),
        notes=(note("limit", "torch.linalg.svd is not traced yet (cell line 3)."),),
    )


def line(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "left_latex": r"\mathrm{d}f",
            "left_text": "df",
            "latex": r"\mathrm{d}X^{\top}\,X + X^{\top}\,\mathrm{d}X",
            "text": "dXᵀ X + Xᵀ dX",
            "code": "dX.T @ X + X.T @ dX",
            "increment": "dX",
            "where": "",
        }
        | changes
    )


def tensor() -> FakeReport:
    """A derivative with four indices: a differential, its vec form, its entries."""
    main = line()
    by_columns = line(
        left_latex=r"\operatorname{vec}(\mathrm{d}f)",
        left_text="vec(df)",
        latex=r"(X^{\top} \otimes I) K_{nm} \operatorname{vec}(\mathrm{d}X)",
        text="(Xᵀ ⊗ I) K_nm vec(dX)",
        code="torch.kron(X.T.contiguous(), torch.eye(2)) @ dX.T.reshape(-1)",
        where="K_nm vec(X) = vec(Xᵀ)",
    )
    entries = line(
        left_latex=r"\frac{\partial f_{ij}}{\partial X_{kl}}",
        left_text="∂f_ij/∂X_kl",
        latex=r"\delta_{il} X_{kj}",
        text="δ_il X_kj",
        code='torch.einsum("il,kj->ijkl", torch.eye(2), X)',
        increment="",
    )
    return report(
        derivative(
            variable="X",
            kind="derivative",
            left_latex=main.left_latex,
            left_text=main.left_text,
            latex=main.latex,
            text=main.text,
            code=entries.code,
            identity=None,
            lines=(main, by_columns, entries),
            code_left="∂f_ij/∂X_kl",
        ),
        claims=(),
    )


LONG_CODE = (
    '(v1 := torch.einsum("ik,j->ijk", X, torch.ones(Y.shape[0])) - torch.einsum("jk,i->ijk", Y, torch.ones(X.shape[0])), '
    '-2 * torch.einsum("ik,ikj->ij", torch.exp(-torch.einsum("ijk,ijk->ij", v1, v1)), v1))[-1]'
)


def only_code() -> FakeReport:
    """A derivative that has code and no formula."""
    return report(derivative(latex=None, text=None, code=LONG_CODE, identity=None), claims=())


def hostile() -> FakeReport:
    """Markup, dollars and macros in every place that a user's text can reach."""
    bad = '<script>alert("1")</script> $x$ \\(y\\) & \\undefined{z}'
    return report(
        derivative(
            variable=bad,
            left_text=bad,
            left_latex=bad,
            latex=bad,
            text=bad,
            code=bad,
            identity=match(
                name=bad,
                source=bad,
                bindings_text=bad,
                conditions_said=(bad,),
                pattern_latex=bad,
                pattern_text=bad,
                simpler=((bad, bad, bad),),
            ),
            verdict=verdict(text=bad),
            value_text=bad,
            code_left=bad,
            legend=(bad,),
            lines=(line(), line(left_latex=bad, left_text=bad, latex=bad, text=bad, code=bad, where=bad)),
        ),
        function=bad,
        signature_text=bad,
        statement_text=bad,
        statement_latex=bad,
        shapes_text=bad,
        shapes_latex=bad,
        claims=(grade(claim=bad, sentence=bad),),
        notes=(note("warning", bad),),
    )
