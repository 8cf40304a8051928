"""Memory of a process that makes many reports: it must not grow without bound.

python tests/bench/memory.py [reports]           1000 reports by default; a line every 100
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import matmagic
from matmagic.errors import MatmagicError

PAGE = 4096


def quadratic(x: Tensor, A: Tensor) -> Tensor:
    return x @ A @ x


def least_squares(A: Tensor, x: Tensor, b: Tensor) -> Tensor:
    return ((A @ x - b) ** 2).sum()


def logdet(X: Tensor) -> Tensor:
    return torch.logdet(X @ X.T)


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, 0)


def sorting(x: Tensor) -> Tensor:
    return x.sort().values[0] * x.cumsum(0).sum()


def failing(x: Tensor) -> Tensor:
    raise ValueError("never")


FUNCTIONS: tuple[Callable[..., Tensor], ...] = (quadratic, least_squares, logdet, softmax, sorting, failing)


def reports(count: int, every: int) -> Iterator[tuple[int, float, int]]:
    """So many reports made and shown; at times how many there were, the process in MB, and Python's objects."""
    for made in range(1, count + 1):
        try:
            report = matmagic.gradcheck(
                FUNCTIONS[made % len(FUNCTIONS)], claim=["x", "2 * x"] if made % 10 == 0 else None
            )
            report._repr_mimebundle_()
            str(report)
        except (ValueError, MatmagicError):
            pass
        report = None
        if made % every == 0:
            gc.collect()
            yield made, resident(), len(gc.get_objects())


def resident() -> float:
    """MB that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def main(count: int) -> None:
    torch.set_num_threads(1)
    for made, size, objects in reports(count, 100):
        print(f"{made:6} reports {size:8.1f} MB {objects:9} objects", flush=True)


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["1000"])[0]))
