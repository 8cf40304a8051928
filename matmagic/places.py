"""Where a function finds tensors beside its arguments: in modules, lists, dicts and objects that it names.

In: names and what they stand for.  Out: everything they hold, each under Python text that evaluates to it:
lin.weight, model[0].bias, params["W"], net.layers[1].scale.  And back: values by such texts as a namespace in which the
texts evaluate.  torch is not imported for that.
Not known here: which of the tensors the function uses.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from types import FunctionType, MethodType, ModuleType
from typing import Any

from .cells import is_tensor

LIMIT = 5000  # objects looked at
NAME = r"[^\W\d]\w*"
PLACE = rf"{NAME}(?:\.{NAME}|\[[^\[\]]+\])*"  # a name, then attributes and items
_PLAIN = (str, bytes, int, float, complex, type(None), ModuleType)
_MADE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_KEY = re.compile(r"[^\[\]\"'\\,;\s]+")


def held(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Everything the names stand for and what is inside, each object once, under its shortest text.

    >>> [text for text, value in held({"p": {"W": [1, {}]}}) if isinstance(value, dict)]
    ['p', 'p["W"][1]']
    """
    todo = deque(names.items())
    seen: set[int] = set()
    while todo and len(seen) < LIMIT:
        text, value = todo.popleft()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        yield text, value
        todo.extend(islice(_parts(text, value), LIMIT))


def _parts(text: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds directly: items, or attributes."""
    fields = getattr(type(value), "_fields", None)
    if is_tensor(value) or isinstance(value, FunctionType):
        return
    if isinstance(value, dict):
        yield from ((f"{text}[{_key(k)}]", v) for k, v in value.items() if _key(k))
    elif isinstance(value, tuple) and fields is not None:
        yield from ((f"{text}.{name}", v) for name, v in zip(fields, value, strict=True))
    elif isinstance(value, list | tuple):
        yield from ((f"{text}[{k}]", v) for k, v in enumerate(value))
    elif isinstance(value, MethodType):
        yield f"{text}.__self__", value.__self__
    elif is_module(value):
        yield from _of_module(text, value)
    else:
        yield from ((f"{text}.{name}", v) for name, v in _attributes(value))


def _key(key: Any) -> str:
    """A key as it is written; "" where it can't be written plainly."""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return f'"{key}"'
    return str(key) if type(key) is int and key >= 0 else ""


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """An object's own attributes, then those of classes that are not torch's; never a property."""
    own = getattr(value, "__dict__", None)
    yield from list(own.items()) if type(own) is dict else ()
    for kind in _classes(value):
        slots = getattr(kind, "__slots__", ()) if kind in type(value).__mro__ else ()
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                yield name, getattr(value, name)
        yield from ((n, v) for n, v in vars(kind).items() if is_tensor(v) or isinstance(v, list | tuple | dict))


def _classes(value: Any) -> list[type]:
    """The classes of an object, or of a class, that are neither built in nor torch's."""
    kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
    return [kind for kind in kinds if kind.__flags__ & _MADE and kind.__module__.partition(".")[0] != "torch"]


def is_module(value: Any) -> bool:
    """Whether it is a torch.nn.Module."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _of_module(text: str, module: Any) -> Iterator[tuple[str, Any]]:
    """Parameters, buffers, modules inside, and plain attributes."""
    inside = chain(module._parameters.items(), module._buffers.items(), module._modules.items())
    by_key = hasattr(module, "keys")  # ModuleDict, ParameterDict
    for name, value in inside:
        if name.isdecimal() or by_key:
            yield f"{text}[{name if name.isdecimal() else _key(name)}]", value
        else:
            yield f"{text}.{name}", value
    yield from ((f"{text}.{n}", v) for n, v in _attributes(module) if not (n.startswith("_") and isinstance(v, dict)))


def methods(value: Any, home: Mapping[str, Any] | None) -> Iterator[Callable[..., Any]]:
    """Functions that an object and its classes hold, as far as they were defined at home."""
    for _, inner in held({"_": value}):
        if home is not None and getattr(inner, "__globals__", None) is home:
            yield inner
        for kind in _classes(inner):
            for own in vars(kind).values():
                function = getattr(own, "__func__", getattr(own, "fget", own))
                if home is not None and getattr(function, "__globals__", None) is home:
                    yield function


# --------------------------------------------------------------------------- texts


def is_inside(name: str) -> bool:
    """Whether the text is a place in an object, and no plain name."""
    return not name.isidentifier()


def steps(name: str) -> list[str]:
    """The text cut at attributes and items.

    >>> steps('net.layers[1]["W"]')
    ['net', '.layers', '[1]', '["W"]']
    """
    return re.findall(rf"^{NAME}|\.{NAME}|\[[^\[\]]+\]", name)


def spelled(name: str) -> str:
    """The text with keys in double quotes, as they are written here; a shell may have eaten them.

    >>> spelled("params['W']"), spelled("params[W]"), spelled("model[ 0 ].weight")
    ('params["W"]', 'params["W"]', 'model[0].weight')
    """
    return re.sub(r"\[\s*([\"']?)([^\[\]]+?)\1\s*\]", lambda found: f"[{_written(found[2])}]", name)


def _written(key: str) -> str:
    return key if key.isdecimal() else f'"{key}"'


class _Standin:
    """Stands for an object in which only some places are known."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self._known[f".{name}"]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, key: Any) -> Any:
        return self._known[f"[{_key(key)}]"]


def namespace(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names under which each of the texts evaluates to its value.

    >>> names = namespace({"x": 1, "lin.weight": 2, 'p[0]["W"]': 3})
    >>> eval('x + lin.weight + p[0]["W"]', names)
    6
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        first, *inner = steps(name) or [name]
        if not inner:
            found[first] = value
            continue
        at = found.setdefault(first, _Standin())
        for step in inner[:-1]:
            at = at._known.setdefault(step, _Standin())
        at._known[inner[-1]] = value
    return found


def roots(names: Iterable[str]) -> set[str]:
    """The objects that hold the places among the names.

    >>> roots(["x", "lin.weight"])
    {'lin'}
    """
    return {steps(name)[0] for name in names if is_inside(name)}
