"""Shapes of the arguments, and of the tensors that the function reads: given, annotated, from the notebook,
inferred.

In: a Subject and Options.  Out: Shapes, with a letter for each size that is free to change. The idea: give
every free size a number of its own, run the function, and let torch's message say which sizes have to be
equal ("mat1 and mat2 shapes cannot be multiplied (1x5 and 7x11)": 5 and 7 are one letter).  What remains is
the most general choice for which the function runs.  Which arguments are vectors, columns, scalars or
matrices comes from their names first and from what the function does with them second (see inference.py).
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import eq, ge, gt, le, lt, ne
from typing import NoReturn

import torch
from torch import Tensor

from .capture import Subject
from .containers import dict_asked, tuple_asked
from .errors import OptionError, ShapeError
from .hints import explained
from .inference import (
    LARGEST,
    Dims,
    Outcome,
    Search,
    Shape,
    bound_of,
    infer,
    is_shape_error,
    loosest,
    most_general,
    open_dims,
    opened,
)
from .lengths import (
    Size,
    affine,
    in_place,
    length,
    lengths,
    letters_in,
    letters_of,
    parsed,
    said,
    solved,
    with_letters,
)
from .options import Options

__all__ = ["Shape", "Shapes", "far_sizes", "find_shapes", "parse_shape", "shape_text", "sizes_for", "traced_sizes"]

LETTERS = ("n", "m", "k", "p", "q", "r", "s", "l", "h", "d", "u", "v")
COMPARISONS = {">": gt, ">=": ge, "<": lt, "<=": le, "==": eq, "!=": ne}


@dataclass(frozen=True)
class Shapes:
    """Shape of each argument, in the order of the signature, then of each tensor read; ("n", 1), ("n",), ().

    `values` holds float64 copies of the notebook's own tensors, where they were used.  `inferred` names the arguments whose
    shapes nobody said, `source` says where they come from: "assumed", "from the notebook".
    """

    of: Mapping[str, Shape]
    others: tuple[str, ...] = ()  # what is noted beside the shapes
    inferred: tuple[str, ...] = ()
    source: str = ""
    values: Mapping[str, Tensor] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)  # properties without which f doesn't run

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of them."""
        return (assumed_note(self.source, self.of, self.inferred), *self.others) if self.inferred else self.others

    def multiples(self) -> Iterator[tuple[Shapes, str, int]]:
        """The same with twice, three times, four times a letter in place of one: for what a function halves."""
        told = letters_of({name: shape for name, shape in self.of.items() if name not in self.inferred})
        own = solved({n: self.of[n] for n in self.values}, {n: v.shape for n, v in self.values.items()})
        for times, letter in itertools.product((2, 3, 4), letters_of(self.of)):
            if letter not in told and own.get(letter, 0) % times == 0:
                yield replace(self, of=in_place(self.of, letter, affine({letter: times}, 0))), letter, times


def find_shapes(subject: Subject, options: Options) -> Shapes:
    """The first that applies: options, annotations, notebook tensors, the most general shapes for which f
    runs."""
    check_names(subject, options)
    if asked := dict_asked(subject):
        raise asked
    given = {name: parse_shape(text, name) for name, text in options.shapes.items()}
    for name, text in subject.annotations.items():
        if name not in given and (shape := annotated(text)) is not None:
            given[name] = shape
    names = [
        *subject.parameters,
        *(n for n in given if n not in subject.parameters and n not in subject.reads),
    ]
    conditions = (*options.sizes, *positive(given))
    search = Search(subject, options.assume, lambda letters, pool: assign(letters, pool, conditions), given)
    open_names = [name for name in names if name not in given]
    if not open_names:
        outcome = as_given(search, given)
        return replace(shapes_from(subject, outcome, names, options, ()), needs=needed(search, outcome))
    found = notebook_values(search, names)
    if found is not None:
        return from_notebook(search, names, found, options)
    outcome = infer(replace(search, given=freed(subject, given)), open_names)
    own = own_labels(search, open_names)
    if own:
        fixed = {**given, **{name: tuple(labels.shape) for name, labels in own.items()}}
        others = [name for name in open_names if name not in own]
        again = infer(replace(search, given=freed(subject, fixed), values=own, needs={}), others)
        own = own if again.error is None else {}
        outcome = again if own else outcome
    if outcome.error is not None:
        no_shapes_run(search, outcome)
    if subject.inside:
        outcome = opened(search, outcome, given)
    shapes = shapes_from(subject, outcome, names, options, own)
    return replace(
        shapes,
        others=(*broadcast_notes(outcome), *shapes.others),
        inferred=tuple(open_names),
        source="assumed",
        needs={n: p for n, p in needed(search, outcome).items() if n not in own},
    )


