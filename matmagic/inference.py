"""Which shapes make a function run: try, read torch's message, make sizes equal, try again.

In: a Subject and the shapes that are fixed.  Out: an Outcome, the most general shapes for which the function runs.
Each free size is a letter that begins with "?" and gets a number of its own, so the numbers in torch's message name
the letters that have to be equal.  Every success is repeated with other numbers: a size that happened to fit is no
letter.  While the function runs, `_Watching` notes what decides between kinds of argument: a 1-D tensor that is
transposed was meant as a column; an argument that only enters scalar arithmetic may be a scalar.
Not known here: good names for the letters, and values that suit the function (only sizes matter).
"""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .calling import Running, call, replacements
from .capture import Subject
from .errors import ResultError

Shape = tuple[str | int, ...]
Dims = dict[str, Shape]
Assign = Callable[[Sequence[str], Sequence[int]], dict[str, int]]

FIRST = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61)
SECOND = (4, 3, 6, 8, 9, 10, 12, 14, 15, 16, 18, 20, 21, 22, 24, 25)
SECONDS = 0.3
RUNS = 400
TRIES = 24  # for one choice of kinds

ARITHMETIC = frozenset(
    "add sub mul div pow neg rsub radd rmul rdiv rpow true_divide square exp log sqrt sin cos tan abs reciprocal "
    "multiply subtract divide negative sinh cosh tanh sigmoid relu softplus log1p expm1 erf expit logsigmoid silu gelu "
    "iadd isub imul itruediv truediv rtruediv".split()
)
ACTIVATIONS = frozenset("tanh sigmoid relu softplus expit logsigmoid silu gelu".split())
PAIRWISE = frozenset("mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy".split())
NEUTRAL = frozenset("shape size dim ndim dtype device numel len is_floating_point requires_grad".split())
SCALAR_NAMES = frozenset(
    "lam lambda_ lmbda lambd lamda alpha gamma eta eps epsilon tau rho t λ α γ η ε τ ρ".split()
)
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
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    runs: int = 0

    def left(self) -> bool:
        """Whether there is time for another try."""
        return self.runs < RUNS and time.monotonic() < self.deadline

    def read_dims(self, numbers: bool = False) -> Dims:
        """Shapes of the tensors that f reads: their sizes as free letters, those of integers as numbers."""
        return {
            name: tuple(t.shape)
            if numbers or not t.is_floating_point()
            else tuple(1 if s == 1 else f"?{name}{i}" for i, s in enumerate(t.shape))
            for name, t in self.subject.reads.items()
        }

    def run(self, dims: Dims, pool: Sequence[int]) -> tuple[Outcome, dict[str, int]]:
        """Run f with numbers from the pool for the letters."""
        used = {t for shape in dims.values() for t in shape if isinstance(t, int)}
        sizes = self.assign(letters_of(dims), [s for s in pool if s not in used])
        shapes = {n: tuple(sizes[t] if isinstance(t, str) else t for t in shape) for n, shape in dims.items()}
        inputs = {n: self.trial(n, shape) for n, shape in shapes.items()}
        outcome = self.run_values(inputs)
        outcome.dims = dims
        return outcome, sizes

    def run_values(self, inputs: Mapping[str, Tensor]) -> Outcome:
        """Run f on these tensors, silently, and note how they were used."""
        self.runs += 1
        watching = _Watching(self.subject, inputs, self.square)
        value, error = None, None
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                value = call(self.subject, inputs, watching)
            except ResultError:
                raise
            except Exception as raised:
                if fatal(raised):
                    raise
                error = raised
        arithmetic = frozenset(inputs) - watching.elsewhere
        called = frozenset(watching.called)
        return Outcome({}, error, value, watching.broadcast, arithmetic, watching.transposed, called)

    def trial(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor that suits most functions: in (0, 1), positive definite where square, 0 for labels."""
        if not torch.is_floating_point(known := self.values.get(name, _FLOAT)) and tuple(known.shape) == shape:
            return known.clone()
        read = self.subject.reads.get(name)
        if read is not None and not read.is_floating_point():
            return read.detach().clone()
        if self.assume.get(name, "").startswith("index<"):
            return torch.zeros(shape, dtype=torch.int64)
        values = 0.1 + 0.8 * torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(name)))
        if len(shape) == 2 and shape[0] == shape[1] > 1:
            values = (values + values.T) / (4 * shape[0]) + 0.4 * torch.eye(shape[0], dtype=torch.float64)
        return values


_FLOAT = torch.zeros((), dtype=torch.float64)


class _Watching(Running):
    """Notes transposed 1-D tensors, broadcasting between arguments, and arguments used beyond scalar arithmetic."""

    def __init__(self, subject: Subject, inputs: Mapping[str, Tensor], square: bool) -> None:
        super().__init__(replacements(subject, inputs))
        self.square = square
        self.transposed, self.broadcast = False, ""
        self.called: set[str] = set()
        self.elsewhere: set[str] = set()
        self.sources = {id(t): frozenset([n]) for n, t in inputs.items()}
        self.alive: list[Tensor] = list(inputs.values())

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call, and note where its tensors come from."""
        name = call_name(func)
        if name in NEUTRAL:
            return func(*args, **kwargs)
        tensors = list(_tensors((args, kwargs)))
        origins = [self.sources.get(id(t), frozenset()) for t in tensors]
        self.look(name, tensors, origins)
        result = func(*args, **kwargs)
        everything = frozenset().union(*origins)
        for tensor in _tensors(result):
            self.alive.append(tensor)
            self.sources[id(tensor)] = everything
        return result

    def look(self, name: str, tensors: list[Tensor], origins: list[frozenset[str]]) -> None:
        """What one call says about its arguments."""
        self.called.add(name)
        if name in ("T", "mT", "t", "H", "transpose") and tensors and tensors[0].ndim == 1:
            self.transposed = True
        elif name not in ARITHMETIC:
            self.elsewhere |= frozenset().union(*origins)
        if self.square and name in ("trace", "diagonal", "diag") and tensors and tensors[0].ndim == 2:
            rows, columns = tensors[0].shape
            if rows != columns and (name == "trace" or 1 not in (rows, columns)):
                raise RuntimeError(f"{name} of a {rows} by {columns} matrix")
        if name in ARITHMETIC or name in PAIRWISE:
            for (a, of_a), (b, of_b) in itertools.combinations(zip(tensors, origins, strict=True), 2):
                if a.shape != b.shape and min(a.numel(), b.numel()) > 1 and not of_a & of_b:
                    names = [" and ".join(sorted(o)) or "a constant" for o in (of_a, of_b)]
                    self.broadcast = f"{name} of {names[0]} with {names[1]}"


def call_name(func: Any) -> str:
    """add for torch.add, Tensor.add_, Tensor.__add__; T for the attribute."""
    name = str(getattr(func, "__name__", ""))
    if name == "__get__":
        name = str(getattr(func.__self__, "__name__", ""))
    return name.strip("_")


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def letters_of(dims: Mapping[str, Shape]) -> list[str]:
    """The letters, each once, in order of appearance."""
    return list(dict.fromkeys(t for shape in dims.values() for t in shape if isinstance(t, str)))


def fatal(error: Exception) -> bool:
    """Whether other shapes can't help: the user's own exception, a full memory, a missing device."""
    if isinstance(error, RecursionError | NotImplementedError):
        return True
    return not isinstance(error, RuntimeError | IndexError | ValueError | TypeError) or "allocate" in str(error)


def is_shape_error(error: Exception | None) -> bool:
    """Whether torch complains about sizes, rather than the user's own code about something else."""
    if error is None or fatal(error) or "dtype" in str(error):
        return False
    if re.search(r"to unpack|0-d tensor|tuple index out of range", str(error)):
        return True
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    module = str(where.tb_frame.f_globals.get("__name__", "")) if where is not None else ""
    return module.partition(".")[0] in ("torch", __name__.partition(".")[0])


def most_general(search: Search, dims: Dims, own: Mapping[str, int] | None = None) -> Outcome:
    """The shapes with as few sizes made equal as f needs; `own` are the sizes that the letters have in the notebook.

    Where asking for square matrices under a trace leads nowhere, all are made square; then rectangular ones are taken.
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


def _squared(dims: Dims, own: Mapping[str, int] | None) -> Dims:
    """Every matrix with free sizes made square, if it is in the notebook."""
    for shape in list(dims.values()):
        if len(shape) == 2 and 1 not in shape:
            dims = _joined(dims, shape[0], shape[1], own) or dims
    return dims


def _settle(search: Search, dims: Dims, own: Mapping[str, int] | None) -> Outcome:
    """Depth first over what torch's messages suggest; the first failure where nothing runs."""
    stack, seen, first = [dims], set(), None
    while stack and len(seen) < TRIES and (search.left() or first is None):
        dims = stack.pop()
        key = tuple(dims.items())
        if key in seen:
            continue
        seen.add(key)
        for pool in (FIRST, SECOND):
            outcome, sizes = search.run(dims, pool)
            if outcome.error is not None and "singular" in str(outcome.error):
                outcome, sizes = search.run(dims, pool[::-1])
            if outcome.error is not None:
                break
        if outcome.error is None:
            return outcome
        first = first or outcome
        steps = [_joined(dims, a, b, own) for a, b in suggestions(str(outcome.error), sizes)]
        stack.extend(step for step in reversed(steps[:8]) if step is not None)
    assert first is not None
    return first


def suggestions(message: str, sizes: Mapping[str, int]) -> list[tuple[str, str | int]]:
    """Which letters have to be equal, or have a certain number, for this message to go away; likeliest first."""
    letter = {size: name for name, size in sizes.items()}
    if index := re.search(r"index (-?\d+) is out of bounds for dimension \d+ with size (\d+)", message):
        least = int(index[1]) + 1 if int(index[1]) >= 0 else -int(index[1])
        return [(letter[int(index[2])], least)] if int(index[2]) in letter else []
    if unpack := re.search(r"unpack \(expected (\d+)(?:, got (\d+))?\)", message):
        likely = [letter[int(unpack[2])]] if unpack[2] and int(unpack[2]) in letter else list(sizes)
        return [(name, int(unpack[1])) for name in likely]
    pairs: list[tuple[int, int]] = []
    if product := re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", message):
        pairs = [(int(product[2]), int(product[3]))]
    elif product := re.search(r"mat \((\d+)x(\d+)\), vec \((\d+)\)", message):
        pairs = [(int(product[2]), int(product[3]))]
    numbers = list(dict.fromkeys(int(d) for d in re.findall(r"\d+", message)))
    pairs += itertools.combinations([n for n in numbers if n in letter], 2)
    found: list[tuple[str, str | int]] = [(letter[a], letter[b]) for a, b in pairs if a in letter and b in letter]
    fixed = [n for n in numbers if n not in letter and 2 <= n <= 64]
    if not found:
        found = [(letter[a], b) for a in numbers if a in letter for b in fixed]
    return list(dict.fromkeys(found))


def _joined(dims: Dims, a: str | int, b: str | int, own: Mapping[str, int] | None) -> Dims | None:
    """The shapes with a and b made equal; None where both are given, or differ in the notebook."""
    if own is not None:
        left, right = (own.get(t, t) if isinstance(t, str) else t for t in (a, b))
        if left != right:
            return None
    free = [t for t in (b, a) if isinstance(t, str) and t.startswith("?")]
    if not free or a == b:
        return None
    old, new = (free[0], a) if free[0] == b else (free[0], b)
    return {name: tuple(new if t == old else t for t in shape) for name, shape in dims.items()}


def infer(search: Search, names: Sequence[str]) -> Outcome:
    """The most general shapes of these arguments for which f runs; the most plausible failure where there are none."""
    base = {name: default_kind(name) for name in names}
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
    """The vectors as columns, one of them as a scalar if one is broadcast otherwise: lam in `lam * w.T @ w`."""
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
    likely = sorted(base, key=lambda name: name[:1].isupper())
    for count in range(1, min(3, len(base)) + 1):
        for names in itertools.combinations(likely, count):
            for kinds in sorted(itertools.product(*(range(len(others[n])) for n in names)), key=sum):
                yield {**base, **{n: others[n][k] for n, k in zip(names, kinds, strict=True)}}


def _best(search: Search, kinds: Mapping[str, str]) -> Outcome:
    """f with these kinds, and with scalars where that makes the result one: lam in `lam * (w @ w)`."""
    outcome = most_general(search, _dims(search, kinds))
    needs_one = bool(search.subject.returned_grads)
    if outcome.error is None and outcome.value is not None and outcome.value.numel() > 1:
        for chosen in _scalar_choices(outcome, kinds):
            other = most_general(search, _dims(search, {**kinds, **dict.fromkeys(chosen, "scalar")}))
            if other.good and other.value is not None and other.value.numel() == 1:
                return other
        if needs_one:
            outcome.error = RuntimeError("grad can be implicitly created only for scalar outputs")
    return outcome


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
        "vector": lambda n: (f"?{n}0",),
        "column": lambda n: (f"?{n}0", 1),
        "scalar": lambda n: (),
        "matrix": lambda n: (f"?{n}0", f"?{n}1"),
        "cube": lambda n: (f"?{n}0", f"?{n}1", f"?{n}2"),
    }
    fixed = {**search.read_dims(), **search.given}
    inferred = {n: rows[kind](n) for n, kind in kinds.items()}
    order = [*search.subject.parameters, *fixed, *inferred]
    return {n: {**fixed, **inferred}[n] for n in dict.fromkeys(order) if n in fixed or n in inferred}
