"""The rows of the registry by the kind of their symbols, so that a lookup reads and keys the few that could be meant.

A kind is the number of axes of the variable and those of the constants: (1, (2,)) for xᵀ A x.  Functions with one
pattern are of one kind, so two rows for one function are found when their kind is first looked up.  Rows with one key
may differ in what they ask for: a declared property, equal sizes, the orientation of a constant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from .expr import Call, Elementwise, Leaf, Node, Power
from .identities import Identity, count, identities
from .lengths import Size
from .walk import leaves, ordered

Kind = tuple[int, int, tuple[int, ...]]
"""The order of the derivative, the axes of the variable, those of the constants in ascending order."""

_entered = 0
_rows: dict[Kind, list[Identity]] = {}
_keyed: dict[Kind, tuple[int, dict[bytes, tuple[Identity, ...]]]] = {}
_functions: dict[Kind, tuple[int, frozenset[frozenset[object]]]] = {}


def kind_of(node: Node, variable: str, order: int) -> Kind:
    """The kind of a function of the variable."""
    named = leaves(node)
    ranks = sorted(len(own.shape) for name, own in named.items() if name != variable)
    return order, len(named[variable].shape), tuple(ranks)


def rows_of(kind: Kind) -> list[Identity]:
    """The rows of this kind, each in all its instances."""
    _enter()
    return _rows.get(kind, [])


def _enter() -> None:
    """Put the rows that are new to their kinds."""
    global _entered
    if _entered < count():
        every = identities()
        for row in every[_entered:]:
            for one in row.instances:
                ranks = sorted(len(shape) for name, shape in one.shapes.items() if name != one.wrt)
                _rows.setdefault((one.order, len(one.shapes[one.wrt]), tuple(ranks)), []).append(one)
        _entered = len(every)


def keyed(kind: Kind) -> Mapping[bytes, tuple[Identity, ...]]:
    """The rows of this kind by the key of their pattern.  Raises ValueError where two ask for the same."""
    rows = rows_of(kind)
    done, known = _keyed.get(kind, (0, {}))
    for row in rows[done:]:
        others = tuple(other for other in known.get(row.pattern.key, ()) if other is not row)
        same = next((other for other in others if _asked(other) == _asked(row)), None)
        if same is not None:
            raise ValueError(f"{row.place}: {row.name!r} is the same function as {same.name!r} in {same.place}")
        known[row.pattern.key] = (*others, row)
    _keyed[kind] = len(rows), known
    return known


def _asked(row: Identity) -> tuple[object, ...]:
    """What tells a row from others with its key: declared properties, equal sizes, turned constants."""
    variable = leaves(row.node)[row.wrt]
    turned = tuple(isinstance(constant, Leaf) for constant in row.pattern.constants)
    sizes = [variable.shape, *(constant.shape for constant in row.pattern.constants)]
    seen: dict[Size, int] = {}
    return row.given, turned, tuple(tuple(seen.setdefault(s, len(seen)) for s in shape) for shape in sizes)


def clashes() -> Iterator[str]:
    """What is wrong with the registry as a whole: a row that can't be read, two for one function."""
    _enter()
    for kind in _rows:
        try:
            keyed(kind)
        except ValueError as error:
            yield str(error)


def functions_of(kind: Kind) -> frozenset[frozenset[object]]:
    """The sets of functions and powers that the rows of this kind are made of."""
    rows = rows_of(kind)
    done, known = _functions.get(kind, (0, frozenset[frozenset[object]]()))
    if done < len(rows):
        known |= {functions_in(row.node) for row in rows[done:]}
        _functions[kind] = len(rows), known
    return known


def forget() -> None:
    """Enter all rows anew: one has been taken out of the registry."""
    global _entered
    _entered = 0
    for known in (_rows, _keyed, _functions):
        known.clear()


def functions_in(node: Node, among: Collection[Node] | None = None) -> frozenset[object]:
    """The functions and powers that an expression is made of; `among` these parts only."""
    found: set[object] = set()
    for part in ordered(node):
        if among is not None and part not in among:
            continue
        if isinstance(part, Elementwise | Call):
            found.add(part.function)
        elif isinstance(part, Power):
            found.add(part.exponent)
    return frozenset(found)
