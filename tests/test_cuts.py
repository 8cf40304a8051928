"""Places where autograd loses the thread: which are found, what is said, and where it is said."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import exp

import numpy as np
import pytest
import torch
from torch import Tensor

from matmagic.capture import subject_of
from matmagic.cuts import Cut, cuts, sentences
from matmagic.errors import ResultError
from matmagic.report import gradcheck

pytestmark = pytest.mark.filterwarnings("ignore")  # numpy warns about torch's tensors


def split_over_lines(x: Tensor) -> Tensor:
    y = x.detach()
    return x @ torch.from_numpy(
        np.exp(y.numpy()),
    )


FOUND: list[tuple[Callable[..., Tensor], list[tuple[str, str]]]] = [  # function, calls with what to use
    (lambda x: np.exp(x).sum(), [("np.exp", "torch.exp")]),
    (lambda x: x.sum() * np.dot(x, x), [("np.dot", "torch.matmul")]),
    (lambda x: x.sum() * np.linalg.norm(x.detach().numpy()), [("np.linalg.norm", "torch.linalg.norm")]),
    (lambda x: (np.sqrt(2) * np.exp(x)).sum(), [("np.exp", "torch.exp")]),
    (lambda x: x @ torch.from_numpy(np.zeros(len(x)) + x.detach().numpy()), [(".numpy()", "")]),
    (lambda x: x.sum() * np.pi, []),
    (lambda x: x * math.exp(x.sum()), [("math.exp", "torch.exp")]),
    (lambda x: x * exp(x.sum()), [("exp", "torch.exp")]),
    (lambda x: x * float(x.sum()), [("float()", "")]),
    (lambda x: x * x.sum().item(), [(".item()", "")]),
    (lambda x: x * math.sqrt(len(x)), []),
    (lambda x: x * x.detach(), [(".detach()", "")]),
    (lambda x: x * x.detach().sum().item(), [(".item()", "")]),
    (lambda x: x * torch.ones(3).detach(), []),
    (lambda x, a: x * a.detach(), []),
    (lambda x: torch.distributions.Normal(x, 1.0).log_prob(x), []),
    (split_over_lines, [(".detach()", ""), ("np.exp", "torch.exp")]),
]


@pytest.mark.parametrize(("function", "expected"), FOUND, ids=[str(e) for _, e in FOUND])
def test_places(function: Callable[..., Tensor], expected: list[tuple[str, str]]) -> None:
    inputs = {name: torch.rand(3, dtype=torch.float64) for name in function.__code__.co_varnames[:2] if name != "y"}
    found = cuts(subject_of(function, globals()), inputs, ["x"])
    assert [(cut.call, cut.use) for cut in found] == expected
    assert all(cut.line and cut.line >= function.__code__.co_firstlineno for cut in found)


SENTENCES = [
    (Cut("numpy", "np.exp", 3, "torch.exp"), "np.exp in line 3: autograd can't follow it, use torch.exp"),
    (Cut("numpy", ".numpy()", 3), ".numpy() in line 3: autograd can't follow it, stay with torch tensors"),
    (
        Cut("number", ".item()", 2),
        "f takes numbers out of tensors (.item() in line 2): autograd takes them for constants, finite differences do not",
    ),
    (
        Cut("detach", ".detach()", 2),
        "f detaches part of its value (.detach() in line 2): autograd takes it for a constant, finite differences do not",
    ),
    (Cut("hook", "a hook", None), "a hook of f may change what autograd passes back"),
]


@pytest.mark.parametrize(("cut", "sentence"), SENTENCES, ids=[c.call for c, _ in SENTENCES])
def test_sentences(cut: Cut, sentence: str) -> None:
    assert list(sentences([cut], "f")) == [sentence]


def test_what_only_chooses_is_no_number() -> None:
    assert list(sentences([Cut("number", "a condition", 2), Cut("number", "int()", 2)], "f")) == []


def by_numpy(x: Tensor) -> Tensor:
    return np.exp(x).sum()


def cut_altogether(x: Tensor) -> Tensor:
    return torch.from_numpy(np.sin(x.detach().numpy())).sum()


def in_part(x: Tensor) -> Tensor:
    return x.sum() + torch.from_numpy(np.sin(x.detach().numpy())).sum()


def printing(x: Tensor) -> Tensor:
    print(x.detach().numpy(), x.sum().item())
    return x @ x


def test_torchs_own_error_is_shown_with_the_call_to_use() -> None:
    with pytest.raises(RuntimeError, match="requires grad") as error:
        gradcheck(by_numpy, shapes={"x": "n"})
    (note,) = error.value.__notes__
    assert note.startswith("np.exp in line") and note.endswith("use torch.exp")


def test_a_graph_that_is_cut_names_the_place() -> None:
    with pytest.raises(ResultError, match=r"the graph is cut\n  np.sin in line \d+: .*use torch.sin\n  look for"):
        gradcheck(cut_altogether, shapes={"x": "n"})


def test_a_part_that_is_cut_has_a_note() -> None:
    report = gradcheck(in_part, shapes={"x": "n"})
    assert not report["x"].verdict.autograd_ok
    assert any(n.kind == "warning" and n.text.endswith("use torch.sin") for n in report.notes)


def test_numbers_that_are_only_printed_are_no_matter() -> None:
    report = gradcheck(printing, shapes={"x": "n"})
    assert report["x"].text == "2 x" and not any("autograd" in note.text for note in report.notes)
