"""Random functions: each derivative's code against autograd, formulas read back from text and LaTeX, notes that are true.

`python tests/bench/fuzz.py` goes through thousands, and shows one of them by its seed and number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fuzzing import Running, Tally, code_problem, found_of, is_nonlinear, note_problems, report_of, setting_of, usable
from randomfunctions import CATEGORIES, RandomFunction, build, rows

COUNT = 300
LARGEST = 3  # operations that are asked for; each brings more that it needs, and the bench goes further
SHARE = 0.9  # of the functions have a closed form
NONLINEAR = 0.4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def functions(count: int, seed: str) -> Iterator[RandomFunction]:
    """The usable ones among random functions."""
    choose = random.Random(seed)
    while count:
        made = build(choose, LARGEST)
        if usable(made):
            count -= 1
            yield made


def test_random_functions() -> None:
    """Nothing wrong is said of any, none raises, and most have a closed form."""
    tally = Tally()
    for made in functions(COUNT, "all"):
        found = found_of(made)
        tally.add(found)
        assert not found.wrong, "\n".join([str(made), *found.wrong])
    assert tally.share >= SHARE, f"{tally}\n" + "\n\n".join(str(found.made) for found in tally.open)
    assert tally.nonlinear >= NONLINEAR * tally.functions
    assert not tally.unread, "\n\n".join(tally.unread)


def test_the_functions_are_of_many_kinds() -> None:
    """Every category of rows, each shape of a result, columns, properties, Hessians, statements."""
    made = [build(random.Random(seed)) for seed in range(250)]
    sources = "\n".join(f.source for f in made)
    for word in (
        "einsum",
        "softmax",
        "norm",
        "inv",
        "for ",
        "F.",
        "where",
        "clone()",
        "cat",
        "[:, None]",
        ".shape[",
        "len(",
    ):
        assert word in sources, word
    assert {len(f.result) for f in made} >= {0, 1, 2}
    assert sum(("n", 1) in f.shapes.values() for f in made) > 12
    assert sum(f.order == 2 for f in made) > 6
    assert {"positive", "positive-definite", "symmetric", "index<n"} <= {p for f in made for p in f.assume.values()}
    assert sum(len(rows(table)) for table, _ in CATEGORIES.values()) > 400


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_gives_one_function(seed: int) -> None:
    assert build(random.Random(seed)) == build(random.Random(seed))


def test_the_functions_run_at_every_size() -> None:
    for made in functions(20, "sizes"):
        own = Running(made)
        shapes = {own(own.inputs(draw)).dim() for draw in range(3)}
        assert shapes == {len(made.result)}, made


# ---- what the fuzzer found, mended ------------------------------------------------------------------------------------

FOUND: dict[str, Any] = {  # source, shapes, assumptions, order
    "distances that are 0 for a symmetric matrix": (
        """def f(C, B):
    return torch.tanh((torch.where(C > C, B, 1.0) / torch.exp(-torch.cdist(B.mT, B) / 2))[:, :1])""",
        "C: n n, B: n n",
        {"B": "symmetric"},
    ),
    "tensors that the code of a derivative makes": (
        """def f(C, X, B, M):
    n = C.shape[0]
    m = B.shape[1]
    scores = B.softmax(-1) / torch.linalg.norm(M) @ torch.cummax(torch.ones(m), 0).values / m ** 0.5
    return F.linear(torch.eye(n) - C, X, torch.softmax(scores, 0))""",
        "C: n n, X: 2 n, B: 2 m, M: 2 m",
        {},
    ),
    "a switch that is off on every draw": (
        """def f(W, X, C, y):
    return torch.mean(torch.tensordot(W, X, dims=1) / torch.linalg.norm(F.silu(C))) * y""",
        "W: 3 2, X: 2 n, C: 3 n, y:",
        {"y": "binary"},
    ),
    "a gradient by a matrix that is next to nothing, not symmetric": (
        """def f(z, idx, W):
    z1 = torch.tensordot(W, z, dims=1)
    e = torch.exp(z1 - z1.max())
    return z[idx] @ (e / e.sum())""",
        "z: n, idx: n, W: n n",
        {"idx": "index<n"},
    ),
    "probabilities that are 0 or 1 far out": (
        """def f(C, v, y):
    z = C.clone()
    z.mul_(C).add_(0.3)
    h = z.matmul(v)
    return F.binary_cross_entropy(torch.sigmoid(h), y)""",
        "C: m m, v: m, y: m",
        {"y": "unit-interval"},
    ),
    "singular vectors beside an argument u": (
        """def f(u, v, A, y):
    r = torch.cumsum(torch.kron(u, v) - A.mean(0), dim=-1)
    return torch.linalg.norm(r / (y @ v[0][:, None].T).exp().sum(1, keepdim=True), 2)""",
        "u: m 1, v: 1 n, A: m n, y: m 1",
        {},
    ),
    "Kronecker products of which some meet the transpose": (
        """def f(A, u, v, B):
    l = []
    for i in range(len(A)):
        l.append(u[i])
    z = u
    for k in range(2):
        z = torch.tanh(z + u)
    return torch.roll(A + torch.outer(torch.stack(l), v) + torch.outer(B[-1], A.T @ z), 1, dims=0)""",
        "A: n 2, u: n, v: 2, B: m n",
        {},
    ),
    "a slice of a gated concatenation, by two indices": (
        """def f(W):
    gated = F.glu(torch.cat([W, W], 1))
    rows, columns = torch.triu_indices(len(W), len(W), 1)[0], torch.triu_indices(W.shape[1], len(W), 1)[1]
    return torch.square(gated[rows, columns].sum())""",
        "W: n n",
        {},
        2,
    ),
    "a function of a zero matrix": (
        """def f(x, C, B, W):
    m = W.shape[1]
    res = torch.sqrt(1 + C ** 2) ** (-2) * (B @ W @ F.layer_norm(torch.ones(m), (m,)))[:, None]
    return x @ torch.logsumexp(res, dim=1)""",
        "x: n, C: n 3, B: n 4, W: 4 m",
        {},
    ),
    "a function of what cancels": (
        "def f(B, y, W): return torch.logsumexp(B @ B - B @ B, (0, 1)) * (W @ torch.sigmoid(y))",
        "B: m m, y: 3, W: n 3",
        {},
    ),
    "a deviation that is 0 on a region": (
        "def f(x, C): return (F.mse_loss(x + 0 * C, C, reduction='none')).mean(0) @ C.clamp(min=0).std(0)",
        "x: n, C: n n",
        {},
    ),
    "a matrix whose eigenvectors are named": (
        """def f(B):
    a = F.normalize(B, dim=1)
    return torch.linalg.eigvalsh(a.T @ a + torch.eye(3))[-1]""",
        "B: n 3",
        {},
    ),
    "a variable that cancels": (
        "def f(z, v): return ((F.rms_norm(torch.outer(z, v), (v.shape[0],)) ** 2) ** 2).mean()",
        "z: n, v: m",
        {},
    ),
    "an index that only says how far another one runs": (
        """def f(C, W, v):
    r = torch.einsum('ij,k->ijk', torch.cat([C, W], dim=1), v)
    return (r ** 2).max(1).values""",
        "C: n n, W: n m, v: n",
        {},
    ),
    "a derivative by one number in a vector": (
        "def f(A, y, s): return torch.softmax(A @ y, 0) * y - F.prelu(y, s).mean()",
        "A: m m, y: m, s: 1",
        {},
    ),
    "a sum over a part of an axis": (
        "def f(C): return torch.einsum('ii->i', torch.sort(C.cumsum(0), dim=1).values)[:2].prod()",
        "C: n n",
        {},
    ),
    "sizes inside indices": (
        """def f(A, labels):
    d = A.shape[1]
    return F.cross_entropy(F.layer_norm(A / 3, (d,)), labels, reduction='none')""",
        "A: m d, labels: m",
        {"labels": "index<d"},
    ),
    "two Kronecker products of one side": (
        """def f(W):
    s = (W ** 2).sum(1)
    return s[:, None] + s[None, :] - 2 * W @ W.T""",
        "W: n 3",
        {},
    ),
    "an entry before brackets": (
        "def f(u, z, y): return torch.addcmul(u @ z, y[-1], u[0], value=2) * (y @ torch.diag(y) @ y)",
        "u: m, z: m, y: n",
        {},
    ),
    "a softmax over an index that only δ has": (
        """def f(C, y, idx):
    return torch.flip(F.cross_entropy(torch.diag(C @ y), idx, reduction='none'), dims=[0])""",
        "C: n n, y: n, idx: n",
        {"idx": "index<n"},
    ),
    "a Kronecker product with a cut identity": (
        """def f(u, w):
    z = torch.zeros_like(u)
    z[:-1] = torch.abs(u)[1:] ** 2
    return torch.einsum('i,j,k->ijk', z, torch.cummax(w, 0).values, u).sum(-1)""",
        "u: m, w: n",
        {},
    ),
    "ones inside vec": (
        "def f(A, B, z): return A.mean(0).softmax(0).unsqueeze(1) + F.log_softmax((B * z).diagonal(), dim=0)",
        "A: d m, B: n n, z: n",
        {},
    ),
    "the number of classes": (
        """def f(target, A, x):
    return (1 + torch.norm(torch.zeros(len(x)).index_add(0, target, A @ x))).sqrt()""",
        "target: m, A: m n, x: n",
        {"target": "index<n"},
    ),
    "a triangle of a matrix that isn't square": (
        """def f(u, B):
    r = torch.triu(torch.column_stack([u, B])).transpose(0, 1)
    return r.sigmoid().max()""",
        "u: n, B: n n",
        {},
    ),
    "a derivative that underflows": (
        """def f(B):
    h = torch.square(torch.einsum('ij,jk,ik->i', B, B, B))
    return -torch.log_softmax(h, dim=0)[-1]""",
        "B: m m",
        {},
    ),
    "a second derivative without a factor": (
        "def f(A, y, v): return (A - torch.outer(y, v).mean(1, keepdim=True)).var()",
        "A: m 2, y: m, v: 2",
        {},
        2,
    ),
    "an eigenvector, the last of d": (
        "def f(S): return torch.linalg.eigvalsh(S)[-1]",
        "S: d d",
        {"S": "positive-definite"},
    ),
    "a name that starts as an index": (
        """def f(t, C, W, x, idx):
    d1 = C[:, None, :] - W[None, :, :]
    return ((t * torch.exp(-(d1 ** 2).sum(-1) / 2) @ x - C.T.index_select(0, idx).sum(0)) ** 2).mean()""",
        "t: , C: d n, W: m n, x: m, idx: d",
        {"idx": "index<n"},
    ),
    "rows of an identity before brackets": (
        """def f(y, w, C, u, p):
    z1 = torch.zeros_like(w)
    z1[:-1] = torch.sort(C @ u).values[1:] ** 2
    return (torch.flip(y * y + 1, dims=[0]) * (z1 / (p + p))).sum()""",
        "y: 3, w: 3, C: 3 n, u: n, p: ",
        {"p": "positive"},
    ),
    "a slice of one entry": (
        """def f(C, v, y):
    return 2 * torch.softmax(C @ v / v.size(0) ** 0.5, 0).mul(y).add(y)[::2].sum()""",
        "C: 2 n, v: n, y: 2",
        {},
    ),
    "numbers of a term and of its body": (
        """def f(A, w, target):
    n = w.shape[0]
    z = torch.add(A, A, alpha=2).clone()
    z[0] = w
    c = z[target] - z[target].mean(1, keepdim=True)
    return torch.log(torch.linalg.det(c @ c.T / n + 0.1 * torch.eye(n)))""",
        "A: n n, w: n, target: n",
        {"target": "index<n"},
    ),
    "an entry as an exponent": (
        "def f(z, A, x): return (z.abs() + 1) ** (A @ x)",
        "z: n 1, A: n m, x: m 1",
        {},
    ),
    "a function of a zero vector": (
        "def f(lam, y, A, x): return (lam ** 2 + 1) ** F.softplus(-y * (A.T @ F.mse_loss(x, x, reduction='none'))).mean()",
        "lam: , y: d, A: 3 d, x: 3",
        {},
    ),
    "the last entry of a vector with an index": (
        "def f(d2): return torch.stack([d2[-1], d2 @ d2]).sum().abs() + d2[-1]",
        "d2: n",
        {},
    ),
    "a block of blocks beside a vector": (
        """def f(B, C, z, Y):
    z1 = C
    h = F.relu(B @ B.T @ torch.einsum('ji,j', C, z) + z)
    rolled, soft = torch.roll(z1 * z1.detach() @ h, 1), torch.softmax(B @ (Y.T @ B[1]) / Y.shape[0] ** 0.5, 0)
    return torch.stack([rolled, soft], dim=1).max(1).values""",
        "B: n m, C: n n, z: n, Y: m m",
        {"Y": "symmetric"},
    ),
    "lengths that blocks leave open": (
        """def f(u, C):
    h = torch.addmv(u, torch.tanh(C), u.pow(3)) / u.norm()
    return torch.cat([h[1:], h[:1]])""",
        "u: m, C: m m",
        {"C": "symmetric"},
    ),
    "exponentials beyond what floats hold": (
        """def f(B, A, z, C, labels):
    entropies = F.cross_entropy(C.T, labels, reduction='none')
    return torch.sqrt(1 + (B.T @ A.T) ** 2) @ z.mul(torch.logcumsumexp(entropies ** 4, 0)).add(z)""",
        "B: 2 n, A: m 2, z: m, C: m m, labels: m",
        {"labels": "index<m"},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str) -> None:
    source, shapes, assume, *order = FOUND[name]
    sizes = {n: tuple(map(_size, own.split())) for n, own in (part.split(":") for part in shapes.split(", "))}
    found = found_of(RandomFunction(source, sizes, assume, (), *order))
    assert not found.wrong and not found.unread, [*found.wrong, *found.unread]


def _size(text: str) -> str | int:
    return int(text) if text.isdigit() else text


# ---- the checks can fail ------------------------------------------------------------------------------------------

QUADRATIC = RandomFunction("def f(x, B):\n    return x @ B @ x", {"x": ("n",), "B": ("n", "n")}, {}, ())


class _Derivative:
    """A derivative with another code."""

    def __init__(self, code: str) -> None:
        self.code, self.variable = code, "x"


@pytest.mark.parametrize(
    "code", ["2 * B @ x", "-(B + B.T) @ x", "((B + B.T) @ x)[:, None]", "x @ y", "0 * x", "x / 0 * 0"]
)
def test_wrong_code_is_found(code: str) -> None:
    own = Running(QUADRATIC)
    inputs = own.inputs(0)
    right = own.derivative(inputs, "x")
    made: Any = _Derivative("(B + B.T) @ x")
    assert code_problem(made, own, inputs, right) is None
    made.code = code
    assert code_problem(made, own, inputs, right)


def test_a_misprint_is_found() -> None:
    own = Running(QUADRATIC)
    inputs = own.inputs(0)
    right = own.derivative(inputs, "x")
    setting = setting_of(QUADRATIC, inputs, right)
    assert not setting.problem("(B + Bᵀ) x")
    assert "is off by" in setting.problem("2 B x")


def test_a_false_note_is_found() -> None:
    constant = RandomFunction("def f(x, y):\n    return x @ x + 0 * y", {"x": ("n",), "y": ()}, {}, ())
    report = report_of(constant)
    assert note_problems(report, constant, zero={"y"}) == []
    assert note_problems(report, constant, zero=set())


def test_what_is_usable() -> None:
    """Not what is infinite somewhere, constant, or magnifies errors."""
    assert usable(QUADRATIC) and is_nonlinear(QUADRATIC)
    for body in ("torch.log(x.sum())", "0 * x.sum()", "torch.sin(1e7 * x).sum()", "x.argmax()"):
        assert not usable(RandomFunction(f"def f(x):\n    return {body}", {"x": ("n",)}, {}, ())), body


def test_values_are_those_of_float64() -> None:
    own = Running(QUADRATIC)
    assert own(own.inputs(1)).dtype == torch.float64
