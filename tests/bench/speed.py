"""Time of the code of common gradients beside autograd's forward and backward pass, float64.

python tests/bench/speed.py [n] [rounds]         n = 1000 and 7 rounds by default
python tests/bench/speed.py n rounds word        the losses whose name has this word
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from losses import LOSSES, Loss
from torch import Tensor
from torch.autograd import grad

SLOWER = 1.1  # times autograd: what is named below the table
SHORTEST = 0.05  # seconds a measurement takes at least


def measured(run: Callable[[], object], rounds: int) -> float:
    """Seconds for one call: the best of some rounds."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(SHORTEST / max(time.perf_counter() - start, 1e-7)))
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - start) / calls)
    return best


def autograd(loss: Loss, inputs: Mapping[str, Tensor]) -> Callable[[], object]:
    """Forward and backward pass by the variable."""
    given = {name: tensor.clone() for name, tensor in inputs.items()}
    given[loss.wrt].requires_grad_()
    return lambda: grad(loss.function(**given), given[loss.wrt])


def ratio(loss: Loss, n: int, rounds: int) -> tuple[float, float]:
    """Seconds of autograd and of the code, measured in turn."""
    inputs = loss.inputs(n)
    code = compile(loss.code, loss.name, "eval")
    own = lambda: eval(code, {"torch": torch, "F": torch.nn.functional}, dict(inputs))  # noqa: E731
    theirs = autograd(loss, inputs)
    pairs = [(measured(theirs, 1), measured(own, 1)) for _ in range(rounds)]
    return min(t for t, _ in pairs), min(t for _, t in pairs)


def main(n: int, rounds: int, word: str) -> None:
    torch.set_default_dtype(torch.float64)
    default, slow = torch.get_num_threads(), []
    for threads in (1, default):
        torch.set_num_threads(threads)
        print(f"\nn = {n}, {threads} thread{'s' * (threads > 1)}: milliseconds of autograd, of the code, ratio")
        for loss in (own for own in LOSSES if word in own.name):
            theirs, ours = ratio(loss, n, rounds)
            print(f"{1e3 * theirs:10.2f} {1e3 * ours:10.2f} {ours / theirs:7.2f}  {loss.name}: {loss.code}", flush=True)
            if ours > SLOWER * theirs:
                slow.append(f"{loss.name} ({threads} thread{'s' * (threads > 1)}, {ours / theirs:.2f})")
    print(f"\nslower than autograd: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["1000"])[0]), int((sys.argv[2:3] or ["7"])[0]), (sys.argv[3:] or [""])[0])
