"""Which shapes make a function run: try, read torch's message, make sizes equal, try again.

In: a Subject and the shapes that are fixed.  Out: an Outcome, the most general shapes for which the
function runs. Each free size is a letter that begins with "?" and gets a number of its own, so the numbers
in torch's message name the letters that have to be equal.  Every success is repeated with other numbers: a
size that happened to fit is no letter.  While the function runs, `Watching` notes what decides between
kinds of argument: a 1-D tensor that is transposed was meant as a column; an argument that only enters
scalar arithmetic may be a scalar.
Not known here: good names for the letters, and values that suit the function (only sizes matter).
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .calling import call, followed, needs_graph, validated
from .capture import Subject
from .errors import OptionError, ResultError
from .hints import about_dtype, explained, raised_in
from .lengths import Size, in_place, length, lengths, letters_in, letters_of, parts, reduced
from .messages import suggestions
from .patience import Patience
from .sampling import SQUARE, sample, words
from .watching import ACTIVATIONS, Watching

Shape = tuple[Size, ...]
Dims = dict[str, Shape]
Assign = Callable[[Sequence[str], Sequence[int]], dict[str, int]]

FIRST = tuple(range(5, 250, 8))  # none is half of another, or a sum of two, or near one
SECOND = (4, 3, 6, 8, 9, 10, 12, 14, 15, 16, 18, 20, 21, 22, 24, 25, *range(66, 120, 2))
NEEDS_RANK = re.compile("singular|positive-definite")  # what torch says of XᵀX with more columns than rows
SECONDS = 0.3
RUNS = 400
LARGEST = 1000  # that is tried for a letter, or a sum of them
SPARE = 4  # sizes that may be fixed ones
TRIES = 60  # for one choice of kinds
MOST_LABELS, ANY_LABELS = 40, 4  # below which a bound of labels is looked for; where there is none

BIASES, WEIGHTS = words("b b0 bias intercept"), words("w theta beta weight weights coef θ β")
SCALAR_NAMES = words("lam lambda_ lmbda lambd lamda alpha gamma eta eps epsilon tau rho t λ α γ η ε τ ρ")
STEPS = SCALAR_NAMES | words("a c d h k s dt dx phi sigma delta φ σ Δ")
TEMPERATURES = words("T Temp")  # divide what is a vector, more often than a matrix does
KINDS: dict[str, tuple[str, ...]] = {  # in the order in which they are tried
    "lower": ("vector", "scalar", "column", "matrix"),
    "upper": ("matrix", "scalar", "vector", "column", "cube"),
}


@dataclass
class Outcome:
    """Shapes, and how the function ran with them."""

    dims: Dims
    error: Exception | None = None
    value: Tensor | None = None
    broadcast: str = ""
    arithmetic: frozenset[str] = frozenset()  # arguments that only enter scalar arithmetic
    transposed: bool = False
    called: frozenset[str] = frozenset()
    reduced: frozenset[str] = frozenset()  # numbers of which a sum, a mean, a softmax is taken
    met: frozenset[str] = frozenset()  # tensors from outside that f read
    fragile: bool = False  # whether other sizes for those could crash torch
    rows: str = ""  # a vector that is added to every row of a matrix
    uneven: str = ""  # an axis that would have to be cut into equal parts
    asked: Mapping[str, str] = field(default_factory=dict)  # what torch asks of an argument's values

    @property
    def good(self) -> bool:
        """Whether f ran, without broadcasting one argument against another."""
        return self.error is None and not self.broadcast


@dataclass
class Search:
    """What all tries share: the function, fixed shapes, and a bound on time and runs."""

    subject: Subject
    assume: Mapping[str, str]
    assign: Assign
    given: Dims = field(default_factory=dict)
    values: Mapping[str, Tensor] = field(default_factory=dict)
    square: bool = True  # ask for square matrices under a trace or a diagonal
    patience: Patience = field(default_factory=lambda: Patience(SECONDS))
    runs: int = 0
    fragile: bool = False
    needs: dict[str, str] = field(default_factory=dict)  # what torch asks of an argument's values
    whole: dict[str, int] = field(default_factory=dict)  # the value of labels in a run, 0 by default

    def left(self) -> bool:
        """Whether there is time for another try."""
        return self.runs < RUNS and self.patience.left

    def read_dims(self, numbers: bool = False) -> Dims:
        """Shapes of the tensors that f names: their sizes as free letters, those of integers as numbers."""
        named = {n: t for n, t in self.subject.reads.items() if n not in self.subject.inside}
        return {name: tuple(t.shape) if numbers else open_dims(name, t) for name, t in named.items()}

    def run(self, dims: Dims, pool: Sequence[int]) -> tuple[Outcome, dict[str, int]]:
        """Run f with numbers from the pool for the letters."""
        used = {t for shape in dims.values() for t in shape if isinstance(t, int)}
        sizes = self.assign(letters_of(dims), [s for s in pool if s not in used])
        shapes = {n: lengths(shape, sizes) for n, shape in dims.items()}
        if any(size < 1 or (size > LARGEST and size not in used) for shape in shapes.values() for size in shape):
            return Outcome(dims, ValueError(f"a size below 1, or above {LARGEST}")), sizes
        outcome = self.run_values({n: self.trial(n, shape) for n, shape in shapes.items()})
        while self.learn(outcome):
            outcome = self.run_values({n: self.trial(n, shape) for n, shape in shapes.items()})
        outcome.dims = dims
        return outcome, sizes

    def run_values(self, inputs: Mapping[str, Tensor]) -> Outcome:
        """Run f on these tensors, silently, and note how they were used."""
        outcome = self.ran(inputs)
        if outcome.error is not None and needs_graph(outcome.error):
            return self.ran(followed(inputs))
        return outcome

    def ran(self, inputs: Mapping[str, Tensor]) -> Outcome:
        """One run."""
        self.runs += 1
        watching = Watching(self.subject, inputs, self.square)
        watching.declared = frozenset(n for n, prop in self.assume.items() if not prop.startswith("index"))
        value, error = None, None
        with self.patience.trying(), validated(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                value = call(self.subject, inputs, watching)
            except ResultError:
                raise
            except Exception as raised:
                if fatal(raised) and not needs_graph(raised):
                    explained(raised)
                    raise
                error = raised
        arithmetic = frozenset(inputs) - watching.elsewhere
        called, met = frozenset(watching.called), frozenset(watching.met)
        self.fragile = self.fragile or (watching.fragile and bool(self.subject.reads))
        return Outcome(
            {},
            error,
            value,
            watching.broadcast,
            arithmetic,
            watching.transposed,
            called,
            frozenset(watching.reduced),
            met,
            self.fragile,
            watching.rows,
            watching.uneven,
            watching.asked(str(error)),
        )

    def learn(self, outcome: Outcome) -> bool:
        """Whether a run shows what the values of an argument have to be: labels, the parameter of a distribution."""
        known = {*self.assume, *self.values, *self.subject.reads, *self.needs}
        found = {name: prop for name, prop in outcome.asked.items() if name not in known}
        self.needs |= found
        return bool(found)

    def trial(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor that suits most functions: in (0, 1), positive definite where square, 0 for labels."""
        known = self.values.get(name)
        if known is not None and not known.is_floating_point():
            return known.clone()
        read = self.subject.reads.get(name)
        if read is not None and not read.is_floating_point():
            labels: Tensor = read.detach().clone()
            return labels
        generator = torch.Generator().manual_seed(len(name))
        declared = self.assume.get(name) or self.needs.get(name, "")
        if declared.startswith("index"):
            return torch.full(shape, self.whole.get(name, 0), dtype=torch.int64)
        with contextlib.suppress(OptionError):  # a property that this shape can't have
            if declared:
                return sample(shape, declared, generator)
        values = 0.1 + 0.8 * torch.rand(shape, dtype=torch.float64, generator=generator)
        if len(shape) == 2 and shape[0] == shape[1] > 1:
            values = (values + values.T) / (4 * shape[0]) + 0.4 * torch.eye(shape[0], dtype=torch.float64)
        return values


