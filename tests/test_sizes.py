"""Two traces made one: loops rolled up to sums over an index, numbers that are sizes found, anything else refused."""

from __future__ import annotations

import pytest
from corefixtures import difference, laid_out, same, squeezed, traced, truth, value_of, written

from matmagic.differentiate import differentiate
from matmagic.errors import TraceError
from matmagic.expr import Basis, SizeOf
from matmagic.walk import ordered

SHAPES = "x: n, y: n, z: m, A: m n, B: n n"

# a loop, and the same function without one
LOOPS = {
    "sum(x[i] for i in range(x.shape[0]))": "x.sum()",
    "sum(x[i] * y[i] for i in range(x.shape[0]))": "x @ y",
    "sum(x[i] ** 2 for i in range(len(x)))": "x @ x",
    "sum(x)": "x.sum()",
    "sum(a * b for a, b in zip(x, y))": "x @ y",
    "sum(B[i, i] for i in range(B.shape[0]))": "torch.trace(B)",
    "sum(B[i, j] * x[i] * x[j] for i in range(B.shape[0]) for j in range(B.shape[0]))": "x @ B @ x",
    "sum(A[i, j] for i in range(A.shape[0]) for j in range(A.shape[1]))": "A.sum()",
    "sum(A[i, j] * z[i] * x[j] for j in range(A.shape[1]) for i in range(A.shape[0]))": "z @ A @ x",
    "sum(A[i] @ x for i in range(A.shape[0]))": "(A @ x).sum()",
    "sum((A[i] @ x - z[i]) ** 2 for i in range(A.shape[0]))": "((A @ x - z) ** 2).sum()",
    "sum((row @ x - b) ** 2 for row, b in zip(A, z)) / A.shape[0]": "((A @ x - z) ** 2).mean()",
    "torch.stack([A[i] @ x for i in range(A.shape[0])])": "A @ x",
    "torch.stack([x[i] ** 2 for i in range(x.shape[0])])": "x ** 2",
    "torch.stack([2 * v for v in x])": "2 * x",
    "torch.stack([A[i] for i in range(A.shape[0])])": "1 * A",
    "torch.stack([A[:, j] for j in range(A.shape[1])])": "1 * A.T",
    "torch.stack([torch.stack([x[i] * z[j] for j in range(z.shape[0])]) for i in range(x.shape[0])])": "torch.outer(x, z)",
    "3 * sum(x[i] for i in range(x.shape[0])) + x[0]": "3 * x.sum() + x[0]",
    "sum(x[i] * x[0] for i in range(x.shape[0]))": "x.sum() * x[0]",
    "sum((x - x[i]) @ (x - x[i]) for i in range(x.shape[0]))": "((x[:, None] - x) ** 2).sum()",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_over_every_entry_is_a_sum_over_an_index(loop: str) -> None:
    own = written(loop, SHAPES)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 5)
    assert difference(laid_out(value_of(found.node, found, inputs, sizes), found), own(inputs)) < 1e-11
    slope = value_of(differentiate(found.node, found.inputs["x"][0]), found, inputs, sizes)
    assert difference(squeezed(slope), squeezed(truth(own, inputs, "x"))) < 1e-11


ONE_KEY = [loop for loop in LOOPS if "x - x[i]" not in loop and "x[0]" not in loop]


@pytest.mark.parametrize("loop", ONE_KEY)
def test_a_loop_has_the_key_of_what_it_computes(loop: str) -> None:
    assert same(loop, LOOPS[loop], SHAPES)
    assert not any(isinstance(part, Basis) for part in ordered(traced(loop, SHAPES).node))


@pytest.mark.parametrize("power", ["** 2", "** 3", "** -1", "* s", "** 0.5"])
def test_a_product_over_every_entry_may_stand_in_a_power(power: str) -> None:
    own = written(f"s = 1.0\nfor v in z:\n    s = s * (1 + 0.1 * torch.sin(v))\nreturn s {power}", SHAPES)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 5)
    slope = value_of(differentiate(found.node, found.inputs["z"][0]), found, inputs, sizes)
    assert difference(squeezed(slope), squeezed(truth(own, inputs, "z"))) < 1e-11


USED_ON = {
    "a stack in a product": "(torch.stack([x[i] ** 2 for i in range(x.shape[0])]) * y).sum()",
    "a stack in a matrix product": "B @ torch.stack([x[i] * y[i] for i in range(x.shape[0])])",
    "a stack in a sum": "torch.stack([x[i] ** 2 for i in range(x.shape[0])]) + y",
    "an entry of a stack": "torch.stack([x[i] ** 2 for i in range(x.shape[0])])[1]",
    "a stack in a loop": "r = torch.stack([x[i] ** 2 for i in range(x.shape[0])])\nsum(r[i] * y[i] for i in range(x.shape[0]))",
    "a stack on a diagonal": "torch.diag(torch.stack([x[i] ** 2 for i in range(x.shape[0])]))",
    "a stack under a root": "torch.sqrt(1 + torch.stack([x[i] ** 2 for i in range(x.shape[0])]) ** 2)",
}


