"""Whatever the function is, the kernel stays alive and the user is answered: memory, sizes, slow and long functions, Ctrl-C."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from bench.memory import FUNCTIONS, reports
from torch import Tensor

from matmagic.bounds import BUDGET, SLOW
from matmagic.errors import TooLarge
from matmagic.report import gradcheck


def plain(x: Tensor) -> Tensor:
    return x @ x


def huge(x: Tensor) -> Tensor:
    return x.sum() + torch.zeros(10**11).sum()


def huge_array(x: Tensor) -> Tensor:
    return x.sum() + float(np.ones(10**11).sum())


def outer(x: Tensor) -> Tensor:
    return torch.outer(x, x)


LARGE: list[tuple[Callable[..., Tensor], dict[str, Any], str]] = [
    (plain, {"shapes": "x=100000000000"}, "too large to check at\n  one copy takes x 800 GB"),
    (plain, {"shapes": "x=10000000"}, r"too large to check at\n  one copy takes x 80 MB"),
    (plain, {"shapes": "x=3000", "order": 2}, "9,000,000 entries, 72 MB at these sizes"),
    (
        huge,
        {},
        r"huge needs 800 GB at once.*\n  asked for in line \d+",
    ),
    (huge_array, {}, r"huge_array needs [\d.]+ [GT]iB at once"),
    (outer, {"shapes": "x=300"}, "27,000,000 entries, 216 MB at these sizes"),
    (outer, {"shapes": "x=1000000"}, "outer needs 8 TB at once"),
]


@pytest.mark.parametrize(("function", "options", "said"), LARGE, ids=range(len(LARGE)))
def test_memory_that_is_not_there(function: Callable[..., Tensor], options: dict[str, Any], said: str) -> None:
    before, start = resource.getrlimit(resource.RLIMIT_AS), time.perf_counter()
    with pytest.raises(TooLarge, match=said) as raised:
        gradcheck(function, **options)
    assert len(str(raised.value).splitlines()) <= 6 and "--shapes" in str(raised.value)
    assert time.perf_counter() - start < 10 and resource.getrlimit(resource.RLIMIT_AS) == before


def test_memory_is_asked_for_in_vain_rather_than_taken() -> None:
    """Half of the free memory would be given by the system, and then taken back by ending the process."""
    program = """
import torch, matmagic, matmagic.errors
from matmagic.bounds import SHARE, free_memory
entries = int(free_memory() * (SHARE + 0.05) / 8)
def f(x):
    return x.sum() + torch.ones(entries, dtype=torch.float64).sum()
try:
    matmagic.gradcheck(f)
except matmagic.errors.MatmagicError as error:
    assert "GB at once" in str(error), error
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


X_LARGE, Y_LARGE = torch.ones(4000, 1100), torch.ones(4000)


def regression(w: Tensor) -> Tensor:
    return ((X_LARGE @ w - Y_LARGE) ** 2).mean()


def test_large_tensors_of_the_notebook() -> None:
    start = time.perf_counter()
    report = gradcheck(regression)
    assert report["w"].text is not None and time.perf_counter() - start < 20


def logistic(w: Tensor) -> Tensor:
    return torch.log1p(torch.exp(-X_LARGE[:, :12] @ w)).mean() + X_LARGE.sum() * 0


def test_a_small_hessian_of_a_function_of_much_data() -> None:
    assert gradcheck(logistic, shapes="w=12", order=2)["w"].verdict.ok


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_slow_functions_get_fewer_draws(seconds: float) -> None:
    def f(x: Tensor) -> Tensor:
        time.sleep(seconds)
        return x @ x

    report = gradcheck(f, shapes="x=n")
    draws = max(1, int(BUDGET / seconds))
    assert seconds > SLOW and report["x"].verdict.draws <= draws and report["x"].text == "2 x"
    assert any("is slow" in note.text and "in place of 6" in note.text for note in report.notes)


def long_loop(x: Tensor) -> Tensor:
    s = x.sum()
    for k in range(1000):
        s = s + torch.sin(x).sum() * k
    return s


def nested(x: Tensor, A: Tensor) -> Tensor:
    y = x
    for _ in range(30):
        y = torch.tanh(A @ y) + y
    return y.sum()


def newton(A: Tensor) -> Tensor:
    X = A.T / A.norm() ** 2
    for _ in range(20):
        X = X @ (2 * torch.eye(len(A), dtype=A.dtype) - A @ X)
    return X.trace()


def chain(x: Tensor) -> Tensor:
    for _ in range(250):
        x = torch.sin(x)
    return x.sum()


LONG = [(long_loop, "more than 800 calls"), (nested, "too deep|too large"), (newton, "too large"), (chain, "too deep")]


@pytest.mark.parametrize(("function", "said"), LONG, ids=[f.__name__ for f, _ in LONG])
def test_long_and_deep_functions(function: Callable[..., Tensor], said: str) -> None:
    start = time.perf_counter()
    report = gradcheck(function)
    assert all(d.text is None and d.verdict.autograd_ok for d in report)
    limits = " ".join(note.text for note in report.notes if note.kind == "limit")
    assert re.search(said, limits), limits
    assert time.perf_counter() - start < 30


INTERRUPTED = """
import _thread, threading, time, sys, torch, matmagic
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "matmagic")
cells = [
    "def f(x, A):\\n    return x @ A @ x",
    "import time\\ndef f(x):\\n    time.sleep(0.01)\\n    return x @ x",
    "def f(x):\\n    while True:\\n        x = x + 1",
    "def f(X):\\n    for _ in range(200):\\n        X = torch.tanh(X @ X)\\n    return X.sum()",
]
shell.run_cell("import torch")
shell.run_cell_magic("gradcheck", "", cells[0])
for cell in cells:
    for delay in (0.0, 0.02, 0.1, 0.3):
        sent = []
        timer = threading.Timer(delay, lambda: (sent.append(time.perf_counter()), _thread.interrupt_main()))
        try:
            timer.start()
            shell.run_cell_magic("gradcheck", "", cell)
            time.sleep(1)
        except KeyboardInterrupt:
            pass
        took = time.perf_counter() - sent[0]
        assert took < 1, (cell, delay, took)
        assert torch._C._len_torch_function_stack() == 0 == torch._C._len_torch_dispatch_stack()
        assert torch.get_default_dtype() is torch.float32 and torch.is_grad_enabled()
print("clean")
"""


def test_ctrl_c_is_heard_within_a_second() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert done.stdout.endswith("clean\n"), done.stdout[-500:] + done.stderr[-2000:]


def test_many_reports_do_not_grow_the_process() -> None:
    count = 4 * 10 * len(FUNCTIONS)
    (_, warm, objects), *_, (_, size, more) = reports(count, count // 4)
    assert size - warm < 20 and more - objects < 2000