def own_labels(search: Search, names: Sequence[str]) -> dict[str, Tensor]:
    """Copies of the notebook's whole numbers and masks that f takes by these names."""
    known = {name: search.subject.namespace.get(name) for name in names if search.needs.get(name) == "index"}
    whole = {name: t for name, t in known.items() if isinstance(t, Tensor) and not t.is_floating_point()}
    return {name: t.detach().to("cpu", copy=True) for name, t in whole.items()}


def needed(search: Search, outcome: Outcome) -> dict[str, str]:
    """What torch asks of the arguments' values; labels with their bound, a letter as in the shapes."""
    needs = {name: prop for name, prop in search.needs.items() if name in outcome.dims}
    bounds = {name: bound_of(search, outcome, name) for name, prop in needs.items() if prop == "index"}
    letters = lettered(search.subject, {**outcome.dims, **{f"{name} <": (size,) for name, size in bounds.items()}})
    return needs | {name: f"index<{letters[f'{name} <'][0]}" for name in bounds}


def freed(subject: Subject, given: Dims) -> Dims:
    """The shapes given, their letters free for the numbers that a module asks for."""
    if not subject.inside:
        return given
    return {n: tuple(with_letters(t, lambda letter: f"?={letter}") for t in shape) for n, shape in given.items()}


def sizes_for(shapes: Shapes, draw: int) -> dict[str, int]:
    """A size from 3 on for each letter, all different, different from draw to draw, honouring the conditions."""
    letters = letters_of(shapes.of)
    literals = {t for t in sizes_in(shapes.of) if isinstance(t, int)}
    free = (s for s in itertools.count(3) if s not in literals)
    pool = list(itertools.islice(free, 5 + max(0, len(letters) - 3)))
    ordered = pool[::-1] if draw % 2 else pool
    turn = draw % len(pool)
    return assign(letters, ordered[turn:] + ordered[:turn], shapes.conditions)


# sizes of the two traces: n, n-1, n-m, n+m, n m, n/m, … all grow by factors of their own
TRACED = ((6, 7), (9, 16), (13, 19), (18, 22), (23, 26))
ORDERS, MOST_ORDERS = 6, 500  # of three sizes; tried where sums of letters may be equal
SHIFTS = (0, 10, 40, 150)  # where conditions ask for larger sizes


def traced_sizes(shapes: Shapes, turn: int) -> Iterator[dict[str, int]]:
    """Sizes for a trace, far enough from each other and from small numbers that n-1, n and 3 can't be confused.

    Then in other orders: f may be singular where X has fewer rows than columns.
    """
    letters, every = letters_of(shapes.of), sizes_in(shapes.of)
    literals = [t for t in every if isinstance(t, int)]
    more = zip(itertools.count(TRACED[-1][0] + 5, 5), itertools.count(TRACED[-1][1] + 6, 6), strict=False)
    pairs = (pair for pair in itertools.chain(TRACED, more) if all(abs(s - t) > 1 for s in pair for t in literals))
    pool = [pair[turn] for pair in itertools.islice(pairs, len(letters) + 3)]
    plain = all(size in letters for size in every if isinstance(size, str))
    orders = itertools.permutations(pool[: len(letters)] if plain else pool, len(letters))
    choices = (
        assign(letters, [*order, *(s for s in pool if s not in order)], shapes.conditions)
        for order in itertools.islice(orders, MOST_ORDERS)
    )
    apart = (sizes for sizes in choices if len(set(lengths(every, sizes))) == len(every))
    yield from itertools.islice(apart, ORDERS if plain else 4 * ORDERS)