def open_dims(name: str, tensor: Tensor) -> Shape:
    """A free letter for each size; 1 and the sizes of integer tensors stay numbers."""
    if not tensor.is_floating_point():
        return tuple(tensor.shape)
    return tuple(1 if size == 1 else _letter(name, i) for i, size in enumerate(tensor.shape))


def _letter(name: str, axis: int) -> str:
    """A free letter for an axis; names of items may hold signs that would make it a sum."""
    return f"?{re.sub('[-+*/]', '.', name)}{axis}"


def fatal(error: Exception) -> bool:
    """Whether other shapes can't help: the user's own exception, a full memory, a missing device."""
    if isinstance(error, RecursionError | NotImplementedError):
        return True
    if isinstance(error, AssertionError):
        return not raised_in(error).startswith("torch.")  # of a module about its argument
    return not isinstance(error, RuntimeError | IndexError | ValueError | TypeError) or "allocate" in str(error)


def is_shape_error(error: Exception | None) -> bool:
    """Whether torch complains about sizes, rather than the user's own code about something else."""
    if error is None or fatal(error) or about_dtype(error):
        return False
    if re.search(r"to unpack|0-d tensor|tuple index out of range", str(error)):
        return True
    return raised_in(error).partition(".")[0] in ("torch", __name__.partition(".")[0])


