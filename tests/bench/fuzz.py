"""Thousands of random functions put to matmagic: how many have a closed form, which are wrong, how long it takes.

python tests/bench/fuzz.py [seed] [count] [first]    10 000 functions of seed 0 by default, from the first on
python tests/bench/fuzz.py seed/number               one function, with what is said of it
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from fuzzing import Found, Tally, found_of, report_of, usable
from randomfunctions import RandomFunction, build


def function_of(seed: int, number: int) -> RandomFunction:
    """The function of this number: the first usable one that its random numbers give."""
    choose = random.Random(f"{seed}/{number}")
    while True:
        made = build(choose)
        if usable(made):
            return made


def shown(found: Found, place: str) -> str:
    lines = [f"--- {place}  {found.seconds:.2f} s", str(found.made), *found.wrong, *found.unread, *found.limits]
    return "\n".join(lines)


def one(place: str) -> None:
    """One function in full."""
    seed, number = map(int, place.split("/"))
    made = function_of(seed, number)
    print(shown(found_of(made), place))
    report = report_of(made)
    print(report.statement_text)
    for derivative in report:
        print(derivative, derivative.code, sep="\n    ")


def many(seed: int, count: int, first: int) -> Tally:
    """Functions first … first + count - 1 of a seed."""
    tally, places, start = Tally(), {}, time.monotonic()
    for number in range(first, first + count):
        found = found_of(function_of(seed, number))
        places[id(found)] = f"{seed}/{number}"
        tally.add(found)
        if found.wrong or found.unread:
            print(shown(found, places[id(found)]), flush=True)
        if (number - first + 1) % 250 == 0:
            print(f"[{time.monotonic() - start:.0f} s] {tally}", flush=True)
    for title, some in (
        ("no closed form", tally.open[:40]),
        ("slow", sorted(tally.slow, key=lambda f: -f.seconds)[:10]),
    ):
        print(f"\n=== {title}")
        for found in some:
            print(shown(found, places[id(found)]))
    print(f"\n=== limits\n{tally.limits.most_common(30)}\n\n{tally}")
    return tally


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "/" in "".join(sys.argv[1:2]):
        one(sys.argv[1])
    else:
        own = [int(word) for word in sys.argv[1:]]
        sys.exit(bool(many(*own, *(0, 10_000, 0)[len(own) :]).wrong))
