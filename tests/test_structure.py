"""Derivatives by declared symmetric matrices: which one is shown, that it is torch's, and what is said of it."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal

from matmagic import gradcheck

PLAIN = "A is symmetric: this is the plain entrywise derivative G"
TRIANGLE = "torch reads one triangle of A here, and gives the symmetrised derivative"

CASES = {  # function of A, x, B -> the gradient by A, and what is said of it
    "x @ A @ x": ("x xᵀ", PLAIN),
    "torch.trace(B @ A)": ("Bᵀ", PLAIN),
    "torch.logdet(A)": ("A⁻¹", PLAIN),
    "torch.trace(B @ torch.linalg.inv(A))": ("−A⁻¹ Bᵀ A⁻¹", PLAIN),
    "torch.linalg.eigvalsh(A)[-1]": ("qₙ(A) qₙ(A)ᵀ", TRIANGLE),
    "torch.linalg.eigh(A).eigenvalues.sum()": ("I", PLAIN),  # no entry beside the diagonal tells the two apart
    "2 * torch.linalg.cholesky(A).diagonal().log().sum()": ("A⁻¹", TRIANGLE),
    "x @ torch.cholesky_solve(x[:, None], torch.linalg.cholesky(A))[:, 0]": ("−A⁻¹ x xᵀ A⁻¹", TRIANGLE),
    "MultivariateNormal(x, A).log_prob(2 * x)": ("½(A⁻¹ x xᵀ A⁻¹ − A⁻¹)", TRIANGLE),
}


@pytest.mark.parametrize("body", CASES)
def test_the_derivative_by_a_symmetric_matrix(body: str) -> None:
    names = {"torch": torch, "MultivariateNormal": MultivariateNormal}
    function = eval(f"lambda A, x, B: {body}", names)
    report = gradcheck(function, shapes={"A": "n,n", "x": "n", "B": "n,n"}, assume={"A": "positive-definite"}, wrt="A")
    text, said = CASES[body]
    assert report["A"].text == text
    assert report["A"].verdict.ok and report["A"].verdict.autograd_ok
    assert any(said in note.text for note in report.notes)