def far_sizes(shapes: Shapes, least: int, like: Mapping[str, int]) -> dict[str, int]:
    """Different sizes from `least` on, in the order of others: is f another function for large or small ones?"""
    letters = sorted(letters_of(shapes.of), key=like.__getitem__)
    return assign(letters, range(least, least + len(letters) + 4), shapes.conditions)


def assign(letters: Sequence[str], pool: Sequence[int], conditions: Iterable[str]) -> dict[str, int]:
    """Different sizes from the pool for the letters, the first choice that meets the conditions."""
    rules = [rule for rule in map(parse_condition, conditions) if {*letters_of({"": rule[::2]})} & {*letters}]
    if not rules:
        return dict(zip(letters, pool, strict=False))
    shifted = ([size + more for size in pool] for more in SHIFTS)
    choices = (itertools.islice(itertools.permutations(own, len(letters)), 100_000) for own in shifted)
    for choice in itertools.chain.from_iterable(choices):
        sizes = dict(zip(letters, choice, strict=True))
        if all(COMPARISONS[op](_number(a, sizes), _number(b, sizes)) for a, op, b in rules):
            return sizes
    raise OptionError(f"no sizes meet {', '.join(conditions)}")


def parse_condition(text: str) -> tuple[Size, str, Size]:
    """ "m>n" -> ("m", ">", "n")."""
    left, comparison, right = (*re.split("(>=|<=|==|!=|>|<)", text, maxsplit=1), "", "")[:3]
    one, other = parsed(left), 0 if right.strip() == "0" else parsed(right)
    if one is None or other is None:
        raise OptionError(f"can't read the size condition {text!r}", 'write it like "m>n"')
    return one, comparison, other


def _number(size: Size, sizes: Mapping[str, int]) -> int:
    """A size in a condition; a letter that no shape has makes no difference."""
    return length(size, dict.fromkeys(letters_in(size), 0) | dict(sizes))


def parse_shape(text: str, name: str) -> Shape:
    """ "n,1" -> ("n", 1); "()" -> ().

    >>> parse_shape("n,1", "x")
    ('n', 1)
    """
    inside = text.strip()
    if inside.startswith("(") and inside.endswith(")"):
        inside = inside[1:-1]
    tokens = [t.strip() for t in inside.rstrip(",").split(",")] if inside.strip() else []
    sizes = [size for size in map(parsed, tokens) if size is not None]
    large = [
        size for size in sizes if isinstance(size, str) and length(size, dict.fromkeys(letters_in(size), 1)) > LARGEST
    ]
    if large:
        raise OptionError(f"the size {said(large[0])} of {name} is too large to check at", f"sums go up to n+{LARGEST}")
    if len(sizes) < len(tokens):
        raise OptionError(
            f"can't read the shape {text!r} of {name}",
            'write it like "x=n,1 A=n,n b=2n t=()": n is 1-D, n,1 a column, () a scalar, 3 a fixed size',
        )
    return tuple(sizes)


def refuse_undetermined(of: Mapping[str, Shape]) -> None:
    """OptionError for a letter that the sizes of tensors don't tell: x=m+n alone."""
    letters = letters_of(of)
    known = solved(of, {name: lengths(shape, dict.fromkeys(letters, 1)) for name, shape in of.items()})
    for letter in letters:
        if letter not in known:
            sums = [said(size) for size in sizes_in(of) if letter in letters_in(size)]
            raise OptionError(
                f"{', '.join(sums)}: what {letter} is can't be told from that", f"write one letter for {sums[0]}"
            )


def positive(dims: Mapping[str, Shape]) -> list[str]:
    """The conditions under which no size is below 1."""
    return [f"{size}>=1" for size in sizes_in(dims) if isinstance(size, str) and "-" in size]


def sizes_in(dims: Mapping[str, Shape]) -> list[Size]:
    """The sizes other than 1, each once."""
    return list(dict.fromkeys(size for shape in dims.values() for size in shape if size != 1))


def annotated(text: str) -> Shape | None:
    """ "n n" -> ("n", "n"); None for what isn't a shape ("Tensor", "*batch n")."""
    tokens = text.split()
    plain = all(re.fullmatch(r"[a-z][a-z0-9_]*|[1-9]\d*", token) for token in tokens)
    if not plain or set(tokens) & {"float", "int", "bool", "str", "tensor"}:
        return None
    return tuple(int(t) if t.isdigit() else t for t in tokens)