def most_general(search: Search, dims: Dims, own: Mapping[str, int] | None = None) -> Outcome:
    """The shapes with as few sizes made equal as f needs; `own` are the sizes that the letters have in the
    notebook.

    Where asking for square matrices under a trace leads nowhere, all are made square; then rectangular ones
    are taken.
    """
    outcome = _settle(search, dims, own)
    if outcome.error is not None and outcome.called & {"trace", "diagonal", "diag"}:
        squared = _settle(search, _squared(dims, own), own)
        if squared.error is None:
            return squared
        search.square = False
        outcome = _settle(search, dims, own)
        search.square = True
    return outcome


def loosest(search: Search, dims: Dims, own: Mapping[str, int]) -> Outcome:
    """The most general shapes near known ones: `own` has the sizes that letters have there.

    Where torch's messages don't say what has to be equal, one letter for each size that occurs.
    """
    outcome = most_general(search, dims, own)
    if outcome.error is None:
        return outcome
    one = {letter: f"?={size}" for letter, size in own.items() if _is_free(letter)}
    shared = {n: tuple(one.get(t, t) if isinstance(t, str) else t for t in shape) for n, shape in dims.items()}
    return most_general(search, shared, {**own, **{f"?={size}": size for size in own.values()}})


def opened(search: Search, outcome: Outcome, given: Dims) -> Outcome:
    """The shapes with the tensors that f met in modules and objects, their sizes letters as far as f allows."""
    reads = search.subject.reads
    found = {**outcome.dims, **{n: tuple(t.shape) for n, t in reads.items() if n in outcome.met}}
    dims: Dims = {}
    own: dict[str, int] = {}
    for name, shape in found.items():
        fixed = name in reads and not reads[name].is_floating_point()
        free = tuple(_letter(name, i) if isinstance(t, int) and t > 1 and not fixed else t for i, t in enumerate(shape))
        dims[name] = given.get(name, free)
        own.update((t, s) for t, s in zip(dims[name], shape, strict=True) if isinstance(t, str) and isinstance(s, int))
    if outcome.fragile:
        return replace(outcome, dims=found)
    loose = loosest(replace(search, patience=Patience(SECONDS), runs=0), dims, own)
    return loose if loose.error is None else replace(outcome, dims=found)


def _is_free(size: str) -> bool:
    """Whether it is a letter that may become another one: not a user's, no sum."""
    return size.startswith("?") and letters_in(size) == [size]


def _squared(dims: Dims, own: Mapping[str, int] | None) -> Dims:
    """Every matrix with free sizes made square, if it is in the notebook."""
    for shape in list(dims.values()):
        if len(shape) == 2 and 1 not in shape:
            dims = _joined(dims, shape[0], shape[1], own) or dims
    return dims


def _settle(search: Search, dims: Dims, own: Mapping[str, int] | None) -> Outcome:
    """Depth first over what torch's messages suggest; the first failure where nothing runs.

    Sums of letters may fit where others are more general: what has more letters is then looked for.
    """
    stack: list[Dims] = [dims]
    seen: set[object] = set()
    first: Outcome | None = None
    best: Outcome | None = None
    tries = TRIES + len(letters_of(dims))
    while stack and len(seen) < tries and (search.left() or first is None):
        dims = stack.pop()
        key = tuple(dims.items())
        if key in seen or (best and best.good and _generality(dims) <= _generality(best.dims)):
            continue
        seen.add(key)
        plain = all(t == 1 or t in letters_in(t) for shape in dims.values() for t in shape)
        for pool in (FIRST, SECOND) if plain else (FIRST, SECOND, FIRST[5:]):  # numbers and sums may fit by chance
            outcome, sizes = search.run(dims, pool)
            if outcome.error is not None and NEEDS_RANK.search(str(outcome.error)):
                outcome, sizes = search.run(dims, pool[::-1])
            if outcome.error is not None:
                break
        if outcome.error is None:
            turned, turned_sizes = search.run(dims, FIRST[: len(letters_of(dims)) + SPARE][::-1])
            if not isinstance(turned.error, IndexError):
                if plain:
                    return outcome
                best = outcome if best is None or outcome.good else best
                stack.append(reduced(dims))
                continue
            outcome, sizes = turned, turned_sizes  # labels, or a loop, over a size that another one has to reach
        first = first or outcome
        said = str(outcome.error).partition(", but found invalid values")[0]  # without the numbers in a tensor
        named = {size: length(size, sizes) for shape in dims.values() for size in shape if isinstance(size, str)}
        likely = [step for text in (outcome.uneven, said) for step in suggestions(text, {**named, **sizes})]
        steps = [_joined(dims, a, b, own) for a, b in likely]
        stack.extend(step for step in reversed(steps[:12]) if step is not None)
    found = best or first
    assert found is not None
    return found


