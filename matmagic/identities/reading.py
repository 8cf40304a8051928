"""A row's torch code as an expression: the code runs on symbols, and the rows of torch_rows say what each call makes.

In: code, and the shapes of its symbols.  Out: the expression.  Nothing is computed, so this takes a fraction of a
trace's time; that what is read has the value of the code is tested for every row, and every match is proved by numbers.
Vectors are columns, sizes are letters throughout: `x.shape[0]` is n, whatever is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..evaluate import evaluate
from ..expr import Node, leaf, permute, size_of
from ..lengths import Size, plus
from ..matrix_functions import of
from ..torch_rows import ROWS, Sizes, Traced
from ..torch_rows.table import in_order, with_names
from ..trace import input_leaf

_NUMBERS = (101, 103, 107, 109, 113, 127)  # for the sizes, apart from every number that stands in a row
_MAKERS = frozenset([torch.eye, torch.ones, torch.zeros, torch.arange, Tensor.expand, Tensor.reshape])
NAMED = (
    "polar",
    "top_singular",
    "argmax",
    "argmin",
)  # functions that torch has no short code for; see matrix_functions


def read(code: str, shapes: Mapping[str, tuple[Size, ...]]) -> Node:
    """The expression that torch code over these symbols computes.

    The text is run: it is a row of the package, or was checked word by word.
    """
    letters = dict.fromkeys(s for shape in shapes.values() for s in shape if isinstance(s, str))
    reading = _Reading(dict(zip(letters, _NUMBERS, strict=False)))
    symbols = {name: Symbol(Traced(*input_leaf(name, as_column(shape))), reading) for name, shape in shapes.items()}
    with reading:
        found = eval(code, {"torch": torch, "F": F, **{name: _of_symbol(name) for name in NAMED}}, symbols)
    bare = reading.bare(found)
    if not isinstance(bare, Traced):
        raise TypeError(f"{code} is a {type(found).__name__}, not a tensor")
    return permute(bare.node, [axis for group in bare.axes for axis in group])


def computed(code: str, names: Iterable[str]) -> Callable[..., Any]:
    """Torch code as a function of its symbols, on tensors.  The text is run, as above."""
    found: Callable[..., Any] = eval(
        f"lambda {', '.join(names)}: {code}", {"torch": torch, "F": F, **{name: _of_tensor(name) for name in NAMED}}
    )
    return found


def _of_symbol(name: str) -> Callable[[Symbol], Symbol]:
    def call(a: Symbol) -> Symbol:
        whole = in_order(a.traced)
        return Symbol(Traced(of(name, whole.node), whole.axes), a.reading)

    return call


def _of_tensor(name: str) -> Callable[[Tensor], Tensor]:
    def call(a: Tensor) -> Tensor:
        shape = [s for s in a.shape if s != 1]
        return evaluate(of(name, leaf("a", shape)), {"a": a.reshape(shape)}, {}).reshape(a.shape)

    return call


def as_column(shape: tuple[Size, ...]) -> tuple[Size, ...]:
    """A vector's shape as a column's."""
    return (*shape, 1) if len(shape) == 1 else shape


class _Reading(TorchFunctionMode):
    """Looks every torch call up and makes its expression."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = Sizes(sizes)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.made(func, *args, **(kwargs or {}))

    def made(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """What a call of this function makes, without carrying it out."""
        if func not in ROWS:
            raise TypeError(f"{getattr(func, '__name__', func)} has no row")
        plain = func in _MAKERS
        own, named = with_names(ROWS[func], self.bare(args, plain), self.bare(kwargs, plain))
        found: Any = ROWS[func](self.sizes, *own, **named)
        return Symbol(found, self) if isinstance(found, Traced) else tuple(f and Symbol(f, self) for f in found)

    def bare(self, value: Any, plain: bool = False) -> Any:
        """Arguments as the rows take them; sizes are numbers only where they make a tensor."""
        match value:
            case Symbol():
                return value.traced
            case _Length() if not plain:
                return Traced(size_of(value.size), ())
            case tuple() | list():
                return type(value)(self.bare(v, plain) for v in value)
            case dict():
                return {name: self.bare(v, plain) for name, v in value.items()}
        return value


class Symbol:
    """Stands for a tensor while code is read."""

    def __init__(self, traced: Traced, reading: _Reading) -> None:
        self.traced, self.reading = traced, reading

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise TypeError("a symbol outside of its reading")

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes, as numbers that know their letters."""
        groups = (self.traced.sizes(k) for k in range(len(self.traced.axes)))
        return tuple(_Length(group[0], self.reading) if group else 1 for group in groups)

    @property
    def T(self) -> Any:
        """The transpose."""
        return self.reading.made(Tensor.T.__get__, self)  # type: ignore[attr-defined]

    mT = T

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(Tensor, name)
        return lambda *args, **kwargs: self.reading.made(method, self, *args, **kwargs)


def _operator(func: Any) -> Callable[..., Any]:
    return lambda self, *others: self.reading.made(func, self, *others)


for _name, _func in {
    "add": torch.add, "radd": torch.add, "sub": torch.sub, "rsub": torch.rsub, "mul": torch.mul, "rmul": torch.mul,
    "truediv": torch.div, "rtruediv": Tensor.__rtruediv__, "matmul": torch.matmul, "pow": torch.pow,
    "rpow": Tensor.__rpow__, "neg": torch.neg, "getitem": Tensor.__getitem__, "gt": Tensor.__gt__,
    "lt": Tensor.__lt__, "ge": Tensor.__ge__, "le": Tensor.__le__,
}.items():  # fmt: skip
    setattr(Symbol, f"__{_name}__", _operator(_func))


class _Length(int):
    """A size as a number that knows its letter: arithmetic with it is arithmetic with the letter."""

    size: Size
    reading: _Reading

    def __new__(cls, size: Size, reading: _Reading) -> _Length:
        made = super().__new__(cls, reading.sizes.number(size))
        made.size, made.reading = size, reading
        return made

    def __add__(self, other: int) -> Any:
        return _Length(plus(self.size, other), self.reading) if isinstance(other, int) else NotImplemented

    def __sub__(self, other: int) -> Any:
        return _Length(plus(self.size, -other), self.reading) if isinstance(other, int) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        return self.reading.made(torch.mul, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self.reading.made(torch.div, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.reading.made(torch.div, other, self)
