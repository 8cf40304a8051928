"""Matching: one function written many ways is one identity, its bindings give f back, and near misses are not named."""

from __future__ import annotations

import random

import pytest
import torch
from corefixtures import difference, match_of, run_code, squeezed, traced, writer, written

from matmagic.expr import Leaf, Node, Product, Sum, add, leaf, product, transpose
from matmagic.identified import matched
from matmagic.identities import Identity, identities
from matmagic.match import match
from matmagic.report import gradcheck
from matmagic.walk import leaves, substitute, transform

# identity: shapes, variable, ways to write it
WAYS = {
    "quadratic form": [
        (
            "x: n, A: n n",
            "x",
            [
                "x @ A @ x",
                "torch.einsum('i,ij,j', x, A, x)",
                "x.dot(A.mv(x))",
                "torch.dot(A @ x, x)",
                "(x * (A @ x)).sum()",
                "x @ A.T @ x",
                "torch.trace(torch.outer(x, x) @ A)",
                "(torch.outer(x, x) * A).sum()",
                "sum(x[i] * A[i, j] * x[j] for i in range(x.shape[0]) for j in range(x.shape[0]))",
                "g = lambda u, v: u @ A @ v\nreturn g(x, x)",
                "x[None, :] @ A @ x",
                "torch.tensordot(x, A @ x, 1)",
                "-(x @ (-A) @ x)",
            ],
        ),
        (
            "x: n 1, A: n n",
            "x",
            [
                "x.T @ A @ x",
                "(x * (A @ x)).sum()",
                "torch.trace(x.T @ A @ x)",
                "(x.T @ (A @ x)).squeeze()",
                "torch.mm(x.T, torch.mm(A, x))[0, 0]",
            ],
        ),
        ("x: 1 n, A: n n", "x", ["x @ A @ x.T", "(x @ A * x).sum()"]),
        (
            "x: n, B: m n",
            "x",
            [
                "x @ B.T @ B @ x",
                "torch.einsum('i,ki,kj,j', x, B, B, x)",
                "(B @ x).pow(2).sum()",
                "torch.norm(B @ x) ** 2",
                "sum((row @ x) ** 2 for row in B)",
            ],
        ),
        (
            "x: n, A: n n, B: n n, C: n n",
            "x",
            ["x @ (A + B) @ x", "x @ A @ B @ x", "2 * x @ A @ C @ x", "x @ A @ x / 3"],
        ),
    ],
    "least squares": [
        (
            "x: n, A: m n, b: m",
            "x",
            [
                "((A @ x - b) ** 2).sum()",
                "(A @ x - b) @ (A @ x - b)",
                "torch.norm(A @ x - b) ** 2",
                "((b - A @ x) ** 2).sum()",
                "(A @ x - b).square().sum()",
                "torch.nn.functional.mse_loss(A @ x, b, reduction='sum')",
                "torch.linalg.norm(b - A @ x) ** 2",
                "sum((A[i] @ x - b[i]) ** 2 for i in range(A.shape[0]))",
                "r = A @ x - b\nreturn r @ r",
                "((A @ x + b) ** 2).sum()",
            ],
        ),
        (
            "x: n 1, A: m n, b: m 1",
            "x",
            ["(A @ x - b).T @ (A @ x - b)", "((A @ x - b) ** 2).sum()", "torch.norm(A @ x - b) ** 2"],
        ),
        ("x: n, A: m n, B: k m, b: k", "x", ["((B @ A @ x - b) ** 2).sum()"]),
    ],
    "mean squared error": [
        (
            "x: n, A: m n, b: m",
            "x",
            [
                "((A @ x - b) ** 2).mean()",
                "torch.nn.functional.mse_loss(A @ x, b)",
                "((A @ x - b) ** 2).sum() / A.shape[0]",
                "((A @ x - b) ** 2).sum() / b.numel()",
            ],
        )
    ],
    "ridge regression": [
        (
            "x: n, A: m n, b: m, c:",
            "x",
            ["((A @ x - b) ** 2).sum() + c * (x @ x)", "c * x.square().sum() + torch.norm(b - A @ x) ** 2"],
        )
    ],
    "linear form": [
        (
            "x: n, a: n, B: n m, z: m",
            "x",
            [
                "a @ x",
                "x @ a",
                "(a * x).sum()",
                "3 * (a @ x)",
                "torch.einsum('i,i', a, x)",
                "x[0] + 0 * x[1]",
                "x @ (a + B @ z)",
            ],
        )
    ],
    "linear map": [
        (
            "x: n, A: m n, B: n n",
            "x",
            [
                "A @ x",
                "x @ A.T",
                "torch.einsum('ij,j->i', A, x)",
                "A @ B @ x",
                "2 * (A @ x)",
                "torch.stack([A[i] @ x for i in range(A.shape[0])])",
                "(A * x).sum(1)",
            ],
        )
    ],
    "bilinear form in the matrix": [
        (
            "X: m n, a: m, b: n",
            "X",
            [
                "a @ X @ b",
                "torch.trace(X @ torch.outer(b, a))",
                "(torch.outer(a, b) * X).sum()",
                "b @ X.T @ a",
                "torch.einsum('i,ij,j', a, X, b)",
            ],
        )
    ],
    "trace of A X B X": [
        (
            "X: m n, A: n m, B: n m",
            "X",
            [
                "torch.trace(A @ X @ B @ X)",
                "torch.trace(X @ B @ X @ A)",
                "torch.einsum('ij,jk,kl,li', A, X, B, X)",
                "(A @ X @ B * X.T).sum()",
            ],
        )
    ],
    "trace of A X A X": [
        (
            "X: m n, A: n m",
            "X",
            ["torch.trace(A @ X @ A @ X)", "torch.trace(X @ A @ X @ A)", "torch.trace(torch.matmul(A @ X, A @ X))"],
        )
    ],
    "trace of a product": [
        (
            "X: m n, A: n m, B: m k, C: k n",
            "X",
            ["torch.trace(X @ A)", "(X * A.T).sum()", "torch.trace(A @ X)", "torch.einsum('ij,ji', X, A)"],
        )
    ],
    "trace of the square": [("X: n n", "X", ["torch.trace(X @ X)", "(X * X.T).sum()", "torch.einsum('ij,ji', X, X)"])],
    "square of the trace": [("X: n n", "X", ["torch.trace(X) ** 2", "torch.trace(X) * X.diagonal().sum()"])],
    "squared Frobenius norm": [
        (
            "X: m n",
            "X",
            [
                "(X ** 2).sum()",
                "torch.norm(X) ** 2",
                "torch.trace(X.T @ X)",
                "torch.trace(X @ X.T)",
                "(X * X).sum()",
                "X.reshape(-1) @ X.reshape(-1)",
            ],
        )
    ],
    "squared norm": [
        (
            "x: n",
            "x",
            [
                "x @ x",
                "(x ** 2).sum()",
                "torch.norm(x) ** 2",
                "sum(v * v for v in x)",
                "torch.trace(torch.outer(x, x))",
            ],
        )
    ],
    "Euclidean norm": [
        (
            "x: n",
            "x",
            ["torch.norm(x)", "x.norm()", "torch.sqrt(x @ x)", "(x ** 2).sum() ** 0.5", "torch.linalg.vector_norm(x)"],
        )
    ],
    "Rayleigh quotient": [("x: n, A: n n", "x", ["(x @ A @ x) / (x @ x)", "x @ A @ x / torch.norm(x) ** 2"])],
    "sum of entries": [("x: n", "x", ["x.sum()", "torch.ones(x.shape[0]) @ x", "sum(x)"])],
    "identity map": [("x: n", "x", ["1 * x", "x.clone()", "torch.eye(x.shape[0]) @ x"])],
    "diagonal scaling": [("x: n, w: n", "x", ["w * x", "torch.diag(w) @ x", "x * w"])],
    "weighted squared distance": [("x: n, s: n, W: n n", "x", ["(x - s) @ W @ (x - s)", "(s - x) @ W @ (s - x)"])],
}

