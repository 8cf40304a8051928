"""Every open case with an identity has a name, with a statement that is f: one name per identity, one identity per name.

The corpus names some functions twice: bᵀ A x is called a linear form here and a bilinear form there.  Identities that
name one function in other letters count as one.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic.canonical import pattern
from matmagic.expr import Leaf
from matmagic.identified import Match
from matmagic.report import Report

from .cases import asked, draws, float64, load

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CASES = {case["id"]: case for case in load("open.toml", "case")}
NAMED = [name for name, case in CASES.items() if case["identity"]]


@cache
def report_of(name: str) -> Report:
    return asked(CASES[name])[0]


def identity_of(name: str) -> Match:
    found = report_of(name)[CASES[name]["wrt"]].identity
    assert isinstance(found, Match), name
    return found


@pytest.mark.parametrize("name", NAMED)
def test_the_statement_is_the_function(name: str) -> None:
    case = CASES[name]
    identity = identity_of(name)
    space: dict[str, Any] = {"torch": torch, "F": F}
    exec(case["cell"], space)
    for inputs in draws(case):
        with float64():
            right = space[case.get("fn", "f")](**inputs)
            value = torch.as_tensor(eval(identity.statement, {"torch": torch, "F": F}, inputs))
        assert torch.allclose(value.reshape(right.shape), right, 1e-8, 1e-8), identity.statement


def function_of(name: str) -> tuple[object, ...]:
    """What the case differentiates, but for its letters: equal for one function with one set of assumptions."""
    bound = identity_of(name).bound
    found = pattern(bound.statement, bound.variable.name)
    assert found is not None
    turned = tuple(isinstance(constant, Leaf) for constant in found.constants)
    sizes: dict[object, int] = {}
    shapes = [bound.variable.shape, *(constant.shape for constant in found.constants)]
    alike = tuple(tuple(sizes.setdefault(size, len(sizes)) for size in shape) for shape in shapes)
    return CASES[name]["order"], found.key, turned, alike, tuple(sorted(CASES[name].get("assume", {}).values()))


def identities() -> dict[str, str]:
    """The identity of each case; those that name one function count as one."""
    stored = {name: CASES[name]["identity"] for name in NAMED}
    by_function = defaultdict(list)
    for name in NAMED:
        by_function[function_of(name)].append(name)
    for alike in by_function.values():
        known = {stored[name] for name in alike}
        stored = {name: stored[alike[0]] if own in known else own for name, own in stored.items()}
    return stored


def test_one_identity_has_one_name_and_one_name_is_one_identity() -> None:
    ours, theirs = defaultdict(set), defaultdict(set)
    for name, stored in identities().items():
        ours[stored].add(identity_of(name).name)
        theirs[identity_of(name).name].add(stored)
    assert {stored: names for stored, names in ours.items() if len(names) > 1} == {}
    assert {name: stored for name, stored in theirs.items() if len(stored) > 1} == {}
