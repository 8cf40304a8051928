"""What a run of the user's function shows about its arguments, while their shapes are looked for.

In: a Subject and tensors.  Out: after the run, whether a 1-D tensor was transposed, whether one argument
was broadcast against another, which arguments enter more than scalar arithmetic, and which of the tensors that the
function might read it met. Every tensor remembers from which arguments it was computed.
Not known here: what follows from that for the shapes (inference.py).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from .calling import Running, replacements
from .capture import Subject
from .sampling import words

ARITHMETIC = words(
    "add sub mul div pow neg rsub radd rmul rdiv rpow true_divide square exp log sqrt sin cos tan abs "
    "reciprocal multiply subtract divide negative sinh cosh tanh sigmoid relu softplus log1p expm1 "
    "erf expit logsigmoid silu gelu iadd isub imul itruediv truediv rtruediv"
)
REDUCING = words("sum mean var std softmax log_softmax logsumexp norm vector_norm")  # of a number they say nothing
ACTIVATIONS = words("tanh sigmoid relu softplus expit logsigmoid silu gelu")
PAIRWISE = words("mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy")
ADDITIVE = words("add sub radd rsub iadd isub subtract")
WHOLE = words("long int")
TARGETS = words("cross_entropy nll_loss multi_margin_loss")  # whose second tensor holds labels
NEUTRAL = words("shape size dim ndim dtype device numel len is_floating_point requires_grad")

CONSTRAINTS = {  # of torch.distributions, as properties
    "PositiveDefinite": "positive-definite",
    "LowerCholesky": "cholesky-factor",
    "Simplex": "simplex",
    "GreaterThan": "positive",
    "GreaterThanEq": "positive",
    "Interval": "unit-interval",
    "HalfOpenInterval": "unit-interval",
    "Boolean": "binary",
    "OneHot": "one-hot",
    "IntegerGreaterThan": "counts",
    "IntegerInterval": "index",
}


class Watching(Running):
    """Notes transposed 1-D tensors, broadcasting between arguments, and arguments used beyond scalar
    arithmetic."""

    def __init__(self, subject: Subject, inputs: Mapping[str, Tensor], square: bool) -> None:
        super().__init__(replacements(subject, inputs))
        self.square = square
        self.transposed, self.broadcast = False, ""
        self.called: set[str] = set()
        self.elsewhere: set[str] = set()
        self.reduced: set[str] = set()  # arguments that are numbers where a function of vectors is taken
        self.sources = {id(t): frozenset([n]) for n, t in inputs.items()}
        self.alive: list[Tensor] = list(inputs.values())
        self.read = {id(t): name for name, t in subject.reads.items()}
        self.met: set[str] = set()
        self.names = {id(t): name for name, t in inputs.items()}
        self.labels: set[str] = set()  # arguments that are used as whole numbers
        self.last: frozenset[str] = frozenset()  # the arguments in the last call
        self.declared: frozenset[str] = frozenset()  # arguments of which a property is known
        self.rows = ""  # a vector that is added to every row of a matrix
        self.uneven = ""  # the first axis that was cut into parts of which the last is shorter
        self.fragile = False  # whether functions private to torch are called, which may not check sizes

    def replaced(self, value: Any) -> Any:
        """What the call gets in place of a tensor from outside, which is noted; a copy where there is nothing else."""
        if not isinstance(value, Tensor) or id(value) not in self.read:
            return super().replaced(value)
        self.met.add(self.read[id(value)])
        return self.replacements[id(value)] if id(value) in self.replacements else self.lift(value)

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call, and note where its tensors come from."""
        __tracebackhide__ = True
        name = call_name(func)
        self.fragile = self.fragile or re.match(r"_[^_]|lstm|gru|rnn", str(getattr(func, "__name__", ""))) is not None
        if name in NEUTRAL:
            return func(*args, **kwargs)
        tensors = list(_tensors((args, kwargs)))
        origins = [self.sources.get(id(t), frozenset()) for t in tensors]
        self.look(name, tensors, origins)
        everything = frozenset().union(*origins)
        self.last = everything or self.last
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            self.labels |= self.indices(tensors, origins, str(error))
            raise
        if name in ("chunk", "tensor_split") and not self.uneven:
            self.uneven = self.parts(*args, **kwargs)
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
        if name in REDUCING and tensors and tensors[0].ndim == 0:
            self.reduced |= origins[0]
        if self.square and name in ("trace", "diagonal", "diag") and tensors and tensors[0].ndim == 2:
            rows, columns = tensors[0].shape
            if rows != columns and (name == "trace" or 1 not in (rows, columns)):
                raise RuntimeError(f"{name} of a {rows} by {columns} matrix")
        if name in WHOLE and tensors and tensors[0].is_floating_point():
            self.labels |= origins[0] if len(origins[0]) == 1 else frozenset()
        if name in TARGETS and len(tensors) > 1:
            self.look_at_target(name, self.names.get(id(tensors[1]), ""), tensors[0].shape, tensors[1].shape)
        if name in ARITHMETIC or name in PAIRWISE:
            for (a, of_a), (b, of_b) in itertools.combinations(zip(tensors, origins, strict=True), 2):
                if a.shape != b.shape and min(a.numel(), b.numel()) > 1 and not of_a & of_b:
                    if name in ADDITIVE and (row := self.row_of(a, b) or self.row_of(b, a)):
                        self.rows = row
                        continue
                    names = [" and ".join(sorted(o)) or "a constant" for o in (of_a, of_b)]
                    self.broadcast = f"{name} of {names[0]} with {names[1]}"

    def asked(self, message: str) -> dict[str, str]:
        """What torch asks of the arguments' values: labels, and, in the message, the parameter of a distribution."""
        found = dict.fromkeys(self.labels, "index")
        said = re.search(r"(?:satisfy the constraint|within the support \() ?(\w+)", message)
        if said and len(self.last) == 1 and said[1] in CONSTRAINTS:
            found |= dict.fromkeys(self.last, CONSTRAINTS[said[1]])
        return found

    def look_at_target(self, name: str, target: str, shape: tuple[int, ...], own: tuple[int, ...]) -> None:
        """Of the shape of the scores it holds probabilities, of which torch says too little; else labels."""
        if target in self.declared or target[:1].isupper():
            unlike = [(a, b) for a, b in zip(shape, own, strict=False) if a != b]
            if unlike and len(shape) == len(own):
                raise RuntimeError(f"{name} of sizes {unlike[0][0]} and {unlike[0][1]}")
        elif target and shape != own:
            self.labels.add(target)

    def row_of(self, matrix: Tensor, vector: Tensor) -> str:
        """The name of an argument that is a vector as long as the rows of the matrix: the b of X W + b."""
        along = matrix.ndim == 2 and vector.ndim == 1 and matrix.shape[1] == vector.shape[0]
        return self.names.get(id(vector), "") if along else ""

    @staticmethod
    def parts(tensor: Tensor, count: Any, dim: int = 0) -> str:
        """Which axis is not a multiple of the number of parts."""
        size = tensor.shape[dim]
        return f"an axis of size {size} in {count} equal parts" if isinstance(count, int) and size % count else ""

    @staticmethod
    def indices(tensors: list[Tensor], origins: list[frozenset[str]], message: str) -> frozenset[str]:
        """The argument that torch wants as whole numbers, if that is what it complains about."""
        if not re.search(r"(?<!got )\bLong\b(?!')|\bint64\b|used as indices|index tensor", message):
            return frozenset()
        place = re.search(r"argument #(\d+)", message)
        order = [int(place[1]) - 1] if place else range(len(tensors) - 1, -1, -1)
        found = [origins[k] for k in order if k < len(tensors) and tensors[k].is_floating_point()]
        return next((one for one in found if len(one) == 1), frozenset())


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
