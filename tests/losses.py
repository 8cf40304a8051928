"""Common losses: a cell each, the variable, inputs of any size, and the code that matmagic gives for the gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from matmagic.derivative import Derivative
from matmagic.report import gradcheck
from matmagic.sampling import sample


@dataclass(frozen=True)
class Loss:
    """A function of one line; `shapes` are "x: n, A: m n", with m = 1.2 n and k = n / 10."""

    name: str
    body: str
    shapes: str
    wrt: str
    assume: Mapping[str, str] = field(default_factory=dict)

    @property
    def letters(self) -> dict[str, list[str]]:
        pairs = (part.partition(":") for part in self.shapes.split(","))
        return {name.strip(): sizes.split() for name, _, sizes in pairs}

    @cached_property
    def function(self) -> Callable[..., Any]:
        space: dict[str, Any] = {"torch": torch, "F": F}
        exec(f"def f({', '.join(self.letters)}):\n    return {self.body}", space)
        found: Callable[..., Any] = space["f"]
        return found

    @cached_property
    def derivative(self) -> Derivative:
        shapes = {name: ",".join(sizes) or "()" for name, sizes in self.letters.items()}
        return gradcheck(self.function, wrt=self.wrt, shapes=shapes, assume=dict(self.assume))[self.wrt]

    @property
    def code(self) -> str:
        assert self.derivative.code is not None, f"{self.name} has no code"
        return self.derivative.code

    def inputs(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        """float64 tensors with the properties that are assumed."""
        sizes = {"n": n, "m": n + n // 5, "k": max(n // 10, 2)}
        generator = torch.Generator().manual_seed(seed)
        found = {}
        for name, letters in self.letters.items():
            prop = self.assume.get(name)
            if prop and prop.startswith("index<"):
                prop = f"index<{sizes[prop.removeprefix('index<')]}"
            shape = tuple(sizes[letter] for letter in letters)
            found[name] = sample(shape, prop, generator)
            if found[name].is_floating_point() and prop in (None, "contraction"):
                found[name] = found[name] / n ** (0.5 * (len(shape) > 1))
        return found


LOSSES = (
    Loss("least squares", "((A @ x - b) ** 2).sum()", "x: n, A: m n, b: m", "x"),
    Loss("ridge", "((X @ w - y) ** 2).sum() + lam * (w @ w)", "w: n, X: m n, y: m, lam:", "w"),
    Loss("mean squared error of a layer", "((X @ W + b - Y) ** 2).mean()", "W: n k, X: m n, b: k, Y: m k", "W"),
    Loss(
        "logistic regression with logits", "F.binary_cross_entropy_with_logits(X @ w, y)", "w: n, X: m n, y: m", "w",
        {"y": "binary"},
    ),
    Loss(
        "logistic regression by log-sigmoid", "-(y * torch.log(torch.sigmoid(X @ w)) + (1 - y) * "
        "torch.log(1 - torch.sigmoid(X @ w))).sum()", "w: n, X: m n, y: m", "w", {"y": "binary"},
    ),
    Loss("softmax cross-entropy", "F.cross_entropy(X @ W, y)", "W: n k, X: m n, y: m", "W", {"y": "index<k"}),
    Loss("quadratic form", "x @ A @ x", "x: n, A: n n", "x"),
    Loss("quadratic form by the matrix", "x @ A @ x", "x: n, A: n n", "A"),
    Loss("Rayleigh quotient", "(x @ A @ x) / (x @ x)", "x: n, A: n n", "x", {"A": "symmetric"}),
    Loss(
        "Gaussian log-likelihood by the mean", "-0.5 * (x - mu) @ torch.linalg.solve(S, x - mu) - 0.5 * torch.logdet(S)",
        "mu: n, x: n, S: n n", "mu", {"S": "positive-definite"},
    ),
    Loss(
        "Gaussian log-likelihood by the covariance",
        "-0.5 * (x - mu) @ torch.linalg.solve(S, x - mu) - 0.5 * torch.logdet(S)",
        "mu: n, x: n, S: n n", "S", {"S": "positive-definite"},
    ),
    Loss("Mahalanobis distance", "(x - mu) @ torch.linalg.solve(S, x - mu)", "x: n, mu: n, S: n n", "x",
         {"S": "positive-definite"}),
    Loss("Mahalanobis distance by any matrix", "(x - mu) @ torch.linalg.inv(S) @ (x - mu)", "x: n, mu: n, S: n n", "x",
         {"S": "invertible"}),
    Loss("log det", "torch.logdet(X)", "X: n n", "X", {"X": "positive-det"}),
    Loss(
        "log det of a pencil", "torch.logdet(A + t * B)", "t:, A: n n, B: n n", "t",
        {"A": "positive-definite", "B": "positive-definite", "t": "positive"},
    ),
    Loss("Frobenius residual", "((A @ X @ B - C) ** 2).sum()", "X: n n, A: m n, B: n m, C: m m", "X"),
    Loss("hinge", "torch.relu(1 - y * (X @ w)).sum() + lam * (w @ w)", "w: n, X: m n, y: m, lam:", "w", {"y": "signs"}),
    Loss("radial basis functions", "(a * torch.exp(-g * ((X - x) ** 2).sum(1))).sum()", "x: n, X: m n, a: m, g:", "x"),
    Loss("trace of the inverse", "torch.trace(torch.linalg.inv(X))", "X: n n", "X", {"X": "invertible"}),
    Loss("trace of a quadratic form", "torch.trace(X.T @ A @ X)", "X: n k, A: n n", "X"),
    Loss("matrix factorisation", "((X - U @ V.T) ** 2).sum()", "U: m k, V: n k, X: m n", "U"),
    Loss("one hidden layer", "v @ torch.tanh(W @ x + b)", "W: m n, x: n, b: m, v: m", "W"),
    Loss("one hidden layer by its input", "v @ torch.tanh(W @ x + b)", "x: n, W: m n, b: m, v: m", "x"),
    Loss("elementwise functions of a matrix", "(torch.sigmoid(X) * torch.exp(-X)).sum()", "X: m n", "X"),
)  # fmt: skip
