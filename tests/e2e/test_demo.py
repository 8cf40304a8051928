"""demo.ipynb, run in a real kernel: every report has all its forms and says what it should.

    MATMAGIC_REFRESH=1 pytest tests/e2e        # saves the new outputs into demo.ipynb, and a new picture

Saved are outputs of a real run, without the widgets, which are nothing without a kernel.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbformat import NotebookNode

DEMO = Path(__file__).parents[2] / "demo.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"
FORMS = {WIDGET, "text/html", "text/latex", "text/plain"}
# each report: how its formula is written in LaTeX and in text, and the verdict on the answers
QUADRATIC = (r"(A + A^{\top}) x", "= (A + Aᵀ) x · quadratic form", "")
JACOBIAN = r"\begin{bmatrix} 2 %s + 3 %s & 3 %s \\ 2 & 1 \end{bmatrix}"
REPORTS = [
    (r"= a$$", "= a · linear form", "Your answer a is right."),
    (r"= A$$", "= A · linear map", "Your answer A is right."),
    (r"(A + A^{\top}) x", "= (A + Aᵀ) x · quadratic form", "Your answer A x + Aᵀ x is right."),
    (r"2 A x", "= 2 A x · quadratic form", "Your answer 2 A x is right."),
    (r"A^{\top} x", "= Aᵀ x · bilinear form", "Your answer A y is right.\nYour answer Aᵀ x is right."),
    (r"a b^{\top}", "= a bᵀ · bilinear form in the matrix", "Your answer a bᵀ is right."),
    (r"2 x + 3 y", "= [2 x + 3 y, 3 x]", "Your answer 2 x + 3 y is right.\nYour answer 3 x is right."),
    (JACOBIAN % ("x", "y", "x"), "∂f/∂(x, y) = ⎡2 x + 3 y  3 x⎤", "is right"),
    (JACOBIAN % ("v_{1}", "v_{2}", "v_{1}"), "∂f/∂v = ⎡2 v₁ + 3 v₂  3 v₁⎤", "is right"),
    *[QUADRATIC] * 5,
    (r"(A + A^{\top}) x", "= (A + Aᵀ) x", "Your answer 2 A x is right only if A is symmetric"),
    (r"2 A^{\top} (A x - b)", "= 2 Aᵀ(A x − b) · least squares", "Your answer 2 Aᵀ(A x − b) is right."),
    (r"2 A^{\top} (A x - b)", "= 2 Aᵀ(A x − b)", "Your answer Aᵀ(A x − b) is wrong: a factor 2 is missing"),
    (r"2 A^{\top} (A x - b)", "= 2 Aᵀ(A x − b)", "Your answer 2 Aᵀ(A x − b) is right."),
]


@pytest.fixture(scope="module")
def saved() -> NotebookNode:
    return nbformat.read(DEMO, as_version=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook after a run from the top, which raises where a cell does."""
    notebook = nbformat.read(DEMO, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False)
    client.execute(cwd=str(tmp_path_factory.mktemp("demo")))
    if os.environ.get("MATMAGIC_REFRESH"):
        nbformat.write(without_widgets(notebook), DEMO)
    return notebook


def without_widgets(notebook: NotebookNode) -> NotebookNode:
    """A copy as it is saved."""
    copy = nbformat.from_dict(notebook)
    for output in outputs(copy):
        output.get("data", {}).pop(WIDGET, None)
    for cell in copy.cells:
        cell.metadata = nbformat.NotebookNode()
    copy.metadata.language_info = nbformat.from_dict({"name": "python"})
    return copy


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def reports(notebook: NotebookNode) -> list[NotebookNode]:
    """The data of every report."""
    return [output.data for output in outputs(notebook) if output.output_type == "execute_result"]


def test_nothing_fails_or_warns(run: NotebookNode) -> None:
    kinds = {output.get("name", output.output_type) for output in outputs(run)}
    assert kinds == {"stdout", "execute_result"}


def test_every_checked_cell_reports(run: NotebookNode) -> None:
    checked = [cell for cell in run.cells if re.search(r"^%%?gradcheck|matmagic\.gradcheck", cell.source, re.M)]
    checked = [cell for cell in checked if cell.cell_type == "code"]
    assert len(checked) == len(reports(run)) == len(REPORTS)


@pytest.mark.parametrize("number", range(len(REPORTS)), ids=[text for _, text, _ in REPORTS])
def test_a_report_has_all_its_forms(run: NotebookNode, number: int) -> None:
    latex, text, verdict = REPORTS[number]
    data = reports(run)[number]
    assert data.keys() == FORMS
    assert re.fullmatch(r"[0-9a-f]{32}", data[WIDGET]["model_id"])
    assert data["text/latex"].startswith("$$") and latex in spaced(data["text/latex"])
    assert text in data["text/plain"] and verdict in data["text/plain"]
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert all(part.split(" is ")[0] in data["text/html"] for part in verdict.splitlines())
    assert not re.search(r"<(style|script|svg)", data["text/html"])


def test_what_is_saved_is_of_this_version(run: NotebookNode, saved: NotebookNode) -> None:
    """Formulas and printed numbers are those of a run now, and no widget is left that would need a kernel."""
    assert not any(WIDGET in data for data in reports(saved)) and "widgets" not in saved.metadata
    assert saved.metadata.kernelspec.name == "python3"
    assert printed(saved) == printed(run), "run: MATMAGIC_REFRESH=1 pytest tests/e2e"


def spaced(latex: str) -> str:
    r"""LaTeX without `\;` and `\,`."""
    return re.sub(r"\\[;,] ?", "", latex)


def printed(notebook: NotebookNode) -> list[str]:
    """Formulas, and what cells print with digits beyond float32's cut off."""
    found = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        found.append("".join(output.text for output in cell.outputs if "text" in output))  # in one piece or several
        found += [output.data["text/latex"] for output in cell.outputs if "data" in output]
    return [re.sub(r"(\.\d{4})\d+", r"\1", text) for text in found]
