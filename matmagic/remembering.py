"""What a check has verified, kept as an identity: `%%gradcheck --remember "name"`.

In: a check, its trace and its results.  Out: notes; the function and its derivative are rows of the registry from then on,
for each variable that the answers are about, or for every one.  They are written down in the language of the rows, where
vectors are columns, and verified again from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from .checking import Check
from .derivative import Derivative, derived
from .errors import IdentityError
from .expr import Node, permute
from .grading import Grade
from .lengths import Size
from .own_rows import OwnRow, enter
from .printers.index_code import index_code
from .printers.torch_code import torch_code
from .remarks import Note
from .rendering import notation
from .simplify import written_out
from .torch_rows import Axes
from .trace import Trace
from .walk import leaves

SOURCE = "remembered"
_FORMS = (("()", "1,1"), ("n,1",), ("m,n",))  # a number may be one in any of its shapes
_AXES: tuple[Axes, ...] = ((), ((0,), ()), ((0,), (1,)))


def remembered(
    name: str, question: Check, traced: Trace | None, derivatives: Sequence[Derivative], claims: Sequence[Grade]
) -> list[Note]:
    """Keep the function under this name; a note for each variable says what became of it."""
    try:
        kept = list(_chosen(derivatives, claims))
        if traced is None:
            raise IdentityError("the function could not be followed, so it would not be recognised")
        return [_note(name if len(kept) == 1 else f"{name} by {d.variable}", question, traced, d) for d in kept]
    except IdentityError as error:
        return [_refused(error)]


def _chosen(derivatives: Sequence[Derivative], claims: Sequence[Grade]) -> Iterator[Derivative]:
    """The derivatives that the answers are about; without an answer, all.  IdentityError for an answer that isn't right."""
    for grade in claims:
        if grade.verdict != "correct":
            said = "is right only under a condition" if grade.verdict == "correct-if" else f"is {grade.verdict}"
            raise IdentityError(f"the answer {grade.claim} {said}")
    wanted = {grade.variable for grade in claims}
    single = [d for d in derivatives if ", " not in d.variable]
    for d in single:
        if d.variable in wanted or not wanted:
            if not (d.verdict.ok and d.verdict.autograd_ok):
                raise IdentityError(f"the derivative by {d.variable} was not confirmed")
            yield d


def _note(name: str, question: Check, traced: Trace, d: Derivative) -> Note:
    """The row entered, or why it was not."""
    failure = IdentityError(f"the derivative by {d.variable} has no code that a row can hold")
    try:
        for row in rows(name, question, traced, d.variable):
            try:
                enter(row)
            except IdentityError as error:
                failure = error
                continue
            return Note("remembered", f"remembered as {name}; %identities {name} shows it")
    except (IdentityError, ValueError) as error:
        failure = error if isinstance(error, IdentityError) else failure
    return _refused(failure)


def _refused(error: IdentityError) -> Note:
    return Note("warning", f"not remembered: {error.message}")


def rows(name: str, question: Check, traced: Trace, variable: str) -> Iterator[OwnRow]:
    """The row in each way to write its derivative, the most readable first."""
    order, columns = question.options.order, _columns(traced)
    node = permute(traced.node, [axis for group in traced.axes for axis in group])
    used = [n for n in columns if n in leaves(node)]
    shapes = {n: traced.inputs[n][0].shape for n in used}
    for n in used:
        if not n.isidentifier():
            raise IdentityError(f"{n} is no plain name: give the function an argument in its place")
    derivative = derived(replace(traced, node=node), variable, order, ())  # right without them too
    conditions = [f"{n} {prop}" for n, prop in question.assume.items() if n in used]
    conditions += [_spaced(said) for said in question.options.sizes]
    for function in _codes(node, columns, shapes, ""):
        for gradient in _codes(derivative, columns, shapes, variable):
            yield OwnRow(
                name, function, variable, gradient, shapes, SOURCE, order, tuple(conditions), place="this session"
            )


def _columns(traced: Trace) -> dict[str, Axes]:
    """The axes of the arguments, were every vector a column."""
    if any(len(leaf.shape) > 2 for leaf, _ in traced.inputs.values()):
        raise IdentityError("a tensor of three axes can't stand in a row")
    return {name: _AXES[len(leaf.shape)] for name, (leaf, _) in traced.inputs.items()}


def _codes(node: Node, axes: Mapping[str, Axes], shapes: Mapping[str, Sequence[Size]], like: str) -> Iterator[str]:
    """Torch code for an expression: from its notation, then from its indices."""
    as_columns = {name: (*shape, 1) if len(shape) == 1 else tuple(shape) for name, shape in shapes.items()}
    with suppress(ValueError, IndexError):
        math = notation(written_out(node), collect=bool(like))
        yield min((torch_code(math, axes, as_columns, form) for form in _FORMS[len(node.shape)]), key=len)
    with suppress(ValueError, IndexError):
        yield index_code(node, axes, as_columns)


def _spaced(size: str) -> str:
    """ "m>n" as the condition of a row: "m >= n", which the sizes of its draws keep as they are all distinct."""
    for sign in (">=", ">"):
        left, found, right = size.partition(sign)
        if found:
            return f"{left} >= {right}"
    left, found, right = size.partition("<")
    if not found:
        raise IdentityError(f"the condition {size} can't stand in a row")
    return f"{right.removeprefix('=')} >= {left}"
