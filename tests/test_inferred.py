"""The shapes of functions as students and engineers write them, nothing declared; the oracle is what a person would write."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic import capture
from matmagic.capture import Subject, parse, run, subject_of
from matmagic.domains import domain_of, property_words, reason_for
from matmagic.drawing import draws
from matmagic.errors import MatmagicError
from matmagic.options import Options
from matmagic.report import check
from matmagic.shapes import find_shapes, shape_text

# arguments, what is returned, the most general shapes that are meant
ROWS = [
    # --- one size that another has to reach, numbers by name that are none
    ("Z, W", "F.cross_entropy(Z @ W.T / 0.1, torch.arange(Z.shape[0]))", "Z=n,m W=n,m"),
    ("z, T", "F.softmax(z / T, dim=0)", "z=n T=()"),
    (
        "s, t, T",
        "F.kl_div(F.log_softmax(s / T, -1), F.softmax(t / T, -1), reduction='batchmean') * T ** 2",
        "s=n t=n T=()",
    ),
    ("p, t", "1 - 2 * (p * t).sum() / (p.sum() + t.sum())", "p=n t=n"),
    ("x, t", "torch.exp(-t * x).sum()", "x=n t=()"),
    ("X, T", "((X - T) ** 2).sum()", "X=n,m T=n,m"),
    # --- regression, classification
    ("w, X, y", "((X @ w - y) ** 2).mean()", "w=n X=m,n y=m"),
    ("theta, X, y", "F.mse_loss(X @ theta, y)", "theta=n X=m,n y=m"),
    ("w, X, y, lam", "((X @ w - y) ** 2).sum() + lam * w.norm() ** 2", "w=n X=m,n y=m lam=()"),
    (
        "w, X, y, alpha",
        "0.5 * torch.mean((y - X @ w) ** 2) + alpha * torch.sum(torch.abs(w))",
        "w=n X=m,n y=m alpha=()",
    ),
    ("w, x, y", "(w @ x - y) ** 2", "w=n x=n y=()"),
    ("w, b, x, y", "torch.log(1 + torch.exp(-y * (w @ x + b)))", "w=n b=() x=n y=()"),
    ("w, X, y", "torch.log1p(torch.exp(-y * (X @ w))).sum()", "w=n X=m,n y=m"),
    ("w, X, y", "F.binary_cross_entropy_with_logits(X @ w, y)", "w=n X=m,n y=m"),
    ("w, X, y", "F.binary_cross_entropy(torch.sigmoid(X @ w), y)", "w=n X=m,n y=m"),
    (
        "w, X, y",
        "-(y * torch.log(torch.sigmoid(X @ w)) + (1 - y) * torch.log(1 - torch.sigmoid(X @ w))).sum()",
        "w=n X=m,n y=m",
    ),
    ("w, X, y", "F.softplus(-y * (X @ w)).mean()", "w=n X=m,n y=m"),
    ("w, X, y", "torch.clamp(1 - y * (X @ w), min=0).sum()", "w=n X=m,n y=m"),
    ("W, x, y", "F.cross_entropy(W @ x, y)", "W=m,n x=n y=()"),
    ("z, y", "F.cross_entropy(z, y)", "z=n y=()"),
    ("z, y1, y2", "F.cross_entropy(z, y1) + F.cross_entropy(z, y2)", "z=n y1=() y2=()"),
    ("Z, y", "F.cross_entropy(Z, y)", "Z=n,m y=n"),
    ("X, W, y", "F.cross_entropy(X @ W, y)", "X=n,m W=m,k y=n"),
    ("logits, target", "F.nll_loss(F.log_softmax(logits, dim=-1), target)", "logits=n target=()"),
    ("z, y", "-torch.log_softmax(z, 0)[y]", "z=n y=()"),
    ("z, y", "torch.logsumexp(z, 0) - y @ z", "z=n y=n"),
    ("z, y", "-(y * torch.log_softmax(z, dim=0)).sum()", "z=n y=n"),
    ("Z, Y", "-(Y * torch.log_softmax(Z, dim=1)).sum()", "Z=n,m Y=n,m"),
    ("p, q", "(p * torch.log(p / q)).sum()", "p=n q=n"),
    ("p", "-(p * p.log()).sum()", "p=n"),
    ("p, q", "F.kl_div(q.log(), p, reduction='sum')", "p=n q=n"),
    ("x, y", "F.smooth_l1_loss(x, y)", "x=n y=n"),
    ("x, y", "F.huber_loss(x, y, reduction='sum')", "x=n y=n"),
    ("x, y", "F.cosine_similarity(x, y, dim=0)", "x=n y=n"),
    ("a, p, n", "F.triplet_margin_loss(a[None], p[None], n[None])", "a=m p=m n=m"),
    ("mu, logvar", "-0.5 * torch.sum(1 + logvar - mu ** 2 - logvar.exp())", "mu=n logvar=n"),
    ("mu, sigma, x", "((x - mu) ** 2 / (2 * sigma ** 2) + torch.log(sigma)).sum()", "mu=n sigma=n x=n"),
    ("mu, x", "((x - mu) ** 2).sum()", "mu=n x=n"),
    ("mu, X", "((X - mu) ** 2).sum()", "mu=n X=m,n"),
    ("X, mu, S", "torch.einsum('ni,ij,nj->', X - mu, torch.linalg.inv(S), X - mu)", "X=n,m mu=m S=m,m"),
    ("x, mu, S", "(x - mu) @ torch.linalg.solve(S, x - mu)", "x=n mu=n S=n,n"),
    ("x, mu, Sigma", "torch.distributions.MultivariateNormal(mu, Sigma).log_prob(x)", "x=n mu=n Sigma=n,n"),
    ("x, mu, L", "torch.distributions.MultivariateNormal(mu, scale_tril=L).log_prob(x)", "x=n mu=n L=n,n"),
    ("x, mu, P", "torch.distributions.MultivariateNormal(mu, precision_matrix=P).log_prob(x)", "x=n mu=n P=n,n"),
    ("p, alpha", "torch.distributions.Dirichlet(alpha).log_prob(p)", "p=n alpha=n"),
    ("x, mu, sigma", "torch.distributions.Normal(mu, sigma).log_prob(x).sum()", "x=n mu=n sigma=n"),
    ("k, rate", "torch.distributions.Poisson(rate).log_prob(k).sum()", "k=n rate=n"),
    ("x, p", "torch.distributions.Bernoulli(p).log_prob(x).sum()", "x=n p=n"),
    ("x, logits", "torch.distributions.Categorical(logits=logits).log_prob(x)", "x=() logits=n"),
    ("x, a, b", "torch.distributions.Beta(a, b).log_prob(x).sum()", "x=n a=n b=n"),
    ("x, a, b", "torch.distributions.Gamma(a, b).log_prob(x).sum()", "x=n a=n b=n"),
    ("beta, X, y", "(torch.exp(X @ beta) - y * (X @ beta)).sum()", "beta=n X=m,n y=m"),
    # --- networks
    ("x, W, b", "torch.relu(W @ x + b)", "x=n W=m,n b=m"),
    ("x, W, b", "torch.tanh(W @ x + b).sum()", "x=n W=m,n b=m"),
    ("x, W1, b1, W2, b2", "W2 @ torch.relu(W1 @ x + b1) + b2", "x=n W1=m,n b1=m W2=k,m b2=k"),
    ("x, y, W1, W2", "((W2 @ torch.sigmoid(W1 @ x) - y) ** 2).sum()", "x=n y=m W1=k,n W2=m,k"),
    ("X, W, b", "X @ W + b", "X=n,m W=m,k b=k"),
    ("X, W, b", "torch.relu(X @ W.T + b).sum()", "X=n,m W=k,m b=k"),
    ("X, Y, W, b", "((X @ W + b - Y) ** 2).mean()", "X=n,m Y=n,k W=m,k b=k"),
    ("x, W, b", "F.linear(x, W, b)", "x=n W=m,n b=m"),
    ("X, W, b, y", "F.cross_entropy(X @ W + b, y)", "X=n,m W=m,k b=k y=n"),
    ("Q, K, V", "torch.softmax(Q @ K.T, dim=-1) @ V", "Q=n,m K=k,m V=k,p"),
    ("Q, K, V", "torch.softmax(Q @ K.T / K.shape[1] ** 0.5, dim=-1) @ V", "Q=n,m K=k,m V=k,p"),
    ("Q, K, V", "F.scaled_dot_product_attention(Q, K, V)", "Q=n,m K=k,m V=k,p"),
    ("q, K, V", "torch.softmax(K @ q, dim=0) @ V", "q=n K=m,n V=m,k"),
    ("X, Wq, Wk, Wv", "torch.softmax((X @ Wq) @ (X @ Wk).T, dim=-1) @ (X @ Wv)", "X=n,m Wq=m,k Wk=m,k Wv=m,p"),
    ("x, gamma, beta", "F.layer_norm(x, x.shape, gamma, beta)", "x=n gamma=n beta=n"),
    ("x", "(x - x.mean()) / x.std()", "x=n"),
    ("x", "F.softmax(x, dim=0)", "x=n"),
    ("x, tau", "torch.softmax(x / tau, dim=0)", "x=n tau=()"),
    ("x", "F.gelu(x).sum()", "x=n"),
    ("x, W", "F.normalize(W @ x, dim=0)", "x=n W=m,n"),
    ("h, x, W, U, b", "torch.tanh(W @ h + U @ x + b)", "h=n x=m W=k,n U=k,m b=k"),
    ("x, A, B, W", "(W + B @ A) @ x", "x=n A=m,n B=k,m W=k,n"),
    ("U, V, R", "((R - U @ V.T) ** 2).sum()", "U=n,m V=k,m R=n,k"),
    ("U, V, R, M", "(M * (R - U @ V.T) ** 2).sum()", "U=n,m V=k,m R=n,k M=n,k"),
    ("E, i", "E[i].sum()", "E=n,m i=()"),
    # --- kernels, distances
    ("x, y, gamma", "torch.exp(-gamma * ((x - y) ** 2).sum())", "x=n y=n gamma=()"),
    ("x, y, sigma", "torch.exp(-(x - y) @ (x - y) / (2 * sigma ** 2))", "x=n y=n sigma=()"),
    ("x, y, c, d", "(x @ y + c) ** 3 + d", "x=n y=n c=() d=()"),
    ("X, Y", "torch.cdist(X, Y).sum()", "X=n,m Y=k,m"),
    ("X", "torch.exp(-torch.cdist(X, X) ** 2).sum()", "X=n,m"),
    ("X, c", "torch.linalg.norm(X - c, dim=1).sum()", "X=n,m c=m"),
    ("alpha, K, y, lam", "(K @ alpha - y) @ (K @ alpha - y) + lam * alpha @ K @ alpha", "alpha=n K=n,n y=n lam=()"),
    ("y, K, sigma", "0.5 * y @ torch.linalg.solve(K + sigma ** 2 * torch.eye(len(y)), y)", "y=n K=n,n sigma=()"),
    ("K, y", "0.5 * y @ torch.linalg.solve(K, y) + 0.5 * torch.logdet(K)", "K=n,n y=n"),
    ("L, b", "torch.linalg.solve_triangular(L, b[:, None], upper=False).sum()", "L=n,n b=n"),
    # --- matrix calculus homework
    ("x, A, b, c", "0.5 * x @ A @ x + b @ x + c", "x=n A=n,n b=n c=()"),
    ("x, A, b", "x.T @ A @ x + b.T @ x", "x=n,1 A=n,n b=n,1"),
    ("A, x, b", "torch.linalg.norm(A @ x - b)", "A=m,n x=n b=m"),
    ("A, x, b", "torch.norm(A @ x - b) ** 2", "A=m,n x=n b=m"),
    ("x, A", "torch.dot(x, torch.mv(A, x))", "x=n A=n,n"),
    ("x, A, y", "torch.einsum('i,ij,j->', x, A, y)", "x=n A=n,m y=m"),
    ("x, A", "(x @ A @ x) / (x @ x)", "x=n A=n,n"),
    ("x, A, B", "(x @ A @ x) / (x @ B @ x)", "x=n A=n,n B=n,n"),
    ("X, A, B", "torch.trace(A @ X @ B)", "X=n,m A=k,n B=m,k"),
    ("X, A", "torch.trace(X.T @ A @ X)", "X=n,m A=n,n"),
    ("X", "torch.trace(X @ X)", "X=n,n"),
    ("X, A", "torch.trace(torch.inverse(X) @ A)", "X=n,n A=n,n"),
    ("X, a, b", "a @ torch.linalg.inv(X) @ b", "X=n,n a=n b=n"),
    ("X", "torch.det(X)", "X=n,n"),
    ("X", "torch.logdet(X)", "X=n,n"),
    ("X", "torch.linalg.slogdet(X)[1]", "X=n,n"),
    ("X, k", "torch.linalg.matrix_power(X, 3).trace() * k", "X=n,n k=()"),
    ("A, B", "A @ B", "A=n,m B=m,k"),
    ("A, B", "(A * B).sum()", "A=n,m B=n,m"),
    ("A, B", "torch.kron(A, B)", "A=n,m B=k,p"),
    ("x, y", "torch.outer(x, y)", "x=n y=m"),
    ("x, y", "x @ y", "x=n y=n"),
    ("x, y", "x[:, None] * y[None, :]", "x=n y=m"),
    ("a, b", "torch.cross(a, b, dim=0)", "a=3 b=3"),
    ("X", "X.T @ X", "X=n,m"),
    ("X, Y", "torch.linalg.norm(X - Y, 'fro') ** 2", "X=n,m Y=n,m"),
    ("X", "torch.linalg.matrix_norm(X, 'nuc')", "X=n,m"),
    ("S", "torch.linalg.eigvalsh(S).sum()", "S=n,n"),
    ("S", "torch.linalg.cholesky(S).diagonal().log().sum()", "S=n,n"),
    ("A, t", "torch.matrix_exp(t * A).trace()", "A=n,n t=()"),
    ("x, A", "torch.exp(A @ x).sum()", "x=n A=m,n"),
    ("x, A", "torch.logsumexp(A @ x, dim=0)", "x=n A=m,n"),
    ("x, D", "x @ torch.diag(D) @ x", "x=n D=n"),
    ("x, d", "torch.diag(d) @ x", "x=n d=n"),
    ("x", "torch.sqrt((x ** 2).sum() + 1)", "x=n"),
    ("x", "x.prod()", "x=n"),
    ("x", "torch.max(x)", "x=n"),
    ("x, y, z", "x * y * z + torch.sin(x)", "x=() y=() z=()"),
    ("x", "sum(x[i] * x[i + 1] for i in range(len(x) - 1))", "x=n"),
    ("x", "100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2", "x=n"),
    ("x", "torch.diff(x).abs().sum()", "x=n"),
    ("x, h", "((x[1:] - x[:-1]) / h).pow(2).sum()", "x=n h=()"),
    ("X", "torch.cov(X.T).trace()", "X=n,m"),
    ("X, v", "v @ X.T @ X @ v", "X=n,m v=m"),
    ("x, P, q, r", "0.5 * x.T @ P @ x + q.T @ x + r", "x=n,1 P=n,n q=n,1 r=()"),
    ("A, X, B, C", "torch.linalg.norm(A @ X + X @ B - C) ** 2", "A=n,n X=n,m B=m,m C=n,m"),
    ("x, A, b, mu", "x.sum() - mu * torch.log(b - A @ x).sum()", "x=n A=m,n b=m mu=()"),
    ("w, mu, Sigma, gamma", "w @ mu - 0.5 * gamma * w @ Sigma @ w", "w=n mu=n Sigma=n,n gamma=()"),
    ("p, A", "torch.log(A @ p).sum()", "p=n A=m,n"),
    # more of each
    ("beta, X, y", "-torch.distributions.Bernoulli(logits=X @ beta).log_prob(y).sum()", "beta=n X=m,n y=m"),
    ("X, w, b", "X @ w + b", "X=m,n w=n b=m"),
    ("W, X, Y", "torch.trace((X @ W - Y).T @ (X @ W - Y))", "W=n,k X=m,n Y=m,k"),
    ("x, c, r", "torch.relu((x - c).norm() - r)", "x=n c=n r=()"),
    ("x, A, B", "x @ (A + B) @ x", "x=n A=n,n B=n,n"),
    ("X, M", "torch.sum(M * X)", "X=n,m M=n,m"),
    ("a, X, b, c", "a @ X @ b + c @ c", "a=n X=n,m b=m c=k"),
    ("theta, phi, x", "torch.cos(theta) * x[0] + torch.sin(phi) * x[1]", "theta=() phi=() x=n"),
    ("logits, labels", "F.cross_entropy(logits, labels, reduction='sum')", "logits=n labels=()"),
    ("logits, labels", "F.cross_entropy(logits, labels, label_smoothing=0.1)", "logits=n labels=()"),
    ("scores, t", "F.multi_margin_loss(scores, t)", "scores=n t=()"),
    ("scores, y", "F.soft_margin_loss(scores, y)", "scores=n y=n"),
    ("x1, x2, y", "F.cosine_embedding_loss(x1, x2, y)", "x1=n x2=n y=()"),
    ("x1, x2, y", "F.margin_ranking_loss(x1, x2, y)", "x1=n x2=n y=n"),
    ("mu, target, var", "F.gaussian_nll_loss(mu, target, var)", "mu=n target=n var=()"),
    ("log_rate, target", "F.poisson_nll_loss(log_rate, target)", "log_rate=n target=n"),
    ("pred, target", "F.l1_loss(pred, target)", "pred=n target=n"),
    ("X, W, b, gamma, beta", "F.layer_norm(X @ W + b, (W.shape[1],), gamma, beta)", "X=n,m W=m,k b=k gamma=k beta=k"),
    ("x, W1, W2, W3", "W3 @ torch.tanh(W2 @ torch.tanh(W1 @ x))", "x=n W1=m,n W2=k,m W3=p,k"),
    ("x, h, Wz, Uz, bz", "torch.sigmoid(Wz @ x + Uz @ h + bz)", "x=n h=m Wz=k,n Uz=k,m bz=k"),
    ("x, h, c, W, U", "torch.sigmoid(W @ x + U @ h) * c", "x=n h=m c=k W=k,n U=k,m"),
    ("Z", "(Z - Z.mean(0)) / Z.std(0)", "Z=n,m"),
    ("Z", "torch.softmax(Z, dim=1)", "Z=n,m"),
    ("A, X", "F.relu(A @ X @ X.T)", "A=m,n X=n,k"),
    ("A, H, W", "torch.relu(A @ H @ W)", "A=n,m H=m,k W=k,p"),
    ("L, x", "x @ L @ L.T @ x", "L=n,m x=n"),
    ("P, q, A, b, x", "0.5 * x @ P @ x + q @ x + (A @ x - b).abs().sum()", "P=n,n q=n A=m,n b=m x=n"),
    ("u, v, X", "torch.logdet(X + torch.outer(u, v))", "u=n v=n X=n,n"),
    ("X, Y", "torch.trace(X.T @ Y) / (X.norm() * Y.norm())", "X=n,m Y=n,m"),
    ("A, B, C, x", "A @ (B @ (C @ x))", "A=m,n B=n,k C=k,p x=p"),
    ("x, t", "torch.exp(-t * x)", "x=() t=()"),
    ("r, sigma, eps", "4 * eps * ((sigma / r) ** 12 - (sigma / r) ** 6)", "r=() sigma=() eps=()"),
    ("m, v, k, x", "0.5 * m * v ** 2 + 0.5 * k * x ** 2", "m=() v=() k=() x=()"),
    ("w, X", "torch.linalg.eigvalsh(X.T @ X)[-1] + w @ w", "w=n X=m,k"),
    ("D, R", "torch.linalg.norm(D @ R, dim=1).sum()", "D=n,m R=m,k"),
    ("V, W", "torch.linalg.svdvals(V @ W).sum()", "V=n,m W=m,k"),
    ("x, y, K", "x @ torch.exp(-K) @ y", "x=n y=m K=n,m"),
    ("emb, idx, W", "F.cross_entropy(W @ emb[idx], idx)", "emb=n,m idx=() W=k,m"),
    ("mask, x", "torch.where(mask > 0, x, torch.zeros_like(x)).sum()", "mask=n x=n"),
    ("W, X, y", "F.nll_loss(torch.log_softmax(X @ W.T, dim=1), y)", "W=k,m X=n,m y=n"),
    ("x, p", "x.norm(p=3) + p * 2", "x=n p=()"),
    ("A", "(A @ A.T).trace()", "A=n,m"),
    ("A, v", "torch.linalg.lstsq(A, v[:, None]).solution.sum()", "A=n,m v=n"),
    ("X, Z, ell", "torch.exp(-0.5 * torch.cdist(X, Z) ** 2 / ell ** 2)", "X=n,m Z=k,m ell=()"),
    ("pi, mu, x", "torch.logsumexp(torch.log(pi) - 0.5 * (x - mu) ** 2, 0)", "pi=n mu=n x=n"),
]


def subject(arguments: str, body: str, setup: str = "") -> Subject:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    exec(f"def f({arguments}): return {body}", names)
    return subject_of(names["f"], names)


def inferred(arguments: str, body: str, **options: Any) -> str:
    shapes = find_shapes(subject(arguments, body), Options(**options))
    return " ".join(f"{name}={shape_text(shape)}" for name, shape in shapes.of.items())


def renamed(shapes: str) -> str:
    """The shapes with letters in order of appearance."""
    letters: dict[str, str] = {}
    return re.sub(
        r"(?<==)\S*",
        lambda shape: re.sub(r"[a-z]\w*", lambda word: letters.setdefault(word[0], f"n{len(letters)}"), shape[0]),
        shapes,
    )


@pytest.mark.parametrize("arguments, body, expected", ROWS)
def test_shapes_are_as_meant(arguments: str, body: str, expected: str) -> None:
    assert renamed(inferred(arguments, body)) == renamed(expected)


@pytest.mark.parametrize(
    "cell, expected",
    [
        ("def f(w, b, X, y): return F.binary_cross_entropy_with_logits(X @ w + b, y)", "w=n b=() X=m,n y=m"),
        ("def f(X, a, b): return torch.exp(X @ a + b).sum()", "X=n,m a=m b=n"),
        ("def f(A, x, b): return torch.exp(A @ x + b).sum()", "A=n,m x=m b=n"),
        ("def f(X, w, b): return ((X @ w - b) ** 2).sum()", "X=n,m w=m b=n"),
    ],
)
def test_the_bias_of_samples_is_a_number(cell: str, expected: str) -> None:
    names: dict[str, Any] = {"torch": torch, "F": F}
    parsed = parse(cell)
    asked = capture.subject(parsed, names, outcome=run(parsed, names))
    shapes = find_shapes(asked, Options())
    found = " ".join(f"{name}={shape_text(shape)}" for name, shape in shapes.of.items())
    assert renamed(found) == renamed(expected)


NEEDS = [  # what torch asks of an argument's values
    ("z, y", "F.cross_entropy(z, y)", {"y": "index<n"}),
    ("X, W, y", "F.cross_entropy(X @ W, y)", {"y": "index<k"}),
    ("Z, Y", "F.cross_entropy(Z, Y)", {}),  # probabilities
    ("z, y", "F.cross_entropy(z, y.long())", {"y": "index<n"}),
    ("Z, y", "-torch.log_softmax(Z, 1).gather(1, y[:, None]).sum()", {"y": "index<m"}),
    ("E, i, w", "F.embedding(i, E) @ w", {"i": "index<n"}),
    ("z, y", "-(F.one_hot(y, 4) * torch.log_softmax(z, 0)).sum()", {"y": "index<4"}),
    ("x, i", "x[i] ** 2", {"i": "index<n"}),
    ("x, mu, S", "torch.distributions.MultivariateNormal(mu, S).log_prob(x)", {"S": "positive-definite"}),
    ("p, a", "torch.distributions.Dirichlet(a).log_prob(p)", {"p": "simplex"}),
    ("x, p", "torch.distributions.Bernoulli(p).log_prob(x).sum()", {"x": "binary"}),
    ("k, r", "torch.distributions.Poisson(r).log_prob(k).sum()", {"k": "counts"}),
    ("x", "x @ x", {}),
]


@pytest.mark.parametrize("arguments, body, expected", NEEDS)
def test_what_torch_asks_of_values(arguments: str, body: str, expected: dict[str, str]) -> None:
    assert find_shapes(subject(arguments, body), Options()).needs == expected


@pytest.mark.parametrize(
    "body, shapes, assume, expected",
    [
        ("F.cross_entropy(z, y)", {"z": "n", "y": "()"}, {}, {"y": "index<n"}),
        ("F.cross_entropy(z, y)", {"z": "m,5", "y": "m"}, {}, {"y": "index<5"}),
        ("F.cross_entropy(z, y)", {"z": "n", "y": "n"}, {}, {}),  # probabilities
        ("F.cross_entropy(z, y)", {}, {"y": "one-hot"}, {}),
        ("F.cross_entropy(z, y)", {}, {"y": "simplex"}, {}),
        ("F.cross_entropy(z, y)", {}, {"y": "index<n"}, {}),
        ("torch.distributions.Dirichlet(z).log_prob(y)", {"z": "k", "y": "k"}, {}, {"y": "simplex"}),
    ],
)
def test_what_is_given_comes_first(body: str, shapes: Any, assume: Any, expected: dict[str, str]) -> None:
    asked = subject("z, y", body)
    found = find_shapes(asked, Options(shapes=shapes, assume=assume))
    assert found.needs == expected
    assert len(found.of["y"]) == (0 if "index" in str(assume) or shapes.get("y") == "()" else 1)
    report = check(asked, Options(shapes=shapes, assume=assume, trials=3))
    assert report["z"].verdict.ok and report["z"].code


def test_the_values_are_checked_whatever_torch_does_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    known = torch.distributions.Distribution
    monkeypatch.setattr(known, "_validate_args", False)  # as torch's compiler does
    asked = subject("p, a", "torch.distributions.Dirichlet(a).log_prob(p)")
    assert find_shapes(asked, Options()).needs["p"] == "simplex" and known._validate_args is False


@pytest.mark.parametrize("arguments, body, expected", [row for row in NEEDS if row[2]])
def test_draws_have_what_is_asked(arguments: str, body: str, expected: dict[str, str]) -> None:
    asked = subject(arguments, body)
    shapes = find_shapes(asked, Options())
    assume = shapes.needs | domain_of(asked, shapes, shapes.needs, Options())
    drawn = list(draws(asked, shapes, assume, Options()))
    assert len(drawn) == 6
    for name, prop in expected.items():
        assert all(inputs[name].is_floating_point() != prop.startswith("index") for inputs in drawn)


SAID = [
    ("S", "torch.logdet(S)", "S taken with a positive determinant, because logdet needs it"),
    ("S", "torch.linalg.cholesky(S).sum()", "S taken positive-definite, because cholesky needs it"),
    ("x", "torch.sqrt(x).sum()", "x taken positive, because sqrt needs it"),
    ("p", "torch.log(1 - p).sum() + torch.log(p).sum()", "p taken between 0 and 1, because log needs it"),
    ("S", "torch.linalg.eigvalsh(S)[0]", "S taken symmetric, because f reads one triangle of it"),
    ("z, y", "F.cross_entropy(z, y)", "y taken as labels, whole numbers below n, because cross_entropy needs it"),
    (
        "p, a",
        "torch.distributions.Dirichlet(a).log_prob(p)",
        "p taken with positive entries that sum to 1, because Dirichlet",
    ),
    ("X, b", "((X + b) ** 2).sum()", "broadcast: b with every row of a matrix"),
    ("X", "torch.logdet(X.T @ X)", "n ≥ m taken, because f is singular"),
    ("X", "torch.logdet(X @ X.T)", "m ≥ n taken, because f is singular"),
    ("X", "torch.det(X.T @ X)", "n ≥ m taken, because f is singular"),
    ("X", "torch.det(X @ X.T).sqrt()", "m ≥ n taken, because f is singular"),
    ("X", "torch.linalg.cholesky(X.T @ X).diagonal().log().sum()", "n ≥ m taken, because f is singular"),
]


@pytest.mark.parametrize("arguments, body, said", SAID)
def test_what_is_assumed_is_said(arguments: str, body: str, said: str) -> None:
    report = check(subject(arguments, body), Options(trials=4))
    assert any(note.text.startswith(said) for note in report.notes), report.notes
    assert all(d.code for d in report)


@pytest.mark.parametrize("arguments, body", [("x", "x @ x"), ("X", "torch.trace(X.T @ X)"), ("A, x", "A @ x")])
def test_nothing_is_said_where_nothing_is_assumed(arguments: str, body: str) -> None:
    report = check(subject(arguments, body), Options())
    assert not any(word in note.text for note in report.notes for word in ("taken", "broadcast"))


def test_the_reason_is_sought_with_everything_else_as_needed() -> None:
    asked = subject("S, x", "torch.linalg.cholesky(S).sum() + torch.sqrt(x).sum()")
    shapes = find_shapes(asked, Options())
    assume = domain_of(asked, shapes, {}, Options())
    said = {name: reason_for(asked, shapes, assume, Options(), name, prop) for name, prop in assume.items()}
    assert said == {"S": "cholesky needs it", "x": "sqrt needs it"}
    assert property_words("index<k") == "as labels, whole numbers below k"


@pytest.mark.parametrize("prop", ["orthogonal", "symmetric", "positive-definite", "skew"])
def test_a_property_of_square_matrices_makes_them_square(prop: str) -> None:
    assert inferred("x, Q", "(Q @ x) @ (Q @ x)", assume={"Q": prop}) == "x=n Q=n,n"


@pytest.mark.parametrize(
    "setup, expected",
    [
        ("y = torch.tensor([0, 2, 1])", "X=3,n W=n,m y=3"),
        ("y = torch.tensor([0.0, 2.0])", "X=n,m W=m,k y=n"),  # no labels
        ("y = torch.tensor([0, 2, 1]); X = 3", "X=3,n W=n,m y=3"),
    ],
)
def test_labels_of_the_notebook_are_taken(setup: str, expected: str) -> None:
    asked = subject("X, W, y", "F.cross_entropy(X @ W, y)", setup)
    shapes = find_shapes(asked, Options())
    found = " ".join(f"{name}={shape_text(shape)}" for name, shape in shapes.of.items())
    assert renamed(found) == renamed(expected)
    assert all(torch.equal(value, asked.namespace[name]) for name, value in shapes.values.items())


def test_a_mask_of_the_notebook_is_taken() -> None:
    asked = subject("x, mask", "(x[mask] ** 2).sum()", "mask = torch.tensor([True, False, True])")
    report = check(asked, Options())
    assert report.shapes == {"x": "3", "mask": "3"} and report["x"].verdict.ok


@pytest.mark.parametrize("arguments, body", [("x, y", "((x - y[:, None]) ** 2).sum()"), ("x, Y", "(Y * x).sum()")])
def test_one_argument_against_another_is_never_broadcast_silently(arguments: str, body: str) -> None:
    asked = subject(arguments, body)
    shapes = find_shapes(asked, Options())
    ranks = sorted(len(shape) for shape in shapes.of.values())
    assert any("broadcast" in note for note in shapes.notes) or 0 in ranks


@pytest.mark.parametrize(
    "arguments, body", [("x, A", "(x + (A @ x)).reshape(7, 11).sum()"), ("x", "x.reshape(2, 3).T @ x")]
)
def test_a_search_that_leads_nowhere_ends(arguments: str, body: str) -> None:
    with pytest.raises(MatmagicError, match="--shapes"):
        find_shapes(subject(arguments, body), Options())