@pytest.mark.parametrize("case", USED_ON)
def test_a_stack_that_is_used_again_is_followed_or_refused(case: str) -> None:
    """Never an exception that is no message."""
    own = written(USED_ON[case], SHAPES)
    try:
        found = traced(own)
    except TraceError:
        return
    sizes = own.sizes()
    inputs = own.inputs(sizes, 5)
    assert difference(laid_out(value_of(found.node, found, inputs, sizes), found), own(inputs)) < 1e-11


NUMBERS = {
    "x.sum() / x.shape[0]": "x.mean()",
    "x.sum() * (1 / x.shape[0])": "x.mean()",
    "(x @ x) / (2 * x.shape[0])": "0.5 * (x ** 2).mean()",
    "(x @ x) / (x.shape[0] - 1)": None,
    "(x @ x) * (x.shape[0] - 1)": None,
    "x / x.shape[0] ** 0.5": None,
    "(B @ x) / math.sqrt(x.shape[0])": None,
    "x.shape[0] * x": None,
    "x.shape[0] ** 2 * x": None,
    "A.sum() / (A.shape[0] * A.shape[1])": "A.mean()",
    "A.sum() / A.numel()": "A.mean()",
    "A.sum() * A.shape[0] * A.shape[1]": None,
    "x - x.sum() / len(x)": "x - x.mean()",
    "(x - x.mean()) @ (x - x.mean()) / (x.shape[0] - 1)": None,
    "0.5 * x @ x / z.shape[0]": None,
    "1.5 * x": None,
    "x.sum() / 10": None,
    "A.sum() / x.size(0)": "A.mean(1).sum()",
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_that_are_sizes_are_found(case: str) -> None:
    own = written(case, SHAPES)
    found = traced(own)
    sizes = own.sizes((11, 3, 13, 17, 19))
    inputs = own.inputs(sizes, 5)
    assert difference(laid_out(value_of(found.node, found, inputs, sizes), found), own(inputs)) < 1e-11
    assert any(isinstance(part, SizeOf) for part in ordered(found.node)) == (
        "shape" in case or "len" in case or "num" in case or "mean" in case or "size" in case
    )
    other = NUMBERS[case]
    assert other is None or same(case, other, SHAPES)


REFUSED = {
    "half of the loop": "sum(x[i] for i in range(x.shape[0] // 2))",
    "all but one": "sum(x[i] for i in range(x.shape[0] - 1))",
    "neighbours": "sum(x[i] * x[i + 1] for i in range(x.shape[0] - 1))",
    "a triangle": "sum(B[i, j] for i in range(B.shape[0]) for j in range(i))",
    "weights by position": "sum((i + 1) * x[i] for i in range(x.shape[0]))",
    "the last entry": "x[x.shape[0] - 1]",
    "a power that is a size": "(x @ y) ** x.shape[0]",
    "another function beyond a size": "x @ x if x.shape[0] > 5 else x @ y",
    "another order of a product": "A @ x if x.shape[0] > 5 else 2 * A @ x",
    "factorial of a size": "x * math.factorial(x.shape[0])",
    "a logarithm of a size": "x * math.log(x.shape[0])",
    "even sizes": "x @ x if x.shape[0] % 2 else 3 * x @ x",
    "transposed at some sizes": "x @ B @ y if x.shape[0] > 5 else y @ B @ x",
    "a matrix power": "M = B\nfor _ in range(B.shape[0]):\n    M = M @ B\nreturn torch.trace(M)",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_structure_that_depends_on_the_sizes_is_refused(case: str) -> None:
    own = written(REFUSED[case], SHAPES)
    try:
        found = traced(own)
    except TraceError as error:
        assert ("other sizes" in str(error) and "--shapes" in str(error)) or "line" in str(error)
        return
    for numbers in ((5, 8, 7, 6, 11), (8, 5, 6, 7, 9), (11, 3, 4, 5, 6)):  # followed: then right at every size
        sizes = own.sizes(numbers)
        inputs = own.inputs(sizes, 5)
        assert difference(laid_out(value_of(found.node, found, inputs, sizes), found), own(inputs)) < 1e-11


def test_fixed_sizes_need_no_second_run() -> None:
    own = written("sum(x[i] * x[i + 1] for i in range(3))", "x: 4")
    found = traced(own)
    inputs = own.inputs({}, 5)
    assert difference(value_of(found.node, found, inputs, {}), own(inputs)) < 1e-12