def shape_text(shape: Shape) -> str:
    """("2*n", 1) -> "2n,1"; () -> "()"."""
    return ",".join(map(said, shape)) or "()"


def check_names(subject: Subject, options: Options) -> None:
    """OptionError for a name in --shapes that f neither takes nor reads."""
    known = [*subject.parameters, *subject.reads, *subject.defaults]
    for name in options.shapes:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            ask = f"did you mean {close[0]}?" if close else f"its arguments are {', '.join(known) or 'none'}"
            raise OptionError(f"--shapes names {name}, which {subject.name} neither takes nor reads", ask)


def as_given(search: Search, given: Dims) -> Outcome:
    """f at the shapes given; a ShapeError with torch's message where it doesn't run."""
    outcome = most_general(search, {**search.read_dims(), **freed(search.subject, given)})
    if outcome.error is None and search.subject.inside:
        return opened(search, outcome, given)
    if outcome.error is not None:
        outcome = first_that_runs(search, {**search.read_dims(numbers=True), **given}, outcome)
    error = outcome.error
    if error is None:
        return outcome
    if not is_shape_error(error):
        raise explained(error)
    listed = ", ".join(f"{name}: {shape_text(shape)}" for name, shape in given.items())
    raise ShapeError(
        f"{search.subject.name} doesn't run with the shapes given",
        f"shapes: {listed}",
        f"{type(error).__name__}: {first_line(error)}",
    ) from error


def first_that_runs(search: Search, dims: Dims, failed: Outcome) -> Outcome:
    """The same with the sizes of read tensors as numbers, if that runs, else the first failure."""
    outcome = most_general(search, dims)
    return outcome if outcome.error is None else failed


def notebook_values(search: Search, names: Sequence[str]) -> dict[str, Tensor] | None:
    """Float64 copies of the notebook's tensors of these names, if all are there and f runs with them.

    Integer tensors are lifted to float64 too, and stay integer only where f needs that.
    """
    subject = search.subject
    named = [*names, *(n for n in subject.reads if n not in subject.inside)]
    own = {n: subject.reads.get(n, subject.namespace.get(n)) for n in named}
    tensors = {n: t for n, t in own.items() if isinstance(t, Tensor) and not t.is_complex()}
    if len(tensors) < len(own) or any(not fits(search.given.get(n), t) for n, t in tensors.items()):
        return None
    lifted = {n: lift(t) for n, t in tensors.items()}
    whole = {n: t.detach().to("cpu", copy=True) for n, t in tensors.items() if not t.is_floating_point()}
    choices = [lifted, {**lifted, **whole}] if whole else [lifted]
    for values in choices:
        outcome = search.run_values(values)
        if outcome.error is None:
            met = {n: t for n, t in subject.reads.items() if n in outcome.met and n not in values}
            return values | {n: lift(t) if t.is_floating_point() else t.detach().clone() for n, t in met.items()}
    error = outcome.error
    if error is not None and not is_shape_error(error):
        raise explained(error)
    return None


def lift(tensor: Tensor) -> Tensor:
    """A float64 copy."""
    return tensor.detach().to("cpu", torch.float64, copy=True)


def fits(shape: Shape | None, tensor: Tensor) -> bool:
    """Whether a tensor can have this shape (None: any)."""
    if shape is None:
        return True
    same = all(not isinstance(t, int) or t == s for t, s in zip(shape, tensor.shape, strict=False))
    return same and len(shape) == tensor.ndim


