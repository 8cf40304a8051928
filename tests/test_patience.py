"""The bound on the time of a search."""

from __future__ import annotations

import sys
import time

import pytest
import torch

import matmagic
from matmagic.patience import Patience


def test_a_single_pause_does_not_end_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    patience = Patience(1.0)
    for length in (0.01, 0.01, 5.0, 0.01):
        with patience.trying():
            clock[0] += length
    assert patience.left


@pytest.mark.parametrize("lengths", [[0.1] * 11, [0.0] * 20 + [5.0, 5.0], [0.6] * 6, [6.0, 6.0]])
def test_slow_tries_do(monkeypatch: pytest.MonkeyPatch, lengths: list[float]) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    patience = Patience(1.0)
    for length in lengths:
        with patience.trying():
            clock[0] += length
    assert not patience.left


def test_a_slow_function_gets_a_few_tries() -> None:
    def f(x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        time.sleep(0.2)
        return (A @ x).sum()

    assert matmagic.gradcheck(f).shapes == {"x": "n", "A": "m,n"}


def test_shapes_do_not_depend_on_one_long_run() -> None:
    runs = [0]

    def f(X: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        runs[0] += 1
        if runs[0] == 2:
            time.sleep(0.5)
        return a @ X @ b

    assert matmagic.gradcheck(f).shapes == {"X": "n,m", "a": "n", "b": "m"}


def test_a_try_that_imports_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch imports for seconds where it first needs a part of itself."""
    patience = Patience(0.01)
    with patience.trying():
        time.sleep(0.2)
        for k in range(30):
            monkeypatch.setitem(sys.modules, f"imported_{k}", sys)
    assert patience.left and not patience.lengths
    for _ in range(6):
        with patience.trying():
            time.sleep(0.02)
    assert not patience.left