CASES = [
    (name, shapes, variable, code)
    for name, groups in WAYS.items()
    for shapes, variable, codes in groups
    for code in codes
]


@pytest.mark.parametrize(("name", "shapes", "variable", "code"), CASES)
def test_one_function_written_many_ways_is_one_identity(name: str, shapes: str, variable: str, code: str) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own), variable)
    assert match is not None and match.name == name
    inputs = own.inputs(own.sizes(), 7)
    assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10
    for code_of_binding in match.bindings.values():
        run_code(code_of_binding, inputs)


BINDINGS = [
    ("x @ B.T @ B @ x", "x: n, B: m n", "x", {"A": "B.T @ B"}),
    ("(B @ x).pow(2).sum()", "x: n, B: m n", "x", {"A": "B.T @ B"}),
    ("a @ X @ b", "X: m n, a: m, b: n", "X", {"a": "a", "b": "b"}),
    ("torch.trace(A @ X @ B @ X)", "X: m n, A: n m, B: n m", "X", {"A": "A", "B": "B"}),
    ("((C @ x - d) ** 2).sum()", "x: n, C: m n, d: m", "x", {"A": "C", "b": "d"}),
    ("((A @ x + b) ** 2).sum()", "x: n, A: m n, b: m", "x", {"A": "A", "b": "-b"}),
    ("2 * (x @ M @ x)", "x: n, M: n n", "x", {"A": "M"}),
    ("x @ (P + Q) @ x", "x: n, P: n n, Q: n n", "x", {"A": "P + Q"}),
]


