"""The examples in docstrings."""

from __future__ import annotations

import builtins
import doctest
import importlib
import pkgutil

import pytest

import matmagic

MODULES = sorted(m.name for m in pkgutil.walk_packages(matmagic.__path__, "matmagic."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    vars(builtins).pop("_", None)  # what Python's prompt leaves there would keep IPython's own _ away
    assert result.failed == 0


def test_there_are_examples() -> None:
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert sum(bool(test.examples) for tests in found for test in tests) > 10