def from_notebook(search: Search, names: Sequence[str], values: Mapping[str, Tensor], options: Options) -> Shapes:
    """Letters for the notebook's sizes, as many different ones as f allows; numbers where it allows none."""
    search.values = values
    sizes = {f"?{n}{i}": s for n, t in values.items() for i, s in enumerate(t.shape)}
    dims: Dims = {n: open_dims(n, t) for n, t in values.items()} | search.given
    outcome = Outcome({}) if search.fragile else loosest(search, dims, sizes)
    if outcome.error is not None or search.fragile:
        outcome = Outcome({n: tuple(t.shape) for n, t in values.items()})
    shapes = shapes_from(search.subject, outcome, names, options, values)
    own = {n: search.subject.reads.get(n, search.subject.namespace.get(n)) for n in values}
    whole = [n for n, t in own.items() if isinstance(t, Tensor) and not t.is_floating_point()]
    lifted = [n for n in whole if values[n].is_floating_point()]
    noted = [f"integer tensors are taken as float64: {', '.join(lifted)}"] if lifted else []
    inferred = tuple(n for n in names if n not in search.given)
    return replace(shapes, others=(*noted, *shapes.others), inferred=inferred, source="from the notebook")


def shapes_from(
    subject: Subject,
    outcome: Outcome,
    names: Sequence[str],
    options: Options,
    values: Mapping[str, Tensor] | tuple[()],
) -> Shapes:
    """The outcome with good letters; integer tensors that f reads keep the notebook's values."""
    order = [*names, *(n for n in subject.reads if n not in names and n in outcome.dims)]
    kept = {n: t.detach().clone() for n, t in subject.reads.items() if n in order and not t.is_floating_point()}
    of = lettered(subject, {n: outcome.dims[n] for n in order})
    refuse_undetermined(of)
    return Shapes(
        of=of,
        others=borrowed_notes(subject),
        values=dict(values) if values else kept,
        conditions=(*options.sizes, *positive(of)),
    )


def lettered(subject: Subject, dims: Dims) -> Dims:
    """Letters n, m, k, … for the free sizes, in order of appearance, avoiding the function's own names."""
    code = getattr(subject.function, "__code__", None)
    taken = {*dims, *subject.parameters, *subject.reads, *subject.defaults, *letters_of(dims)}
    if code is not None:
        taken |= {*code.co_varnames, *code.co_names}
    fresh = (c for c in itertools.chain(LETTERS, (f"n{i}" for i in itertools.count(1))) if c not in taken)
    names = {t: next(fresh) for t in letters_of(dims) if t.startswith("?")}
    return {
        n: tuple(with_letters(t, lambda letter: names.get(letter, letter)) for t in shape) for n, shape in dims.items()
    }


def assumed_note(how: str, of: Mapping[str, Shape], names: Iterable[str]) -> str:
    """What was assumed, and the option that changes it."""
    listed = ", ".join(f"{n}: {shape_text(s)}" for n, s in of.items())
    return f'shapes {how}: {listed}; change with --shapes "{option_line(of, names)}"'


def option_line(of: Mapping[str, Shape], names: Iterable[str]) -> str:
    """ "x=n,1 A=n,n"."""
    return " ".join(f"{n}={shape_text(of[n])}" for n in names)


def broadcast_notes(outcome: Outcome) -> tuple[str, ...]:
    """One line where a non-scalar argument is broadcast against another."""
    added = (f"broadcast: {outcome.rows} with every row of a matrix",) if outcome.rows else ()
    return (f"broadcast: {outcome.broadcast}", *added) if outcome.broadcast else added


def borrowed_notes(subject: Subject) -> tuple[str, ...]:
    """One line where an argument is an object of the notebook."""
    return tuple(f"{name} is the notebook's {type(subject.defaults[name]).__name__}" for name in subject.borrowed)


def no_shapes_run(search: Search, outcome: Outcome) -> NoReturn:
    """The most plausible try's error: the user's own exception as it is, a mismatch of shapes as a
    ShapeError."""
    error = outcome.error
    assert error is not None
    if asked := tuple_asked(search.subject):
        raise asked from error
    if not is_shape_error(error):
        raise explained(error)
    tried = lettered(search.subject, outcome.dims)
    listed = ", ".join(f"{n}: {shape_text(s)}" for n, s in tried.items())
    names = [n for n in tried if n not in search.subject.reads]
    raise ShapeError(
        f"no shapes found for which {search.subject.name} runs",
        f"tried first: {listed}",
        f"{type(error).__name__}: {first_line(error)}",
        f'say the shapes: --shapes "{option_line(tried, names)}"',
    ) from error


def first_line(error: Exception) -> str:
    """The message's first line."""
    return (str(error).strip().splitlines() or [""])[0]