@pytest.mark.parametrize(("code", "shapes", "variable", "bindings"), BINDINGS)
def test_bindings(code: str, shapes: str, variable: str, bindings: dict[str, str]) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own), variable)
    assert match is not None
    inputs = own.inputs(own.sizes(), 7)
    for name, expected in bindings.items():
        found, wanted = run_code(match.bindings[name], inputs), run_code(expected, inputs)
        turned = (
            wanted.T if wanted.dim() == 2 and "trace" not in code and wanted.shape[0] == wanted.shape[1] else wanted
        )
        assert min(difference(found, wanted), difference(found, turned)) < 1e-12, match.bindings


# function and an identity that it is not
NEAR_MISSES = [
    ("x @ A @ y", "x: n, A: n n, y: n", "x", "quadratic form"),
    ("(x @ A @ x) ** 2", "x: n, A: n n", "x", "quadratic form"),
    ("x @ A @ x + x.sum() ** 3", "x: n, A: n n", "x", "quadratic form"),
    ("x @ A @ x + 1 / (1 + x @ x)", "x: n, A: n n", "x", "quadratic form"),
    ("torch.trace(A @ X @ B @ X.T)", "X: n n, A: n n, B: n n", "X", "trace of A X B X"),
    ("torch.trace(A @ X @ A.T @ X)", "X: n n, A: n n", "X", "trace of A X A X"),
    ("torch.trace(A @ X @ B @ X)", "X: n n, A: n n, B: n n", "X", "trace of A X A X"),
    ("torch.trace(A @ X) ** 2", "X: n n, A: n n", "X", "trace of A X A X"),
    ("torch.trace(A @ A @ X @ X)", "X: n n, A: n n", "X", "trace of A X A X"),
    ("torch.trace(X @ X)", "X: n n", "X", "square of the trace"),
    ("torch.trace(X) ** 2", "X: n n", "X", "trace of the square"),
    ("torch.trace(X @ X.T)", "X: n n", "X", "trace of the square"),
    ("torch.trace(X * X)", "X: n n", "X", "squared Frobenius norm"),
    ("(A @ x - b) @ (B @ x - b)", "x: n, A: m n, B: m n, b: m", "x", "least squares"),
    ("(A @ x - b) @ (A @ x - c)", "x: n, A: m n, b: m, c: m", "x", "least squares"),
    ("((A @ x - b) ** 4).sum()", "x: n, A: m n, b: m", "x", "least squares"),
    ("((A @ x - b) ** 2).sum() / 7", "x: n, A: m n, b: m", "x", "mean squared error"),
    ("((A @ x - b) ** 2).sum() / A.shape[1]", "x: n, A: m n, b: m", "x", "mean squared error"),
    ("x @ x.sum().reshape(1).expand(1) if False else (x * x * x).sum()", "x: n", "x", "squared norm"),
    ("(x @ A @ x) / (x @ x) ** 2", "x: n, A: n n", "x", "Rayleigh quotient"),
    ("(x @ A @ x) / (x @ B @ x)", "x: n, A: n n, B: n n", "x", "Rayleigh quotient"),
    ("y.sum() * x", "x: n, y: n", "x", "diagonal scaling"),
    ("x.sum() * y", "x: n, y: n", "x", "diagonal scaling"),
    ("x.sum() * y", "x: n, y: n", "x", "scalar function times vector"),
    ("(a @ x) * y", "x: n, y: n, a: n", "x", "scalar function times vector"),
    ("torch.norm(x) * x", "x: n", "x", "normalised vector"),
    ("x / torch.norm(y)", "x: n, y: n", "x", "normalised vector"),
    ("torch.outer(y, x).sum(0) * 1 + x", "x: n, y: n", "x", "linear map"),
    ("x @ B", "x: n, B: n m", "B", "linear map"),
    ("(a @ x) * (x @ b) * (a @ b)", "x: n, a: n, b: n", "a", "linear form"),
]


