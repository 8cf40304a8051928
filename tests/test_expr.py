"""The expression: one normal form, built by `product`, `add` and `power`, of the same value as what went in."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations

import pytest
import torch

from matmagic.evaluate import evaluate
from matmagic.expr import (
    Delta,
    Node,
    Power,
    Product,
    SizeOf,
    Sum,
    add,
    basis,
    delta,
    exact,
    leaf,
    multiply,
    number,
    permute,
    power,
    product,
    scale,
    size_of,
    transpose,
    zero,
)
from matmagic.walk import ordered, resized, substitute

SIZES = {"n": 3, "m": 4, "k": 5}
A, B, X = leaf("A", ("m", "n")), leaf("B", ("n", "n")), leaf("X", ("n", "n"))
S = leaf("S", ("n", "n"), symmetric=True)
x, y, z, t = leaf("x", ("n",)), leaf("y", ("n",)), leaf("z", ("m",)), leaf("t", ())


def values() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    made = {
        own.name: torch.rand([SIZES[str(s)] for s in own.shape], generator=generator, dtype=torch.float64) + 0.5
        for own in (A, B, X, S, x, y, z, t)
    }
    made["S"] = made["S"] + made["S"].T
    return made


def dot(a: Node, b: Node) -> Node:
    return product([(a, (0,)), (b, (0,))], (), ())


def mv(a: Node, b: Node) -> Node:
    return product([(a, (0, 1)), (b, (1,))], a.shape[:1], (0,))


def mm(a: Node, b: Node) -> Node:
    return product([(a, (0, 1)), (b, (1, 2))], (a.shape[0], b.shape[1]), (0, 2))


def value(node: Node) -> torch.Tensor:
    return evaluate(node, values(), SIZES)


# ---- one spelling -------------------------------------------------------------------------------------------------

SAME = {
    "I x = x": (mv(delta("n"), x), x),
    "A I = A": (mm(A, delta("n")), A),
    "tr I = n": (product([(delta("n"), (0, 0))], (), ()), size_of("n")),
    "I I = I": (mm(delta("n"), delta("n")), delta("n")),
    "δ_ij B_ij = tr B": (product([(delta("n"), (0, 1)), (B, (0, 1))], (), ()), product([(B, (0, 0))], (), ())),
    "Iᵀ = I": (transpose(delta("n")), delta("n")),
    "Aᵀᵀ = A": (transpose(transpose(A)), A),
    "(A + 2 A) = 3 A": (add([(1, A), (2, A)], A.shape), scale(3, A)),
    "A − A = 0": (add([(1, A), (-1, A)], A.shape), zero(A.shape)),
    "0 x = 0": (product([(zero(("n",)), (0,)), (x, (0,))], (), ()), zero(())),
    "(2 x)ᵀ(3 y) = 6 xᵀ y": (dot(scale(2, x), scale(3, y)), scale(6, dot(x, y))),
    "sums open": (add([(1, add([(1, x), (2, y)], x.shape)), (1, x)], x.shape), add([(2, x), (2, y)], x.shape)),
    "products open": (mv(mm(B, X), x), mv(B, mv(X, x))),
    "x ⊙ x = x^2": (multiply(x, x), power(x, 2)),
    "x^2 x^3 = x^5": (multiply(power(x, 2), power(x, 3)), power(x, 5)),
    "t^½ t^½ = t": (multiply(power(t, Fraction(1, 2)), power(t, Fraction(1, 2))), t),
    "t / t = 1": (multiply(t, power(t, -1)), number(1)),
    "(t^½)^4 = t^2": (power(power(t, Fraction(1, 2)), 4), power(t, 2)),
    "x^1": (power(x, 1), x),
    "x^0 = 1": (power(x, 0), number(1, ("n",))),
    "1^p": (power(number(1, ("n",)), -3), number(1, ("n",))),
    "(−2 x)^3 = −8 x^3": (power(scale(-2, x), 3), scale(-8, power(x, 3))),
    "Sᵀ = S inside a product": (
        product([(S, (1, 0)), (x, (0,)), (y, (1,))], (), ()),
        product([(S, (0, 1)), (x, (0,)), (y, (1,))], (), ()),
    ),
    "a number of size 2": (product([], (), ()), number(1)),
    "fixed size counted": (product([(number(1, (2,)), (0,))], (), ()), number(2)),
    "letter counted": (product([(number(1, ("n",)), (0,))], (), ()), size_of("n")),
    "(x yᵀ)ᵀ = y xᵀ": (
        transpose(product([(x, (0,)), (y, (1,))], ("n", "n"), (0, 1))),
        product([(x, (1,)), (y, (0,))], ("n", "n"), (0, 1)),
    ),
    "(A + B)ᵀ term by term": (
        transpose(add([(1, X), (2, B)], X.shape)),
        add([(1, transpose(X)), (2, transpose(B))], X.shape),
    ),
    "permuted twice": (permute(permute(A, (1, 0)), (1, 0)), A),
}


@pytest.mark.parametrize("case", SAME)
def test_equal_nodes_are_one_object(case: str) -> None:
    one, other = SAME[case]
    assert one is other
    assert torch.allclose(value(one), value(other))


DIFFERENT = {
    "tr X² and (tr X)²": (product([(X, (0, 1)), (X, (1, 0))], (), ()), product([(X, (0, 0)), (X, (1, 1))], (), ())),
    "X X and X ⊙ X": (mm(X, X), multiply(X, X)),
    "B and X": (B, X),
    "B x and Bᵀ x": (mv(B, x), mv(transpose(B), x)),
    "(x²)^½ and x": (power(power(x, 2), Fraction(1, 2)), x),
    "symmetric and not": (leaf("S", ("n", "n")), S),
    "1 and 1.0000000000000002": (scale(1, x), scale(1 + 2**-52, x)),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_functions_stay_two_objects(case: str) -> None:
    one, other = DIFFERENT[case]
    assert one is not other


# ---- the value stays ----------------------------------------------------------------------------------------------

VALUES: dict[str, tuple[Node, Callable[..., torch.Tensor]]] = {
    "A x": (mv(A, x), lambda v: v["A"] @ v["x"]),
    "outer": (product([(z, (7,)), (x, (-3,))], ("m", "n"), (7, -3)), lambda v: torch.outer(v["z"], v["x"])),
    "outer, turned": (product([(z, (7,)), (x, (-3,))], ("n", "m"), (-3, 7)), lambda v: torch.outer(v["x"], v["z"])),
    "1 xᵀ": (product([(x, (1,))], ("m", "n"), (0, 1)), lambda v: torch.ones(4, 1, dtype=torch.float64) * v["x"]),
    "diag x": (product([(x, (0,)), (delta("n"), (0, 1))], ("n", "n"), (0, 1)), lambda v: torch.diag(v["x"])),
    "diagonal of B": (product([(B, (0, 0))], ("n",), (0,)), lambda v: torch.diagonal(v["B"])),
    "tr(B X)": (product([(B, (0, 1)), (X, (1, 0))], (), ()), lambda v: torch.trace(v["B"] @ v["X"])),
    "entry": (product([(A, (0, 1)), (basis("m", 2), (0,)), (basis("n", 1), (1,))], (), ()), lambda v: v["A"][2, 1]),
    "n x": (multiply(size_of("n"), x), lambda v: 3 * v["x"]),
    "x^5": (power(x, 5), lambda v: v["x"] ** 5),
    "x^-½": (power(x, Fraction(-1, 2)), lambda v: v["x"] ** -0.5),
    "sum of an outer product": (product([(x, (0,)), (z, (1,))], (), ()), lambda v: v["x"].sum() * v["z"].sum()),
    "a delta between outputs": (
        product([(delta("n"), (0, 1)), (t, ())], ("n", "n"), (0, 1)),
        lambda v: v["t"] * torch.eye(3),
    ),
    "three axes, turned": (
        permute(product([(A, (0, 1)), (y, (2,))], ("m", "n", "n"), (0, 1, 2)), (2, 0, 1)),
        lambda v: torch.einsum("ij,k->kij", v["A"], v["y"]),
    ),
    "basis squared": (multiply(basis("n", 1), basis("n", 1)), lambda v: torch.eye(3, dtype=torch.float64)[1]),
    "two basis vectors": (dot(basis("n", 1), basis("n", 2)), lambda v: torch.zeros((), dtype=torch.float64)),
    "power of a sum, turned": (
        transpose(power(add([(1, X), (1, B)], X.shape), -1)),
        lambda v: ((v["X"] + v["B"]) ** -1).T,
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_value(case: str) -> None:
    node, of = VALUES[case]
    found = value(node)
    wanted = of(values())
    assert found.shape == wanted.shape and torch.allclose(found, wanted.double())


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_every_order_of_factors_and_axes_has_one_value(order: tuple[int, ...]) -> None:
    factors = [(A, (10, 20)), (B, (20, 30)), (y, (30,))]
    node = product([factors[k] for k in order], ("m",), (10,))
    assert torch.allclose(value(node), values()["A"] @ values()["B"] @ values()["y"])


def test_numbers_stand_in_sums_only() -> None:
    node = product([(scale(2, A), (0, 1)), (scale(Fraction(1, 3), x), (1,))], ("m",), (0,))
    assert isinstance(node, Sum) and node.terms[0][0] == Fraction(2, 3)
    assert not any(isinstance(part, Sum) for part in ordered(node.terms[0][1]))


def test_no_delta_with_a_summed_index_is_left() -> None:
    node = product([(delta("n"), (0, 1)), (delta("n"), (1, 2)), (X, (2, 3)), (delta("n"), (3, 4))], ("n", "n"), (0, 4))
    assert node is X
    kept = product([(delta("n"), (0, 1)), (x, (1,))], ("n", "n"), (0, 1))
    assert sum(isinstance(part, Delta) for part in ordered(kept)) == 1


def test_a_sum_inside_a_product_is_kept_whole() -> None:
    residual = add([(1, mv(A, x)), (-1, z)], ("m",))
    node = product([(A, (0, 1)), (residual, (0,))], ("n",), (1,))
    assert isinstance(node, Product) and residual in ordered(node)


def test_powers_beyond_four_are_one_node() -> None:
    assert isinstance(power(x, 5), Power) and isinstance(power(x, 4), Product)
    assert isinstance(multiply(power(x, 4), x), Power)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (0.1, Fraction(1, 10)),
        (1 / 3, Fraction(1, 3)),
        (2, Fraction(2)),
        (0.30000000000000004, 0.30000000000000004),
        (2**0.5, 2**0.5),
    ],
)
def test_exact_numbers(given: float, wanted: object) -> None:
    assert exact(given) == wanted and type(exact(given)) is type(wanted)
    assert float(exact(given)) == given


SIZE_ERRORS = {
    "labels": lambda: product([(A, (0, 1)), (z, (1,))], ("m",), (0,)),
    "terms": lambda: add([(1, A), (1, B)], A.shape),
}


@pytest.mark.parametrize("case", SIZE_ERRORS)
def test_sizes_that_do_not_fit_are_refused(case: str) -> None:
    with pytest.raises(ValueError, match=r"sizes|shape"):
        SIZE_ERRORS[case]()


def test_substitute_and_resized() -> None:
    quadratic = product([(x, (0,)), (B, (0, 1)), (x, (1,))], (), ())
    put_in = substitute(quadratic, {"B": mm(transpose(A), A)})
    v = values()
    assert torch.allclose(value(put_in), v["x"] @ v["A"].T @ v["A"] @ v["x"])
    swapped = resized(mv(A, x), {"n": "m", "m": "n"})
    assert swapped.shape == ("n",)
    counted = resized(multiply(size_of("n"), t), {"n": "k"})
    assert any(isinstance(part, SizeOf) and part.letter == "k" for part in ordered(counted))
