"""A report as text, LaTeX and HTML that notebooks keep."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser

import fakes
import pytest
import torch

from matmagic import static
from matmagic.report import gradcheck

REPORTS = {
    "quadratic": fakes.report(),
    "least squares": fakes.least_squares(),
    "unknown": fakes.unknown(),
    "tensor": fakes.tensor(),
    "only code": fakes.only_code(),
    "hostile": fakes.hostile(),
}
EVERY = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())


def test_text_reads_as_promised() -> None:
    assert static.text(fakes.report()).splitlines() == [
        "f(x, A) = xᵀ A x   x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ",
        "∇ₓ f = (A + Aᵀ) x · quadratic form, Matrix Cookbook (81) · checked on 6 random draws, largest error 3e-16",
        "Your answer 2 A x is right only if A is symmetric: it is (A + Aᵀ) x in general. "
        "It fails at A = [[0, 1], [0, 0]], x = [1, 1].",
        "∇ₓ f in torch: (A + A.T) @ x",
    ]


def test_text_without_a_formula_says_so_and_gives_the_numbers() -> None:
    assert static.text(fakes.unknown()).splitlines() == [
        "f(x, A)   x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ",
        "∇ₓ f: no closed form found; autograd's gradient, checked by differences · "
        "checked on 6 random draws, largest error 3e-16",
        "  at the notebook's tensors:",
        "  [0.1305,",
        "   0.2210]",
        "torch.linalg.svd is not traced yet (cell line 3).",
    ]


def test_text_of_a_derivative_with_several_lines() -> None:
    assert static.text(fakes.tensor()).splitlines()[1:] == [
        "df = dXᵀ X + Xᵀ dX · checked on 6 random draws, largest error 3e-16",
        "  vec(df) = (Xᵀ ⊗ I) K_nm vec(dX)",
        "  where K_nm vec(X) = vec(Xᵀ)",
        "  ∂f_ij/∂X_kl = δ_il X_kj",
        '∂f_ij/∂X_kl in torch: torch.einsum("il,kj->ijkl", torch.eye(2), X)',
    ]


def test_text_of_code_without_a_formula() -> None:
    assert static.text(fakes.only_code()).splitlines()[1:] == [
        "∇ₓ f in torch · checked on 6 random draws, largest error 3e-16",
        '  (v1 := torch.einsum("ik,j->ijk", X, torch.ones(Y.shape[0])) - '
        'torch.einsum("jk,i->ijk", Y, torch.ones(X.shape[0])),',
        '   -2 * torch.einsum("ik,ikj->ij", torch.exp(-torch.einsum("ijk,ijk->ij", v1, v1)), v1))[-1]',
    ]
    page = static.page(fakes.only_code())
    assert "no closed form" not in page and "in torch</span></div><pre" in page


def test_long_code_of_a_formula_is_a_block() -> None:
    report = fakes.report(fakes.derivative(code=fakes.LONG_CODE), claims=())
    *_, label, first, _ = static.text(report).splitlines()
    assert label == "∇ₓ f in torch:" and first.startswith("  (v1 := torch")


CODES = [
    fakes.LONG_CODE,
    f"({fakes.LONG_CODE}).reshape(X.shape[0] * X.shape[1], 2)",
    "torch.outer(" + " + ".join(["A @ x"] * 30) + ", b)",
    "a + b + " * 40 + "c",
    'torch.einsum("' + ",".join(["ij"] * 40) + '->ij", ' + ", ".join(["torch.exp(A)"] * 40) + ")",
]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("width", [1, 40, 84, 100])
def test_wrapped_code_is_the_same_python(code: str, width: int) -> None:
    lines = static.wrapped(code, width)
    assert ast.dump(ast.parse(lines)) == ast.dump(ast.parse(code))
    if width == 84 and "(" in code and '"ij,ij' not in code:
        assert max(map(len, lines.splitlines())) < 110


def test_code_with_an_increment_is_there_to_copy() -> None:
    assert static._codes(fakes.tensor()) == [
        ("∂f_ij/∂X_kl", 'torch.einsum("il,kj->ijkl", torch.eye(2), X)'),
        ("df", "dX.T @ X + X.T @ dX"),
        ("vec(df)", "torch.kron(X.T.contiguous(), torch.eye(2)) @ dX.T.reshape(-1)"),
    ]
    assert [source.partition(" = ")[0] for _, source in static._sources(fakes.tensor())] == [
        r"\mathrm{d}f",
        r"\operatorname{vec}(\mathrm{d}f)",
        r"\frac{\partial f_{ij}}{\partial X_{kl}}",
    ]


def test_autograd_is_not_called_checked_where_it_is_wrong() -> None:
    bad = fakes.verdict(autograd_ok=False, text="autograd and differences disagree by 0.5")
    report = fakes.report(fakes.derivative(latex=None, text=None, identity=None, verdict=bad))
    assert "checked" not in static.text(report)
    assert "autograd and differences disagree by 0.5" in static.text(report)


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        (fakes.report(), r"$$\nabla_{x} f = \left(A + A^{\top}\right)\,x$$"),
        (fakes.unknown(), ""),
        (fakes.only_code(), ""),
        (
            fakes.tensor(),
            "$$\\begin{aligned}\n\\mathrm{d}f &= \\mathrm{d}X^{\\top}\\,X + X^{\\top}\\,\\mathrm{d}X \\\\\n"
            "\\operatorname{vec}(\\mathrm{d}f) &= (X^{\\top} \\otimes I) K_{nm} \\operatorname{vec}(\\mathrm{d}X) \\\\\n"
            "\\frac{\\partial f_{ij}}{\\partial X_{kl}} &= \\delta_{il} X_{kj}\n\\end{aligned}$$",
        ),
        (
            fakes.report(fakes.derivative(left_latex="a", latex="𝟏"), fakes.derivative(left_latex="b", latex="c")),
            "$$\\begin{aligned}\na &= \\mathbf{1} \\\\\nb &= c\n\\end{aligned}$$",
        ),
    ],
)
def test_latex(report: fakes.FakeReport, wanted: str) -> None:
    assert static.latex(report) == wanted


@EVERY
def test_bundle(report: fakes.FakeReport) -> None:
    bundle = static.mimebundle(report)
    assert bundle["text/plain"] == static.text(report)
    assert ("text/latex" in bundle) == bool(static.latex(report))


@EVERY
def test_html_has_only_what_saved_notebooks_keep(report: fakes.FakeReport) -> None:
    page = static.page(report)
    assert "$" not in page and "\\" not in page
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {"div", "span", "em", "img", "pre", "details", "summary"}
    assert not re.findall(r"<[^>]*\s(on\w+|class|id)=", page)


class Balance(HTMLParser):
    """The open tags, which must be none at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@EVERY