@pytest.mark.parametrize(("code", "shapes", "variable", "name"), NEAR_MISSES)
def test_near_misses_are_not_named(code: str, shapes: str, variable: str, name: str) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own), variable)
    assert match is None or match.name != name
    if match is not None:
        inputs = own.inputs(own.sizes(), 7)
        assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10


NO_CRASH = [
    ("(z @ (-x[None, :])).sum(1, keepdim=True)", "x: n, z: m 1", "x"),
    ("torch.outer(x, z[0]).mean(0).reshape(-1, 1)", "x: n, z: 1 m", "x"),
    ("torch.outer(A[1], z) @ (torch.eye(z.shape[0]).sum(1) ** 2)", "A: m n, z: m", "A"),
    ("x.sum() * z", "x: n, z: m", "x"),
]


@pytest.mark.parametrize(("code", "shapes", "variable"), NO_CRASH)
def test_no_match_is_no_crash(code: str, shapes: str, variable: str) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own), variable)
    if match is not None:
        inputs = own.inputs(own.sizes(), 7)
        assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10


def test_a_function_without_the_variable_has_no_identity() -> None:
    own = written("y @ y", "x: n, y: n")
    assert match_of(own, traced(own), "x") is None


# functions that no rewriting joins, by their value; with the rows' names
TWINS = {
    "log-sum-exp": [("x: n", "x", ["torch.logsumexp(x, 0)", "torch.log(torch.exp(x).sum())", "x.exp().sum().log()"])],
    "softmax": [
        ("x: n", "x", ["torch.softmax(x, 0)", "torch.exp(x) / torch.exp(x).sum()", "F.log_softmax(x, 0).exp()"])
    ],
    "log-determinant": [
        (
            "X: n n",
            "X",
            [
                "torch.logdet(X)",
                "torch.log(torch.det(X))",
                "torch.linalg.det(X).log()",
                "-torch.logdet(torch.linalg.inv(X))",
            ],
        )
    ],
    "logistic loss": [
        (
            "w: n, X: m n, y: m",
            "w",
            [
                "(F.softplus(X @ w) - y * (X @ w)).sum()",
                "F.softplus(X @ w).sum() - y @ X @ w",
                "F.binary_cross_entropy_with_logits(X @ w, y, reduction='sum')",
                "-(y * torch.log(torch.sigmoid(X @ w)) + (1 - y) * torch.log(1 - torch.sigmoid(X @ w))).sum()",
                "(torch.log(1 + torch.exp(X @ w)) - y * (X @ w)).sum()",
                "-(y * F.logsigmoid(X @ w) + (1 - y) * F.logsigmoid(-(X @ w))).sum()",
            ],
        )
    ],
    "sum of sigmoids": [
        (
            "x: n",
            "x",
            ["torch.sigmoid(x).sum()", "(1 / (1 + torch.exp(-x))).sum()", "(x.exp() / (1 + x.exp())).sum()"],
        )
    ],
    "Euclidean norm": [("x: n", "x", ["torch.norm(x)", "(x ** 2).sum().sqrt()", "torch.linalg.vector_norm(x)"])],
}
TWIN_CASES = [
    (name, shapes, variable, code)
    for name, groups in TWINS.items()
    for shapes, variable, codes in groups
    for code in codes
]


@pytest.mark.parametrize(("name", "shapes", "variable", "code"), TWIN_CASES)
def test_what_is_written_with_other_functions_is_the_same_identity(
    name: str, shapes: str, variable: str, code: str
) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own, positive=True), variable)
    assert match is not None and match.name == name
    inputs = own.inputs(own.sizes(), 7, positive=True)
    inputs = {
        n: t + 6 * torch.eye(*t.shape) if t.ndim == 2 else t for n, t in inputs.items()
    }  # of positive determinant
    assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10


