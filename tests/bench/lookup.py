"""How long it takes to name a function: with the rows of the registry, and with 20 000 more; and to make their keys.

python tests/bench/lookup.py [count]        20 000 synthetic rows by default; exits with 1 where a bound is broken

Processor time, so that what else runs on the machine counts little.  Synthetic rows are of the kinds of the functions
that are looked up (the same numbers of axes), and differ from them and from each other in their numbers only.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from corefixtures import traced

from matmagic.expr import Leaf, Node
from matmagic.identities import identities, identity
from matmagic.kinds import clashes
from matmagic.match import match

RATIO, BUILD = 1.2, 0.5  # seconds of processor time
FUNCTIONS = (
    ("x @ A @ x", "x: n, A: n n", "x"),
    ("(B @ x).pow(2).sum()", "x: n, B: m n", "x"),
    ("((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m", "x"),
    ("torch.exp(-x @ A @ x) / (1 + x @ x)", "x: n, A: n n", "x"),
    ("torch.trace(A @ X @ B @ X)", "X: m n, A: n m, B: n m", "X"),
    ("torch.trace(X @ A @ X.T @ X)", "X: n n, A: n n", "X"),
    ("torch.linalg.norm(x - a) * torch.exp(a @ x)", "x: n, a: n", "x"),
)
KINDS = (
    ("{c} * x.T @ A @ x + {d} * x.sum()", "x: n, A: n n", "x"),
    ("{c} * ((A @ x) ** 2).sum() + {d} * b.T @ A @ x", "x: n, A: m n, b: m", "x"),
    ("{c} * torch.trace(A @ X @ B @ X) + {d} * torch.trace(A @ X)", "X: m n, A: n m, B: n m", "X"),
    ("{c} * torch.trace(A @ X @ A) + {d} * torch.trace(X)", "X: n n, A: n n", "X"),
    ("{c} * torch.exp(a.T @ x) + {d} * x.sum()", "x: n, a: n", "x"),
)


def synthetic(count: int) -> None:
    """Enter rows that no function is."""
    for number in range(count):
        code, shapes, variable = KINDS[number % len(KINDS)]
        function = code.format(c=number + 3, d=2 * number + 5)
        identity(
            f"row {number}", function, wrt=variable, gradient="x" if variable == "x" else "X", shapes=shapes, source=""
        )


def seconds(cases: list[tuple[Node, Leaf]], rounds: int = 25) -> float:
    """Of one look at each function, in the best of several rounds: what else runs on the machine only adds.

    The collector leaves out what is there already.
    """
    gc.collect()
    gc.freeze()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for node, variable in cases:
            match(node, variable)
        times.append(time.process_time() - start)
    return min(times)


def main(count: int) -> int:
    torch.set_num_threads(1)
    found = [(traced(code, shapes), variable) for code, shapes, variable in FUNCTIONS]
    cases = [(trace.node, trace.inputs[variable][0]) for trace, variable in found]
    identities()
    start = time.process_time()
    match(*cases[0])
    first = time.process_time() - start
    start = time.process_time()
    assert not list(clashes())  # every row is read and keyed
    every = time.process_time() - start
    few = seconds(cases)
    synthetic(count)
    start = time.process_time()
    seconds(cases, 1)
    made = time.process_time() - start
    many = seconds(cases)
    print(f"first lookup {first:.3f} s; all keys {every:.3f} s; keys of {count} synthetic rows {made:.1f} s")
    print(
        f"{len(cases)} lookups {few * 1e3:.1f} ms, with {count} rows more {many * 1e3:.1f} ms: ratio {many / few:.3f}"
    )
    return int(many / few > RATIO or first > BUILD or every > BUILD)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 20_000))