def _generality(dims: Dims) -> tuple[int, int, int]:
    """Grows with the number of letters, then falls with that of numbers, which steps only make more, and with multiples."""
    numbers = [size for shape in dims.values() for size in shape if isinstance(size, int) and size > 1]
    multiples = [count for shape in dims.values() for size in shape for _, count in parts(size)[0]]
    return len(letters_of(dims)), -len(numbers), -sum(multiples)


def _joined(dims: Dims, a: Size, b: Size, own: Mapping[str, int] | None) -> Dims | None:
    """The shapes with a and b made equal; None where both are given, or differ in the notebook."""
    known = [size for t in (a, b) if (size := _known(t, own or {})) is not None]
    if own is not None and len(set(known)) > 1:
        return None
    free = [t for t in (b, a) if isinstance(t, str) and _is_free(t)]
    if not free or a == b:
        return None
    old, new = (free[0], a) if free[0] == b else (free[0], b)
    if old in letters_in(new) or ("/" in old and f"{old}/" in str(new)):  # no halves of halves
        return None
    return in_place(dims, old, new)


def _known(size: Size, own: Mapping[str, int]) -> int | None:
    """The size in the notebook, where that is known; of n/2 half of that of n, rounded down."""
    letters, total = parts(size)
    for letter, times in letters:
        whole, *counts = letter.split("/")
        if whole not in own:
            return None
        total += times * (own[whole] // math.prod(map(int, counts)))
    return total


def infer(search: Search, names: Sequence[str]) -> Outcome:
    """The most general shapes of these arguments for which f runs; the most plausible failure where there
    are none."""
    base = {name: default_kind(name) for name in names}
    base |= dict.fromkeys(filter(lambda name: is_bias(search.subject.source, name, names), names), "scalar")
    best = _best(search, base)
    if labels := [n for n in names if (search.assume.get(n) or search.needs.get(n, "")).startswith("index")]:
        base |= dict.fromkeys(labels, "scalar")
        best = _best(search, base)
    if best.transposed and not _has_no_vector(best):
        outcome, columns = _columns(search, base)
        if outcome.good or (outcome.error is None and not best.good):
            best, base = outcome, columns
    for kinds in _deviations(base):
        if best.good or not search.left():
            break
        outcome = _best(search, kinds)
        if outcome.good or (outcome.error is None and best.error is not None):
            best = outcome
    return best


def _columns(search: Search, base: Mapping[str, str]) -> tuple[Outcome, dict[str, str]]:
    """The vectors as columns, one of them as a scalar if one is broadcast otherwise: lam in `lam * w.T @
    w`."""
    columns = {n: "column" if kind == "vector" else kind for n, kind in base.items()}
    outcome = _best(search, columns)
    if outcome.error is None and outcome.broadcast:
        for name in (n for n, kind in columns.items() if kind == "column"):
            other = _best(search, {**columns, name: "scalar"})
            if other.good:
                return other, columns
    return outcome, columns


def _has_no_vector(outcome: Outcome) -> bool:
    """Whether no argument is 1-D, so that nothing can be made a column."""
    return all(len(shape) != 1 for shape in outcome.dims.values())


def is_bias(source: str, name: str, names: Sequence[str]) -> bool:
    """Whether it is the b of X w + b, one number for all samples, which are the rows of X."""
    alone = [other for other in names if other[:1].isupper()] == ["X"]
    return (
        alone and name in BIASES and not WEIGHTS.isdisjoint(names) and re.search(rf"\+ *{name}\b", source) is not None
    )


def default_kind(name: str) -> str:
    """Lower case is a vector, upper case a matrix, and a few names are scalars by custom."""
    if name in SCALAR_NAMES:
        return "scalar"
    return "matrix" if name[:1].isupper() else "vector"


def _deviations(base: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The same kinds with one, two, three arguments of another kind, the likely ones first."""
    others = {n: [k for k in KINDS["upper" if n[:1].isupper() else "lower"] if k != kind] for n, kind in base.items()}
    if "column" in base.values():
        yield {n: "vector" if kind == "column" else kind for n, kind in base.items()}
    likely = sorted(base, key=lambda name: (name not in TEMPERATURES, name[:1].isupper()))
    for count in range(1, min(3, len(base)) + 1):
        choices = [
            {n: others[n][k] for n, k in zip(names, kinds, strict=True)}
            for names in itertools.combinations(likely, count)
            for kinds in sorted(itertools.product(*(range(len(others[n])) for n in names)), key=sum)
        ]
        yield from ({**base, **chosen} for chosen in sorted(choices, key=_unlikely))


def _unlikely(kinds: Mapping[str, str]) -> bool:
    """Whether a lower case letter is a matrix, or an upper case one a cube."""
    return any(kind == "cube" or (kind == "matrix" and name[:1].islower()) for name, kind in kinds.items())


def bound_of(search: Search, outcome: Outcome, name: str) -> str | int:
    """The size, or the number, that the labels have to be below: the least value with which f fails."""

    def sizes_and_failure(value: int) -> tuple[dict[str, int], bool]:
        search.whole[name] = value
        found, sizes = search.run(outcome.dims, FIRST)
        search.whole[name] = 0
        return sizes, found.error is not None

    def fails(value: int) -> bool:
        return sizes_and_failure(value)[1]

    sizes, _ = sizes_and_failure(0)
    letters = (letter for letter, size in sizes.items() if fails(size) and not fails(size - 1))
    numbers = (value for value in range(1, MOST_LABELS) if fails(value))
    return next(letters, None) or next(numbers, ANY_LABELS)


def _best(search: Search, kinds: Mapping[str, str]) -> Outcome:
    """f with these kinds, and with scalars where that makes the result one: lam in `lam * (w @ w)`."""
    outcome = most_general(search, _dims(search, kinds))
    if vectors := dict.fromkeys(SCALAR_NAMES & outcome.reduced & set(kinds), "vector"):  # t.sum(): targets, no time
        other = most_general(search, _dims(search, {**kinds, **vectors}))
        if other.good or not outcome.good:
            kinds, outcome = {**kinds, **vectors}, other
    if steps := _offset(outcome, kinds):  # h in (x[1:] - x[:-1]) / h
        other = most_general(search, _dims(search, {**kinds, **dict.fromkeys(steps, "scalar")}))
        outcome = other if other.good else outcome
    needs_one = bool(search.subject.returned_grads)
    if outcome.error is None and outcome.value is not None and outcome.value.numel() > 1:
        for chosen in _scalar_choices(outcome, kinds):
            other = most_general(search, _dims(search, {**kinds, **dict.fromkeys(chosen, "scalar")}))
            if other.good and other.value is not None and other.value.numel() == 1:
                return other
        if needs_one:
            outcome.error = RuntimeError("grad can be implicitly created only for scalar outputs")
    return outcome


def _offset(outcome: Outcome, kinds: Mapping[str, str]) -> list[str]:
    """Vectors with a name of steps that would have to be longer or shorter than others: likelier one number."""
    if outcome.error is not None:
        return []
    vectors = [n for n, kind in kinds.items() if kind == "vector" and n in STEPS]
    return [n for n in vectors if all(isinstance(size, str) and parts(size)[1] for size in outcome.dims[n])]


def _scalar_choices(outcome: Outcome, kinds: Mapping[str, str]) -> Iterable[list[str]]:
    """Arguments that may be scalars: those that only enter scalar arithmetic.

    One vector under an activation, tanh(x), stays a vector; so do matrices alone, X * Y.
    """
    free = [n for n in kinds if n in outcome.arithmetic]
    lower = [n for n in free if kinds[n] != "matrix"]
    alone = len(free) == len(kinds) and len(free) == len(outcome.dims)
    if alone and (outcome.called & ACTIVATIONS or len(lower) < len(free)):
        return []
    return [choice for choice in (lower, free) if choice]


def _dims(search: Search, kinds: Mapping[str, str]) -> Dims:
    """A free letter for each size of the kinds, beside the shapes that are fixed."""
    rows: dict[str, Callable[[str], Shape]] = {
        "vector": lambda n: (_letter(n, 0),),
        "column": lambda n: (_letter(n, 0), 1),
        "scalar": lambda n: (),
        "matrix": lambda n: (_letter(n, 0), _letter(n, 0 if search.assume.get(n) in SQUARE else 1)),
        "cube": lambda n: (_letter(n, 0), _letter(n, 1), _letter(n, 2)),
    }
    fixed = {**search.read_dims(), **search.given}
    inferred = {n: rows[kind](n) for n, kind in kinds.items()}
    order = [*search.subject.parameters, *fixed, *inferred]
    return {n: {**fixed, **inferred}[n] for n in dict.fromkeys(order) if n in fixed or n in inferred}