FACTORS = [  # code, shapes, name, factor, offset
    ("((A @ x - b) ** 2).sum() / 2", "x: n, A: m n, b: m", "least squares", "½"),
    ("7 - c * ((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m, c:", "least squares", "−c"),
    ("-(x @ A @ x) + b @ b", "x: n, A: n n, b: n", "quadratic form", "−1"),
    ("3 * torch.trace(A) * (x @ A @ x)", "x: n, A: n n", "quadratic form", "3 tr(A)"),
    ("x @ A @ x", "x: n, A: n n", "quadratic form", ""),
    ("3 * ((A @ x - b) ** 2).mean() + 2", "x: n, A: m n, b: m", "mean squared error", "3"),
    (
        "4 * ((x - m) @ torch.linalg.inv(S) @ (x - m) + torch.logdet(S + S.T))",
        "x: n, m: n, S: n n",
        "squared Mahalanobis distance",
        "4",
    ),
    (
        "3 * torch.logdet(S) + 3 * (v - x) @ torch.linalg.inv(S) @ (v - x)",
        "x: n, v: n, S: n n",
        "Gaussian log-likelihood in the mean",
        "−6",
    ),
]


@pytest.mark.parametrize(("code", "shapes", "name", "factor"), FACTORS)
def test_a_multiple_of_an_identity_and_what_is_constant_beside_it(
    code: str, shapes: str, name: str, factor: str
) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own), "x")
    assert match is not None and (match.name, match.factor_text) == (name, factor)
    inputs = own.inputs(own.sizes(), 7)
    inputs = {
        n: t + 6 * torch.eye(*t.shape) if t.ndim == 2 else t for n, t in inputs.items()
    }  # of positive determinant
    assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10


HESSIANS = [
    ("x @ A @ x + b @ x", "x: n, A: n n, b: n", "Hessian of a quadratic form"),
    ("(x @ x) / 2 + 4", "x: n", "Hessian of the squared norm"),
    ("torch.norm(x) - b @ x", "x: n, b: n", "Hessian of the norm"),
]


@pytest.mark.parametrize(("code", "shapes", "name"), HESSIANS)
def test_a_hessian_does_not_see_what_is_linear(code: str, shapes: str, name: str) -> None:
    own = written(code, shapes)
    found = traced(own)
    match = matched(found, "x", writer(own, found), (), 2)
    assert match is not None and match.name == name
    inputs = own.inputs(own.sizes(), 7)
    assert difference(squeezed(run_code(match.statement, inputs)), squeezed(own(inputs))) < 1e-10


KINKED = [  # equal to a function with a name where the signs are right
    ("torch.relu(x) @ A @ x", "x: n, A: n n", "x"),
    ("torch.abs(x).sum()", "x: n", "x"),
    ("torch.relu(A @ x)", "x: n, A: m n", "x"),
    ("torch.clamp(x, -10, 10)", "x: n", "x"),
    ("torch.relu(x + 50).sum()", "x: n", "x"),
    ("torch.log(x ** 2).exp().sum()", "x: n", "x"),
    ("torch.exp(torch.log(x)).sum()", "x: n", "x"),
]


@pytest.mark.parametrize(("code", "shapes", "variable"), KINKED)
def test_an_identity_holds_for_both_signs(code: str, shapes: str, variable: str) -> None:
    own = written(code, shapes)
    match = match_of(own, traced(own, positive=True), variable)
    for seed, spread in enumerate((1, 60)):
        inputs = {name: spread * value for name, value in own.inputs(own.sizes(), seed).items()}
        right = squeezed(own(inputs))
        if match is not None and bool(right.isfinite().all()):
            assert difference(squeezed(run_code(match.statement, inputs)), right) < 1e-10


@pytest.mark.parametrize(
    "body, shapes",
    [
        ("A @ z + (torch.eye(A.shape[1]) - A) @ z", {"A": "n,n", "z": "n"}),  # A cancels
        ("F.one_hot(y, B.shape[1]).double() @ B[0] @ C @ torch.exp(z)", {"y": "d", "B": "m,n", "C": "d,d", "z": "d"}),
    ],
)
def test_functions_on_which_a_lookup_raised(body: str, shapes: dict[str, str]) -> None:
    """Found by random functions: what cancels, and labels among the values at which a match is proved."""
    names = ", ".join(shapes)
    space: dict[str, object] = {"torch": torch, "F": torch.nn.functional}
    exec(f"def f({names}): return {body}", space)
    assume = {"y": "index<n"} if "y" in shapes else {}
    report = gradcheck(space["f"], shapes=shapes, assume=assume)
    assert report["z"].code


