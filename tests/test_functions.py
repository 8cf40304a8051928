"""The table of entrywise functions: each slope is the derivative of what the row's own code computes, twice over."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from matmagic.calling import float64
from matmagic.differentiate import differentiate
from matmagic.evaluate import evaluate
from matmagic.expr import Leaf, Node, add, leaf, number, power, product, scale
from matmagic.functions import FUNCTIONS, LAST_POLYGAMMA, code_of, number_in, of
from matmagic.matrix_functions import NoDerivative

FLAT = frozenset("step equals sign floor ceil round trunc detach".split())
MIDDLE = {"acosh": 2.5, "atanh": 0.0, "asin": 0.0, "acos": 0.0, "erfinv": 0.0}  # of where it is defined; else 5/4
N = 6
LAST = f"polygamma{LAST_POLYGAMMA}"


def _leaves(name: str) -> list[Leaf]:
    return [leaf(letter, (N,)) for letter in "abc"[: len(FUNCTIONS[name].slopes)]]


def _values(name: str) -> dict[str, Tensor]:
    """Values without ties, within 1/2 of the middle; for a condition, 1 and 0."""
    generator = torch.Generator().manual_seed(5)
    values = {x.name: torch.rand(N, generator=generator, dtype=torch.float64) - 0.5 for x in _leaves(name)}
    if name == "where":
        values["a"] = (values["a"] > 0).double()
    return {k: v if name == "where" else v + MIDDLE.get(name, 1.25) for k, v in values.items()}


def _computed(name: str, values: Mapping[str, Tensor]) -> Tensor:
    with float64():
        value: Tensor = eval(code_of(name, list(values)), {"torch": torch, "F": F, **values})
    return value


def _slope(node: Node, variable: Leaf) -> Node:
    """The derivative of the sum of the node's entries."""
    return differentiate(product([(node, (0,))], (), ()), variable)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - FLAT - {LAST}))