def test_html_is_balanced(report: fakes.FakeReport) -> None:
    parser = Balance()
    parser.feed(static.page(report))
    assert parser.open == []


def test_html_says_everything_in_words() -> None:
    report = fakes.least_squares()
    words = re.sub(r"<[^>]+>", "", static.page(report))
    for derivative in report:
        assert static.formula_text(derivative) in words
        assert derivative.verdict.text in words
    for said in [*(grade.sentence for grade in report.claims), *(note.text for note in report.notes)]:
        assert said.replace("'", "&#x27;") in words
    assert "2 * torch.outer(A @ x - b, x)" in words
    assert "squared norm of an affine map · Matrix Cookbook (84) · with W := I" in words


def test_pictures_carry_the_formula_as_text() -> None:
    page = static.page(fakes.least_squares())
    assert re.findall(r'alt="([^"]*)"', page) == ["∇ₓ f = 2 Aᵀ(A x − b)", "∇_A f = 2 (A x − b) xᵀ"]


@pytest.mark.parametrize(
    ("verdict", "sign"), [("correct", "✓"), ("correct-if", "◐"), ("wrong", "✗"), ("undecided", "?")]
)
def test_each_verdict_has_its_sign(verdict: str, sign: str) -> None:
    report = fakes.report(claims=(fakes.grade(verdict=verdict),), derivatives=())
    assert f'aria-label="{verdict}"' in static.page(report)
    assert re.findall("[✓◐✗?]", static.page(report)) == [sign]


@pytest.mark.parametrize("changes", [{"ok": False}, {"autograd_ok": False}])
def test_no_tick_without_both_checks(changes: dict[str, bool]) -> None:
    ticked = fakes.report(fakes.derivative(), claims=())
    unticked = fakes.report(fakes.derivative(verdict=fakes.verdict(**changes)), claims=())
    assert "✓" in static.page(ticked)
    assert "✓" not in static.page(unticked)


def test_a_hidden_answer_is_nowhere() -> None:
    report = fakes.report(hidden=True, claims=(fakes.grade(sentence="Your answer 2 A x is wrong."),))
    shown = "".join(static.mimebundle(report).values())
    assert "Your answer 2 A x is wrong." in shown
    for secret in ("(A + A", "quadratic form", "A.T", "<img"):
        assert secret not in shown


def test_rows_to_copy_are_labelled_where_there_are_several_derivatives() -> None:
    assert static._values(fakes.least_squares()) == [("∇_A f", "[[ 1.00, -0.50],\n [ 2.25,  0.75],\n [-4.00,  1.50]]")]
    assert static._codes(fakes.report()) == [("", "(A + A.T) @ x")]


def test_a_matrix_given_entry_by_entry_takes_a_line_for_each_row() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        return torch.stack([v[0] ** 2 + 3 * v[0] * v[1], 2 * v[0] + v[1]])

    lines = static.text(gradcheck(f, shapes="v=2")).splitlines()
    assert lines[1:3] == ["∂f/∂v = ⎡2 v₁ + 3 v₂  3 v₁⎤", "        ⎣2            1   ⎦"]
    assert lines[3].startswith("Jacobian, entry by entry")