def disguised(row: Identity, choose: random.Random) -> tuple[Node, Leaf, dict[str, str]]:
    """A row's function in other words: other names, matrices turned, factors and terms in another order.

    With what has to be declared of it.
    """
    named = leaves(row.node)
    variable = leaf("chi", named[row.wrt].shape)
    new: dict[str, Node] = {row.wrt: variable}
    given = dict(condition.split(" ") for condition in row.given)
    declared = {}
    for k, (name, own) in enumerate(named.items()):
        if name != row.wrt:
            turned = len(own.shape) == 2 and name not in given
            other = leaf(f"c{choose.randrange(1000)}_{k}", own.shape[::-1] if turned else own.shape)
            new[name] = transpose(other) if turned else other
            declared |= {other.name: given[name]} if name in given else {}

    def shuffled(part: Node) -> Node:
        match part:
            case Sum(terms=terms):
                return add(choose.sample(terms, len(terms)), part.shape)
            case Product(factors=factors, sizes=sizes):
                rank = len(part.shape)
                return product(choose.sample(factors, len(factors)), sizes[:rank], range(rank))
        return part

    node = transform(substitute(row.node, new), shuffled)
    return node, variable, declared


INSTANCES = [row.instances[0] for row in identities()]


@pytest.mark.parametrize("row", INSTANCES, ids=lambda row: row.name)
def test_every_row_is_found_in_other_words(row: Identity) -> None:
    """By itself, or by a row that differs in the orientation of constants only."""
    node, variable, declared = disguised(row, random.Random(row.name))
    found = match(node, variable, row.order, declared)
    assert found is not None and isinstance(found.identity, Identity)
    assert found.identity.pattern.key == row.pattern.key and found.identity.given == row.given


DECLARED = [  # function, shapes, variable, what is declared, what is said
    ("-torch.dot(y, F.log_softmax(z, 0))", "z: n, y: n", "z", {"y": "one-hot"}, "y simplex, which y is"),
    ("-torch.dot(y, F.log_softmax(z, 0))", "z: n, y: n", "z", {"y": "positive"}, "y simplex"),
    (
        "torch.trace(torch.linalg.inv(A + X.T @ C @ X) @ (X.T @ B @ X))",
        "X: m n, A: n n, B: m m, C: m m",
        "X",
        {"A": "diagonal", "B": "symmetric", "C": "positive-definite"},
        "A, B, C symmetric, which A, B and C are",
    ),
    (
        "torch.trace(torch.linalg.inv(A + X.T @ C @ X) @ (X.T @ B @ X))",
        "X: m n, A: n n, B: m m, C: m m",
        "X",
        {"B": "symmetric"},
        "A, B, C symmetric",
    ),
]


@pytest.mark.parametrize(("code", "shapes", "variable", "assumed", "said"), DECLARED)
def test_conditions_that_declared_properties_meet(
    code: str, shapes: str, variable: str, assumed: dict[str, str], said: str
) -> None:
    own = written(code, shapes)
    found = traced(own)
    match = matched(found, variable, writer(own, found), (), 1, assumed)
    assert match is not None and [condition for condition, _, _ in match.simpler] == [said]


CONDITIONS = [  # what is said of the simpler form
    ("x @ A @ x", "x: n, A: n n", (), "A symmetric"),
    ("x @ A @ x", "x: n, A: n n", ("A",), "A symmetric, which A is"),
    ("x @ B.T @ B @ x", "x: n, B: m n", (), "A symmetric, which Bᵀ B is"),
    ("x @ (B + B.T) @ x", "x: n, B: n n", (), "A symmetric, which B + Bᵀ is"),
    ("x @ B.T @ C @ x", "x: n, B: m n, C: m n", (), "A symmetric"),
]


@pytest.mark.parametrize(("code", "shapes", "symmetric", "said"), CONDITIONS)
def test_a_condition_that_structure_or_a_declared_property_meets(
    code: str, shapes: str, symmetric: tuple[str, ...], said: str
) -> None:
    own = written(code, shapes)
    found = match_of(own, traced(own), "x", symmetric)
    assert found is not None and [condition for condition, _, _ in found.simpler] == [said]
