"""Reductions, shapes, indices and functions of matrices: each call form's value and gradient at sizes not seen before."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest
import torch
from corefixtures import Written, difference, laid_out, squeezed, truth, written
from torch import Tensor

from matmagic.differentiate import differentiate
from matmagic.errors import TraceError
from matmagic.evaluate import evaluate
from matmagic.sizes import followed
from matmagic.trace import Trace, leaf_values, trace

TRACED_AT = ({"n": 6, "m": 11, "k": 15}, {"n": 9, "m": 14, "k": 17})
FRESH = {"n": 5, "m": 8, "k": 7}
SHAPES = "x: n, y: n, z: m, X: n m, Y: n m, Z: k m, A: n n, B: m m, T: n m k, v: 6, V: 4 6"
LABELS = {"i": ("n",), "j": ("k",)}

CALLS = """
X.sum(1), X.sum(dim=(0, 1)), torch.sum(X, (-1,), keepdim=True), torch.sum(input=X, axis=0), T.sum(-2)
X.sum(axis=1, keepdims=True), X.mean(), X.mean(0), torch.mean(T, dim=(0, 2)), X.mean(1, keepdim=True), torch.mean(x)
x.var(), x.var(unbiased=False), torch.var(X, dim=1), X.var(0, correction=0), X.var(1, False)
torch.var(X, 1, keepdim=True), x.std(), X.std(dim=0, unbiased=True), torch.std(X, 1, correction=2)
torch.std_mean(X, 0)[0], torch.var_mean(X, 1)[1], torch.cov(X), torch.cov(X.T, correction=0), torch.corrcoef(X)
X.amax(), X.amax(1), torch.amin(X, dim=0, keepdim=True), torch.amax(X, dim=(0, 1)), X.max(), X.min(dim=1).values
torch.max(X, 0)[0], torch.maximum(X, Y).amax(0), torch.max(X, Y), X.prod(), torch.prod(X, 1)
torch.prod(X, dim=0, keepdim=True), torch.logsumexp(X, 1), X.logsumexp(0, keepdim=True), torch.logsumexp(X, (0, 1))
torch.logsumexp(x, dim=-1), torch.softmax(X, 1), X.softmax(dim=0), F.softmax(x, -1), torch.log_softmax(X, -1)
F.log_softmax(X, dim=0), F.softmin(X, dim=1), torch.softmax(T, 1), torch.nn.Softmax(dim=0)(x), X.softmax(-1)[0]
torch.norm(x), torch.norm(X), torch.norm(X, dim=1), x.norm(p=1), torch.norm(x, 3), X.norm(2, 0, True)
torch.norm(X, 'nuc'), torch.linalg.norm(x), torch.linalg.norm(X), torch.linalg.norm(x, 1)
torch.linalg.norm(x, float('inf')), torch.linalg.norm(x, -float('inf')), torch.linalg.norm(X, 'fro')
torch.linalg.norm(X, 'nuc'), torch.linalg.norm(X, 2), torch.linalg.norm(X, 1), torch.linalg.norm(X, float('inf'))
torch.linalg.vector_norm(X, 4), torch.linalg.vector_norm(X, 2.5, dim=1), torch.linalg.vector_norm(X, 2, 0, True)
torch.dist(x, y), torch.dist(x, y, 1), torch.linalg.matrix_norm(X), torch.linalg.matrix_norm(X, 1)
torch.linalg.matrix_norm(X, -1), torch.linalg.matrix_norm(X, float('inf')), torch.linalg.matrix_norm(X, 'nuc')
torch.linalg.matrix_norm(X, 2), torch.linalg.norm(X, dim=1, ord=2), torch.linalg.norm(X, 1, 1), x.cumsum(0)
torch.cumsum(X, 1), X.cumsum(dim=0), torch.cumprod(x, 0), X.cumprod(1), torch.logcumsumexp(X, 1)
torch.logcumsumexp(x, 0), torch.cummax(x, 0).values, X.cummin(1)[0], torch.cummax(X, dim=0)[0]
x.sort().values, torch.sort(X, 1, descending=True)[0], x.topk(2).values
torch.topk(X, 3, dim=1, largest=False)[0], x.kthvalue(2).values, x.nansum(), torch.linalg.svdvals(X.T @ X)
torch.linalg.svd(A)[1], torch.linalg.svdvals(A).prod()
"""
SHAPING = """
X.T, X.t(), X.mT, X.transpose(0, 1), torch.swapaxes(X, 0, 1), T.permute(2, 0, 1), torch.permute(T, (1, 2, 0))
T.movedim(0, -1), T.permute(dims=(2, 1, 0)), x.unsqueeze(0), x[:, None], x.unsqueeze(-1).squeeze(-1)
torch.squeeze(x[None, :, None]), x[None].squeeze(0), torch.atleast_2d(x), X.reshape(-1), X.view(-1), X.flatten()
torch.ravel(X), T.flatten(1), torch.flatten(T, 0, 1), T.reshape(T.shape[0], -1), X.reshape(X.shape), v.reshape(2, 3)
v.view(3, -1), v.reshape(2, 3).T @ v.reshape(2, 3), V.reshape(4, 2, 3), V.reshape(8, 3)
torch.unflatten(v, 0, (3, 2)), (2 * v).reshape(3, 2), x.expand(3, -1), x.expand(3, x.shape[0])
x[:, None].expand(-1, 4), x.broadcast_to(2, x.shape[0]), torch.broadcast_to(x, (3, x.shape[0]))
x[:, None].expand_as(X), x.repeat(3), x.repeat(2, 1), torch.tile(X, (2, 1)), x.repeat_interleave(3)
X.repeat_interleave(2, dim=1), X.repeat_interleave(2, 0), torch.stack([x, y]), torch.stack((x, y), dim=1)
torch.stack([x, 2 * y, x * y], -1), torch.stack([x[0], y[1]]), torch.cat([x, y]), torch.cat([x, z])
torch.cat((X, Z)), torch.cat([X, X], dim=1), torch.concat([X, Y], axis=0), torch.cat([x[None], X.T])
torch.vstack([X, Z]), torch.hstack([X, Y]), torch.hstack([x, z]), torch.column_stack([x, y])
torch.column_stack((X, x)), torch.vstack([x, y]), torch.roll(x, 1), x.roll(-2), torch.roll(X, 1, dims=1), x.flip(0)
torch.flip(X, dims=[0, 1]), X.fliplr(), torch.flipud(X), torch.flip(X, (1,)), torch.rot90(X), torch.diff(x)
X.diff(dim=0), torch.diff(x, n=2), torch.diff(x, prepend=y[:1]), torch.triu(A), X.tril(-1)
torch.triu(X, diagonal=1), torch.tril(X.T), torch.trace(A), A.diagonal(), torch.diag(A), torch.diag(x), x.diag()
torch.diag_embed(X), torch.diagflat(x), torch.linalg.diagonal(A), torch.diagonal(A, 1), A.diagonal(-1)
torch.diag(A, 2), torch.diag(x, 1), torch.diag_embed(x, -1), torch.diagonal(X[:, :3] @ X[:, :3].T, offset=-2)
torch.kron(A, X), torch.kron(x, z), torch.kron(A, x), torch.block_diag(A, X), torch.meshgrid(x, z, indexing='ij')[0]
torch.meshgrid(x, z, indexing='xy')[1], torch.broadcast_tensors(x[:, None], z)[1], F.pad(x, (1, 2))
F.pad(X, (0, 1, 2, 0)), F.pad(x, (1, 1), value=3.0), x.unfold(0, 2, 1), V.unfold(1, 2, 2)
V.flatten() * torch.cat([v, v, v, v]), torch.tile(v[:3], (2,)) * v
"""
INDICES = """
v.median(), torch.median(V, dim=1).values, V[:, torch.tensor([0, 2, 5])]
V[torch.tril_indices(4, 4)[0], torch.tril_indices(4, 4)[1]], V[:, :4][tuple(torch.triu_indices(4, 4, 1))]
torch.index_put(torch.zeros(4, 6), tuple(torch.tril_indices(4, 6, -1)), v), x[0], x[-1], x[2], X[0], X[-1, 2]
X[:, 1], X[..., -1], X[1, :], X[None, 0], x[1] * x[-2], torch.select(X, 1, 0), X.select(0, -1), x[1:], x[:-1], x[:3]
x[-3:], x[1:-1], X[1:, :-1], X[:2, 2:], X[:, :-2], x[2:] - 2 * x[1:-1] + x[:-2], X[1:] - X[:-1], x[1:][0]
x[1:][:-1], v[::2], v[1::2], v[:4:3], V[::2, 1:], V[:, ::3], v.narrow(0, 1, 3), x.narrow(0, 1, 2)
torch.narrow(X, 1, 0, 2), v.split(2)[1], torch.split(V, [1, 3])[1], v.chunk(3)[0], V.chunk(2, dim=1)[1]
torch.tensor_split(v, 4)[1], torch.tensor_split(v, (1, 4))[1], v.chunk(4)[1], X[:, [1]], X[[1]], x[[0]]
X[[-1], [0]], X[i], X[i, i], x[j], X[[0, 2]], x[[1, 0, 1]], X[:, [0, 2, 1]], X[torch.arange(X.shape[0]), i]
X[i][:, 0], x[i] * x, X[[0, 1], [1, 2]], torch.gather(X, 1, i[:, None]), X.gather(1, i.unsqueeze(1)).squeeze(1)
torch.index_select(X, 0, j), X.index_select(1, i), torch.take_along_dim(X, i[:, None], 1)
F.one_hot(i, 5).double() * x[:, None], X @ F.one_hot(i, X.shape[1]).double().T, F.embedding(j, X)
torch.eye(5)[i].T @ X, torch.zeros(X.shape[0], 5).scatter(1, i[:, None], 1.0) * x[:, None]
torch.zeros(5).index_add(0, i, x), torch.zeros(5).scatter_add(0, i, x), torch.where(X > 0, X, 0.5 * Y)
x.masked_fill(x < 0, 2.0), torch.triu(X).masked_fill(X > 1, 0.0), (X > Y) * X, (x >= y).double() @ x, (x != 0) * x
torch.unbind(V)[1] * torch.unbind(V)[0], torch.stack(torch.unbind(X, 1), 1), torch.stack([r @ r for r in X])
sum(r.sum() for r in X)
"""
MASKS = """
X[X > 0].sum(), torch.masked_select(x, x > 0).sum(), x[y > 0].sum(), (x[x > 0] ** 2).sum(), X[X > 0].mean()
torch.exp(x[x > 0]).mean(), X[x > 0].sum(), X[x > 0].mean(), X[x > 0].mean(0), X[x > 0].sum(0), X.masked_select(X > Y).prod()
F.mse_loss(x[x > 0], y[x > 0]), F.mse_loss(x[y > 0], y[y > 0], reduction='sum'), F.l1_loss(X[Y > 0], Y[Y > 0])
x[y > 0].norm(), torch.norm(X[X > 0.3], p=1), x[y > 0].max(), torch.amin(x[y > 0]), torch.logsumexp(x[y > 0], 0)
x[y > 0] @ y[y > 0], torch.dot(x[x > 0], x[x > 0]), (x[y > 0] - x.mean()).abs().sum(), torch.log(x[x > 0.2]).sum()
(X[x > 0] @ z).exp().sum(), A[~torch.eye(A.shape[0], dtype=torch.bool)].sum(), x[~(x > 0)].sum() * x[x > 0].sum()
torch.tanh(A[torch.triu_indices(A.shape[0], A.shape[0], 1)[0], torch.triu_indices(A.shape[0], A.shape[0], 1)[1]]).sum()
(A * A)[tuple(torch.tril_indices(A.shape[0], A.shape[0], -1))].mean(), A[torch.ones(A.shape[0], A.shape[0]).tril().bool()].sum()
torch.index_put(x, (x > 0,), torch.tensor(1.0)) * x, x[(x > 0) & (y < 1)].sum()
"""
MATRICES = """
torch.linalg.inv(A), torch.inverse(A) @ x, A.inverse().T, torch.linalg.inv(T[:2, :2, :2] + 3 * torch.eye(2))
torch.linalg.pinv(X), torch.pinverse(X.T), torch.det(A), torch.linalg.det(A @ A), A.det() ** 2
torch.logdet(A @ A.T), torch.slogdet(A)[1], torch.linalg.slogdet(A).logabsdet, A.slogdet()[0] * A.sum()
torch.linalg.solve(A, x), torch.linalg.solve(A, X), torch.linalg.solve(A, A.T, left=False)
torch.linalg.lstsq(X.T, z).solution, torch.linalg.lstsq(X.T, X.T)[0], torch.linalg.cholesky(A @ A.T)
torch.cholesky_solve(X, torch.linalg.cholesky(A @ A.T)), torch.cholesky_inverse(torch.linalg.cholesky(A @ A.T))
torch.linalg.cholesky(A @ A.T, upper=True), torch.linalg.solve_triangular(A, X, upper=True)
torch.linalg.solve_triangular(A, X, upper=False)
torch.linalg.solve_triangular(A, X, upper=False, unitriangular=True)
torch.linalg.solve_triangular(A, X.T, upper=True, left=False), torch.triangular_solve(X, A)[0]
torch.linalg.solve_triangular(A.T, x[:, None], upper=False), torch.linalg.eigvalsh(A @ A.T)
torch.linalg.eigvalsh(A + A.T)[-1], torch.linalg.eigh(A @ A.T).eigenvalues.sum()
torch.linalg.eigh(A @ A.T)[0].log().sum(), torch.linalg.eigh(A @ A.T)[1][:, 0] ** 2, torch.linalg.matrix_power(A, 3)
A.matrix_power(2), torch.linalg.matrix_power(A, -2), torch.matrix_power(A, 1), torch.matrix_exp(A)
torch.linalg.matrix_exp(x[0] * A), A.matrix_exp().trace()
"""


def calls(table: str) -> list[str]:
    """The calls of a table, which are separated by commas outside of brackets."""
    found, depth, start = [], 0, 0
    for line in table.strip().splitlines():
        start, depth = 0, 0
        for at, character in enumerate(line):
            depth += (character in "([{") - (character in ")]}")
            if character == "," and depth == 0:
                found.append(line[start:at].strip())
                start = at + 1
        found.append(line[start:].strip())
    return found


def inputs_of(own: Written, sizes: Mapping[str, int], seed: int) -> dict[str, Tensor]:
    """Random tensors; square ones of positive determinant, labels from 0 to 4."""
    made = own.inputs(sizes, seed)
    for name in {"A", "B"} & set(made):
        made[name] = 0.3 * made[name] / len(made[name]) + torch.eye(len(made[name]), dtype=torch.float64)
    for name in set(LABELS) & set(made):
        made[name] = (made[name].abs() * 7).long() % 5
    return made


def function(call: str) -> Written:
    """The call as a function of those arguments that it names."""
    labels = "".join(f", {name}: {' '.join(shape)}" for name, shape in LABELS.items())
    own = written(call, SHAPES + labels)
    names = {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}
    return Written(call, {name: shape for name, shape in own.shapes.items() if name in names}, {})


def found_in(own: Written) -> Trace:
    sizes = [{letter: numbers[letter] for letter in own.letters()} for numbers in TRACED_AT]
    samples = [(inputs_of(own, one, seed), one) for seed, one in enumerate(sizes)]
    return followed(own, own.shapes, samples) if own.letters() else trace(own, own.shapes, *samples[0])


@pytest.mark.parametrize("call", [c for table in (CALLS, SHAPING, INDICES, MASKS, MATRICES) for c in calls(table)])
@pytest.mark.filterwarnings("ignore")
def test_value_and_gradient(call: str) -> None:
    own = function(call)
    found = found_in(own)
    sizes = {letter: FRESH[letter] for letter in own.letters()}
    inputs = inputs_of(own, sizes, 5)
    leaves = leaf_values(found, inputs, sizes)
    assert difference(laid_out(evaluate(found.node, leaves, sizes), found), own(inputs)) < 1e-9
    for name in own.shapes:
        if name not in LABELS:
            slope = evaluate(differentiate(found.node, found.inputs[name][0]), leaves, sizes)
            true = truth(own, inputs, name)
            assert difference(squeezed(slope).reshape(-1), squeezed(true).reshape(-1)) < 1e-8


def test_what_a_mask_chose_is_put_back_by_it() -> None:
    for body in ("w[y > 0] = w[y > 0] * 2 + 1", "w[y > 0] *= 3", "w[y > 0] = 0.0", "w[y > 0] = torch.exp(x[y > 0])"):
        own = written(f"w = x.clone()\n{body}\nreturn w * y", "x: n, y: n")
        found = found_in(own)
        sizes = {"n": FRESH["n"]}
        inputs = inputs_of(own, sizes, 5)
        assert difference(evaluate(found.node, leaf_values(found, inputs, sizes), sizes), own(inputs)) < 1e-9, body


REFUSED = {
    "x[x > 0]": "as many entries as its values decide",
    "x[x > 0].softmax(0).max()": "softmax",
    "x[x > 0].cumsum(0).sum()": "cumsum",
    "X[X > 0].median()": "median",
    "x[:3][x[:3] > -99].softmax(0).max()": "the mask chooses all entries here",
    "torch.stack([x[x > 0].sum(), x[torch.nonzero(x > 0)[0]].sum()]).sum()": "nonzero",
    "torch.linalg.qr(A)[1]": "qr",
    "torch.linalg.eig(A)[0].abs().sum()": "eig",
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_has_no_rule_is_refused_by_name(call: str) -> None:
    with pytest.raises(TraceError, match=REFUSED[call]):
        found_in(function(call))