def test_slopes_and_their_slopes(name: str) -> None:
    """By every argument, and by every two, against autograd."""
    own, values = _leaves(name), _values(name)
    variables = own[1:] if name == "where" else own
    recorded = {k: v.clone().requires_grad_() for k, v in values.items()}
    total = _computed(name, recorded).sum()
    for x in variables:
        (right,) = torch.autograd.grad(total, recorded[x.name], create_graph=True)
        slope = _slope(of(name, *own), x)
        torch.testing.assert_close(evaluate(slope, values, {}), right.detach(), rtol=1e-11, atol=1e-11)
        if not right.requires_grad or "polygamma" in name:
            continue
        for y in variables:
            (right_again,) = torch.autograd.grad(
                right.sum(), recorded[y.name], retain_graph=True, materialize_grads=True
            )
            found = evaluate(_slope(slope, y), values, {})
            torch.testing.assert_close(found, right_again, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", sorted(FLAT))
def test_no_slope_between_jumps(name: str) -> None:
    own = _leaves(name)
    assert all(number_in(_slope(of(name, *own), x)) == 0 for x in own)


def test_where_no_slope_is_known() -> None:
    (x,) = _leaves(LAST)
    with pytest.raises(NoDerivative, match="polygamma"):
        _slope(of(LAST, x), x)


AT_KINKS = {  # torch's own choice
    "relu": "torch.relu(a)",
    "abs": "torch.abs(a)",
    "elu": "F.elu(a)",
    "sign": "torch.sign(a)",
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_slope_at_zero_is_that_of_torch(name: str) -> None:
    (x,) = _leaves(name)
    value = torch.zeros(N, dtype=torch.float64, requires_grad=True)
    (right,) = torch.autograd.grad(eval(AT_KINKS[name], {"torch": torch, "F": F, "a": value}).sum(), value)
    assert torch.equal(evaluate(_slope(of(name, x), x), {"a": value.detach()}, {}), right)


def test_a_maximum_of_equal_entries_counts_them_once() -> None:
    """max(x, x) has slope 1: ties of one entry with itself, as on the diagonal of max(X, Xᵀ)."""
    x = leaf("a", (N,))
    values = {"a": torch.randn(N, dtype=torch.float64)}
    for name in ("maximum", "minimum"):
        assert torch.equal(evaluate(_slope(of(name, x, x), x), values, {}), torch.ones(N, dtype=torch.float64))


def test_zero_has_no_slope_under_a_root() -> None:
    x = leaf("a", (2,))
    slope = _slope(of("root", power(x, 2)), x)
    value = evaluate(slope, {"a": torch.tensor([0.0, -3.0], dtype=torch.float64)}, {})
    assert value.tolist() == [0.0, -1.0]


x, y, c = (leaf(name, ("n",)) for name in "xyc")
NONE, ONE = number(0, ("n",)), number(1, ("n",))
PLAINER = {
    "max(x, 0)": (of("maximum", x, NONE), of("relu", x)),
    "max(2, x)": (of("maximum", scale(2, ONE), x), of("maximum", x, scale(2, ONE))),
    "max(0, x)": (of("maximum", NONE, x), of("relu", x)),
    "min(x, 0)": (of("minimum", x, NONE), scale(-1, of("relu", scale(-1, x)))),
    "where(1, x, y)": (of("where", ONE, x, y), x),
    "where(0, x, y)": (of("where", NONE, x, y), y),
    "where(c, x, x)": (of("where", c, x, x), x),
    "where(1 - c, x, y)": (of("where", add([(1, ONE), (-1, c)], ("n",)), x, y), of("where", c, y, x)),
    "x ** 3": (of("pow", x, number(3, ("n",))), power(x, 3)),
}


@pytest.mark.parametrize("case", PLAINER)
def test_plainer_forms(case: str) -> None:
    found, plain = PLAINER[case]
    assert found is plain


CODE = {
    ("exp", "x"): "torch.exp(x)",
    ("step", "x - y"): "(x - y > 0).double()",
    ("equals", "x", "y - z"): "(x == y - z).double()",
    ("where", "(x == y).double()", "a", "b"): "torch.where(x == y, a, b)",
    ("where", "(x == y).double() * (a == b).double()", "a", "b"): (
        "torch.where((x == y).double() * (a == b).double() != 0, a, b)"
    ),
    ("where", "(x > 0).double() + (y > 0).double()", "a", "2.0"): (
        "torch.where((x > 0).double() + (y > 0).double() != 0, a, 2.0)"
    ),
    ("where", "mask", "a", "b"): "torch.where(mask != 0, a, b)",
    ("reciprocal_or_0", "x + y"): "torch.nan_to_num(1 / (x + y), torch.nan, 0.0, 0.0)",
    ("reciprocal_or_0", "f(x)"): "torch.nan_to_num(1 / f(x), torch.nan, 0.0, 0.0)",
    ("detach", "x + y"): "(x + y)",
    ("detach", "x"): "x",
    ("polygamma2", "x"): "torch.polygamma(2, x)",
    ("log", "2"): "torch.log(torch.tensor(2.0))",
    ("log", "x.shape[0]"): "torch.log(torch.tensor(1.0 * (x.shape[0])))",
    ("maximum", "x", "y"): "torch.maximum(x, y)",
    ("maximum", "x", "1 / 3"): "torch.clamp(x, min=1 / 3)",
    ("minimum", "x", "-0.5 * torch.ones_like(x)"): "torch.clamp(x, max=-0.5)",
    ("maximum", "x", "torch.ones(y.shape[0]) * torch.ones(y.shape[0])"): (
        "torch.maximum(x, torch.ones(y.shape[0]) * torch.ones(y.shape[0]))"
    ),
    ("clamp", "x", "-torch.ones_like(x)", "torch.ones(x.shape[0])"): "torch.clamp(x, -1.0, 1.0)",
    ("clamp", "x", "y", "torch.ones(x.shape[0])"): "torch.clamp(x, y, torch.ones(x.shape[0]))",
    ("where", "c", "torch.zeros(x.shape[0])", "2 * torch.ones_like(x)"): "torch.where(c != 0, 0.0, 2)",
    ("equals", "x", "torch.zeros_like(x)"): "(x == 0.0).double()",
    ("pow", "x", "2"): "torch.pow(x, 2)",
    ("atan2", "x", "0.5"): "torch.atan2(x, torch.tensor(0.5))",
    ("exp", "e"): "torch.exp(e)",
}


@pytest.mark.parametrize("call", CODE, ids=lambda call: " ".join(call))
def test_code(call: tuple[str, ...]) -> None:
    name, *arguments = call
    assert code_of(name, arguments) == CODE[call]
