"""What is printed is right: text, LaTeX and SymPy form of every corpus case, read back and evaluated against autograd.

Random functions are read back in test_fuzz.py, by the same means (readback.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from corpus.cases import Case, asked, load, samples
from readback import Setting, explicit, forms, setting_of, sizes_of, upright
from torch import Tensor

from matmagic.derivative import Derivative
from matmagic.report import Report

CASES = {case["id"]: case for case in load("open.toml", "case")}
SLOW = 0.02  # seconds to read a formula of the corpus, on a machine that does other things too

# torch warns of x.T for 1-D tensors; it is ordinary in notebooks
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@cache
def reported(name: str) -> Report:
    return asked(CASES[name])[0]


def derivative_of(name: str) -> tuple[Derivative, Setting]:
    """The derivative that is printed, and where it is evaluated: the draw with the fewest entries."""
    case: Case = CASES[name]
    report = reported(name)
    drawn = min(samples(case), key=lambda sample: sum(value.numel() for value in sample.inputs.values()))
    return report[case["wrt"]], Setting(drawn.inputs, sizes_of(drawn.inputs, report.shapes), drawn.truth)


@pytest.mark.parametrize("name", CASES)
def test_text_and_latex_of_the_corpus(name: str) -> None:
    derivative, setting = derivative_of(name)
    assert derivative.math is not None
    for shown, problem in forms(derivative, setting):
        assert not problem, f"{shown}\n{problem}"


@pytest.mark.parametrize("name", CASES)
def test_sympy_forms_of_the_corpus(name: str) -> None:
    derivative, setting = derivative_of(name)
    assert derivative.formula is not None, derivative.text
    line = derivative.lines[0] if derivative.lines else derivative
    own = setting_of(line, derivative.variable, setting)
    value = explicit(derivative.formula, own)
    right = upright(own.right)
    assert value.numel() == right.numel() or not right.any()
    error = float((value.reshape(-1) - right.reshape(-1)).abs().max())
    assert error <= 1e-8 * (1 + float(right.abs().max())), derivative.formula


# ---- the check can fail -------------------------------------------------------------------------------------------


def corrupted(line: str, right: Tensor) -> Iterator[str]:
    """The formula negated, doubled, and transposed where that changes it."""
    yield f"-({line})"
    yield f"2 ({line})"
    square = right.ndim == 2 and right.shape[0] == right.shape[1]
    if right.unique().numel() > 1 and not (square and torch.allclose(right, right.mT)):
        yield f"({line})^T"


@pytest.mark.parametrize("name", CASES)
def test_a_corrupted_formula_is_found(name: str) -> None:
    derivative, setting = derivative_of(name)
    if derivative.lines:
        return
    for line in (str(derivative.text), str(derivative.latex)):
        for wrong in corrupted(line, setting.right):
            assert setting.problem(wrong), f"{wrong} passes for {line}"


def test_a_corrupted_sympy_form_is_found() -> None:
    for name in ("quadratic-form-col", "least-squares-col", "det-X", "softmax-jacobian"):
        derivative, setting = derivative_of(name)
        form, right = derivative.formula, upright(setting.right)
        assert torch.allclose(explicit(form, setting).reshape(right.shape), right)
        assert not torch.allclose(explicit(2 * form, setting).reshape(right.shape), right)


def test_reading_is_quick() -> None:
    """A formula of the corpus, on the average."""
    lines = [(str(derivative.text), setting) for derivative, setting in map(derivative_of, sorted(CASES)[::6])]
    start = time.thread_time()
    for line, setting in lines:
        setting.problem(line)
    assert time.thread_time() - start < SLOW * len(lines)
