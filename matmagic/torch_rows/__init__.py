"""The table of torch functions: what expression each call makes, one row a function.

One module a subject; importing this package fills `ROWS`.
"""

from __future__ import annotations

from importlib import import_module

from .table import ROWS, Axes, NotTraced, Sizes, SplitLeaf, Traced, consecutive

SUBJECTS = """
    products arithmetic activations reductions shaping structure indexing constants linear_algebra losses layers aten
""".split()
for _subject in SUBJECTS:
    import_module(f"{__name__}.{_subject}")

__all__ = ["ROWS", "Axes", "NotTraced", "Sizes", "SplitLeaf", "Traced", "consecutive"]
