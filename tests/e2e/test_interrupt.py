"""The interrupt button of a real kernel: a check stops within a second, and the next cell runs as ever."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

SLOW = {
    "in f": "import time\ndef f(x):\n    time.sleep(0.3)\n    return x @ x",
    "in a loop of torch calls": "def f(x):\n    for k in range(100_000):\n        x = torch.tanh(x) + k\n    return x.sum()",
    "in many torch calls": "def f(X):\n    for _ in range(4_000):\n        X = torch.softmax(X @ X.T @ X, 1)\n    return X.sum()",
}
WITHIN = 1.0  # seconds


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager()
    manager.start_kernel(env={**os.environ, "JPY_SESSION_NAME": ""})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    asked(client, "import torch\n%load_ext matmagic")
    asked(client, "%%gradcheck\ndef f(x): return x @ x")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def asked(client: BlockingKernelClient, code: str) -> dict[str, Any]:
    """The reply to a cell."""
    reply: dict[str, Any] = client.execute(code, reply=True, timeout=60)["content"]
    return reply


@pytest.mark.parametrize("place", SLOW)
@pytest.mark.parametrize("after", [0.15, 1.1])
def test_a_check_stops(kernel: tuple[KernelManager, BlockingKernelClient], place: str, after: float) -> None:
    manager, client = kernel
    number = client.execute(f"%%gradcheck\n{SLOW[place]}", stop_on_error=False)  # cells sent next are run all the same
    time.sleep(after)
    manager.interrupt_kernel()
    start = time.monotonic()
    reply = reply_to(client, number)
    took = time.monotonic() - start
    assert (reply["status"], reply.get("ename")) == ("error", "KeyboardInterrupt") and took < WITHIN, (reply, took)
    assert "matmagic/" not in "".join(reply["traceback"])  # frames of f only, or one line
    assert asked(client, "%%gradcheck\ndef f(x): return x @ x")["status"] == "ok"
    said = "assert torch.is_grad_enabled() and torch.get_default_dtype() is torch.float32"
    assert asked(client, said)["status"] == "ok"


def reply_to(client: BlockingKernelClient, number: str) -> dict[str, Any]:
    """The reply to the message of this number."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            reply = client.get_shell_msg(timeout=1)
        except Empty:
            continue
        if reply["parent_header"].get("msg_id") == number:
            content: dict[str, Any] = reply["content"]
            return content
    raise TimeoutError("no reply to an interrupted cell")
