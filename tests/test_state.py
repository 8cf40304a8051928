"""The state guard: whatever happens inside, nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from matmagic.state import leave_no_trace


@pytest.fixture
def w() -> Tensor:
    """A leaf with a gradient."""
    leaf = torch.tensor([1.0, 2.0], requires_grad=True)
    (leaf**2).sum().backward()
    return leaf


def state(w: Tensor) -> dict[str, Any]:
    """Everything that is promised to stay."""
    return {
        "values": w.tolist(),
        "flag": w.requires_grad,
        "grad": id(w.grad),
        "numbers": None if w.grad is None else w.grad.tolist(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "filters": list(warnings.filters),
        "environment": dict(os.environ),
    }


def delete_variable() -> None:
    os.environ.pop("MATMAGIC_OLD")


CHANGES: dict[str, Callable[[Tensor], object]] = {
    "accumulate": lambda w: (3 * w).sum().backward(),
    "drop the gradient": lambda w: setattr(w, "grad", None),
    "zero it in place": lambda w: w.grad.zero_(),  # type: ignore[union-attr]
    "put another": lambda w: setattr(w, "grad", torch.ones(2)),
    "change and drop": lambda w: (w.grad.zero_(), setattr(w, "grad", None)),  # type: ignore[union-attr]
    "values": lambda w: w.detach().mul_(5),
    "flag": lambda w: w.requires_grad_(False),
    "torch random": lambda w: torch.randn(3),
    "torch seed": lambda w: torch.manual_seed(5),
    "numpy random": lambda w: np.random.rand(3),
    "python random": lambda w: random.random(),
    "default dtype": lambda w: torch.set_default_dtype(torch.float64),
    "gradients off": lambda w: torch.set_grad_enabled(False),
    "warning filter": lambda w: warnings.simplefilter("always"),
    "new variable": lambda w: os.environ.update(MATMAGIC_NEW="1"),
    "changed variable": lambda w: os.environ.update(MATMAGIC_OLD="2"),
    "deleted variable": lambda w: delete_variable(),
}


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_state_is_as_before(change: str, quiet: bool, w: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATMAGIC_OLD", "1")
    before = state(w)
    with leave_no_trace({"w": w}, quiet=quiet):
        CHANGES[change](w)
        assert state(w) != before  # so that the test can fail
    assert state(w) == before


def test_statistics_that_change_without_a_new_version() -> None:
    norm = torch.nn.BatchNorm1d(2).double()
    with leave_no_trace(dict(norm.named_buffers())):
        norm(torch.randn(3, 2, dtype=torch.float64))
        assert norm.running_mean.tolist() != [0, 0]
    assert (norm.running_mean.tolist(), norm.num_batches_tracked.item()) == ([0, 0], 0)


@pytest.mark.parametrize("change", ["t_", "unsqueeze_", "squeeze_", "resize_", "swapaxes_"])
def test_changes_of_shape_in_place_are_undone(change: str) -> None:
    own = torch.arange(6.0).reshape(1, 2, 3) if change != "t_" else torch.arange(6.0).reshape(2, 3)
    before = own.clone()
    arguments = {"unsqueeze_": (0,), "resize_": (2, 2), "swapaxes_": (1, 2)}.get(change, ())
    with leave_no_trace({"own": own}):
        getattr(own, change)(*arguments)
        own.add_(1)
        assert own.shape != before.shape
    assert own.stride() == before.stride() and torch.equal(own, before)


class Thing:
    """An object with attributes."""

    def __init__(self) -> None:
        self.count, self.log = 0, {"a": 1}


def test_what_objects_hold_is_as_before() -> None:
    thing, things, table, module = Thing(), [1, 2], {"a": 1, "b": 2}, torch.nn.Dropout()
    module.register_buffer("mask", mask := torch.ones(2))
    objects = {"thing": thing, "things": things, "table": table, "module": module, "Thing": Thing, "one": (1, 2)}
    with leave_no_trace(objects):
        thing.count, thing.log["b"], thing.new = 1, 2, 3  # type: ignore[attr-defined]
        things.append(3)
        del table["a"]
        table["c"] = 3
        module.eval()
        module.mask = module.mask * 2
    assert (vars(thing), things, list(table)) == ({"count": 0, "log": {"a": 1}}, [1, 2], ["a", "b"])
    assert module.training and module.mask is mask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_also_when_it_is_left_by_an_exception(error: type[BaseException], w: Tensor) -> None:
    before = state(w)
    with pytest.raises(error), leave_no_trace({"w": w}):
        for name in ("accumulate", "torch random", "default dtype", "gradients off", "warning filter"):
            CHANGES[name](w)
        raise error
    assert state(w) == before


def test_tensor_without_gradient_keeps_none() -> None:
    leaf, result = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True) * 2
    with leave_no_trace({"leaf": leaf, "result": result, "three": torch.tensor(3)}):
        (leaf * 2).sum().backward()
    assert leaf.grad is None and result.requires_grad


def test_graph_of_the_user_stays_usable(w: Tensor) -> None:
    loss = (w**2).sum()  # its backward needs w as it was
    with leave_no_trace({"w": w}):
        (w * 3).sum().backward()
    loss.backward()
    assert w.grad is not None and w.grad.tolist() == [4.0, 8.0]


def test_second_interrupt_does_not_break_restoring(w: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(w)
    restore = torch.set_rng_state

    def interrupted(seed: Tensor) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        restore(seed)

    monkeypatch.setattr(torch, "set_rng_state", interrupted)
    with pytest.raises(KeyboardInterrupt), leave_no_trace({"w": w}):
        CHANGES["accumulate"](w)
        torch.randn(3)
        raise KeyboardInterrupt
    monkeypatch.undo()
    assert state(w) == before and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_step_that_fails_does_not_stop_the_others(w: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: Tensor) -> None:
        raise RuntimeError("broken")

    before = state(w)
    monkeypatch.setattr(torch, "set_rng_state", broken)
    with pytest.raises(RuntimeError, match="broken"), leave_no_trace({"w": w}):
        CHANGES["accumulate"](w)
    assert state(w) == before


def test_in_a_thread(w: Tensor) -> None:
    before = state(w)

    def work() -> None:
        with leave_no_trace({"w": w}):
            torch.randn(3)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert state(w) == before


@pytest.fixture
def noise() -> Iterator[Callable[[], None]]:
    def make() -> None:
        print("out")
        print("err", file=sys.stderr)
        warnings.warn("loud", stacklevel=1)

    yield make


def test_quiet(noise: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught, leave_no_trace(quiet=True):
        noise()
    assert capsys.readouterr() == ("", "") and not caught


def test_not_quiet(noise: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="loud"), leave_no_trace():
        noise()
    assert capsys.readouterr() == ("out\n", "err\n")


def test_nothing_is_imported_and_imports_leave_no_filters() -> None:
    program = """
import sys, warnings
from matmagic.state import leave_no_trace
filters = list(warnings.filters)
with leave_no_trace():
    assert not {"torch", "numpy"} & sys.modules.keys()
    import sympy
assert warnings.filters == filters
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_cheap(w: Tensor) -> None:
    def once() -> float:
        start = time.thread_time()
        with leave_no_trace({"w": w, "eye": torch.eye(3)}):
            pass
        return time.thread_time() - start

    assert min(once() for _ in range(300)) < 1e-3
