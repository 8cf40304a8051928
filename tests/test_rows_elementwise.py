"""Rows for arithmetic, activations, products and constants: each call in its forms, against autograd.

A call is traced at one set of sizes; its expression must have the value that torch has at inputs that the trace has not
seen, and so must its derivative by every argument, and, for smooth ones, the derivative of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from matmagic.calling import Float64, float64
from matmagic.differentiate import differentiate
from matmagic.errors import TraceError
from matmagic.evaluate import evaluate
from matmagic.expr import product
from matmagic.trace import Trace, trace

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, on old names

SIZES = {"n": 6, "m": 8, "k": 5, "b": 10}
SHAPES: dict[str, tuple[str | int, ...]] = {
    "x": ("n",), "y": ("n",), "z": ("m",), "c": ("n", 1), "r": (1, "n"), "t": (), "A": ("m", "n"), "B": ("m", "n"),
    "C": ("n", "k"), "S": ("n", "n"), "P": ("b", "m", "n"), "Q": ("b", "n", "k"), "W": ("k", "n", "m"),
    "u": (3,), "v": (3,), "E": ("m", 3), "G": ("m", 4), "H": (3, 3),
}  # fmt: skip
NAMES: dict[str, Any] = {"torch": torch, "F": F, "nn": nn, "math": math, "np": np}


@dataclass(frozen=True)
class Case:
    """A line of torch code over the arguments of SHAPES that it names."""

    code: str

    name = "f"
    reads: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", {})

    @property
    def names(self) -> list[str]:
        used = compile(self.body, "<case>", "exec").co_names
        return [name for name in SHAPES if name in used]

    @property
    def body(self) -> str:
        lines = self.code.split("; ")
        return "\n".join([*lines[:-1], f"_ = {lines[-1]}"])

    def function(self, *arguments: Tensor) -> Tensor:
        scope = {**NAMES, **dict(zip(self.names, arguments, strict=True))}
        exec(compile(self.body, "<case>", "exec"), scope)
        value: Tensor = scope["_"]
        return value

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(inputs[name] for name in self.names), {}

    def inputs(self, seed: int, low: float, high: float) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        shapes = {name: [SIZES.get(str(s), s) for s in SHAPES[name]] for name in self.names}
        return {
            name: low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
            for name, shape in shapes.items()
        }

    def traced(self, inputs: Mapping[str, Tensor]) -> Trace:
        return trace(self, {name: SHAPES[name] for name in self.names}, inputs, SIZES)

    def value(self, inputs: Mapping[str, Tensor]) -> Tensor:
        with float64(), Float64({}):  # as the trace runs it
            return self.function(*(1 * t for t in inputs.values()))


def lines(table: str) -> list[str]:
    """The calls of a table, which are apart by " | "."""
    return [call.strip() for line in table.strip().splitlines() for call in line.split(" | ")]


def leaves(found: Trace, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.reshape([s for s in t.shape if s != 1]) for name, t in inputs.items()}


def check(code: str, low: float, high: float, smooth: bool = False) -> None:
    """Value, gradient of a weighted sum of the entries, and (smooth) gradient of a sum of that."""
    case = Case(code)
    found = case.traced(case.inputs(1, low, high))
    inputs = case.inputs(2, low, high)
    own = leaves(found, inputs)
    recorded = {name: t.clone().requires_grad_() for name, t in inputs.items()}
    right = case.value(recorded)
    value = evaluate(found.node, own, SIZES)
    torch.testing.assert_close(value.reshape(right.shape), right.detach().double(), rtol=1e-9, atol=1e-9)
    if not right.requires_grad:
        return
    axes = range(len(found.node.shape))
    total = product([(found.node, axes), (found.node, axes)], (), ())  # Σ f², so that every entry has its own weight
    squares = (right * right).sum()
    slopes = torch.autograd.grad(squares, list(recorded.values()), create_graph=smooth, materialize_grads=True)
    for name, slope in zip(recorded, slopes, strict=True):
        node = differentiate(total, found.inputs[name][0])
        ours = evaluate(node, own, SIZES).reshape(slope.shape)
        torch.testing.assert_close(ours, slope.detach(), rtol=1e-8, atol=1e-8)
        if smooth and slope.requires_grad:
            again = product([(node, range(len(node.shape)))], (), ())
            seconds = torch.autograd.grad(
                slope.sum(), list(recorded.values()), retain_graph=True, materialize_grads=True
            )
            for other, second in zip(recorded, seconds, strict=True):
                ours = evaluate(differentiate(again, found.inputs[other][0]), own, SIZES)
                torch.testing.assert_close(ours.reshape(second.shape), second, rtol=1e-7, atol=1e-7)


# ---- tables: entries are taken from (low, high) -------------------------------------------------------------------

ANYWHERE = """
torch.exp(x) | x.exp() | 1 * x.clone().exp_() | torch.expm1(x) | torch.special.expm1(x) | torch.sin(A) | x.cos()
x.tan() | x.sinh() | torch.cosh(x) | x.tanh() | F.tanh(x) | nn.Tanh()(x) | x.atan() | torch.arctan(x) | torch.asinh(x)
x.arcsinh() | torch.sigmoid(x) | x.sigmoid() | F.sigmoid(x) | torch.special.expit(x) | nn.Sigmoid()(x) | F.softplus(x)
nn.Softplus()(x) | F.softplus(x, beta=2) | F.softplus(x, 0.5, 30) | F.logsigmoid(x) | nn.LogSigmoid()(x) | F.silu(x)
nn.SiLU()(A) | F.mish(x) | F.gelu(x) | F.gelu(x, approximate='tanh') | nn.GELU()(A) | nn.GELU('tanh')(A)
F.tanhshrink(x) | nn.Tanhshrink()(x) | torch.erf(x) | x.erf() | torch.special.erf(x) | x.erfc() | torch.erfc(x)
torch.special.erfc(x) | torch.special.ndtr(x) | torch.special.log_ndtr(x) | torch.exp2(x) | x.exp2()
torch.special.exp2(x) | 2 ** x | 0.5 ** A | math.e ** x | torch.pow(3, x) | torch.logaddexp(x, y)
torch.logaddexp(A, x) | torch.logaddexp2(x, y) | torch.sinc(x) | torch.special.sinc(x) | x.deg2rad()
torch.rad2deg(x) | torch.atan2(x, 2 + y * y) | x.atan2(2 + y * y) | torch.arctan2(x, 2 + y * y)
torch.hypot(x, 1 + y * y) | F.glu(G) | F.glu(G, -1) | F.glu(G, dim=1) | nn.GLU()(G) | F.softsign(1 + x * x) | x + y
x + 1 | 1 + x | x.add(y, alpha=2) | torch.add(A, x, alpha=0.5) | x - y | 2 - x | torch.subtract(x, y)
torch.rsub(x, y, alpha=3) | -x | +x | torch.neg(x) | x.negative() | torch.lerp(x, y, 0.25) | x.lerp(y, t)
torch.lerp(x, y, y) | torch.addcmul(x, x, y) | x.addcmul(x, y, value=2) | torch.addcdiv(x, y, 2 + x * x, value=0.5)
x / 3 | x / 0.7 | A / 7 | 1 / (2 + x * x) | x / (2 + y * y) | torch.div(x, 2 + y * y) | torch.true_divide(x, 4)
torch.reciprocal(2 + x * x) | torch.square(x) | x ** 2 | x ** 3 | x ** 7 | torch.pow(x, 2) | x.pow(3)
torch.float_power(x, 2) | x.pow(torch.tensor(2.0)) | (1 + x * x) ** y | torch.pow(1 + x * x, x)
torch.sqrt(1 + x * x) | torch.rsqrt(1 + x * x) | (1 + x * x).rsqrt() | (2 + x * x) ** -1.5 | (1 + x * x) ** (1 / 3)
x * True | x * np.float64(2.5) | np.float64(2.5) * x | x * np.int64(3) | x + np.float32(0.5) | x * t | t * A
x * torch.tensor(0.5)
w = x.clone(); w += y; w *= 2; w /= 3; w -= 1; w **= 2; w
w = x.clone(); w.mul_(y).add_(1).neg_().square_(); w
w = 1 * x; w.sigmoid_(); w
x.clone() | x.contiguous() | x.cpu() | x.double() | x.float() | x.to(torch.float64) | x.to('cpu') | x.to(y)
x.type(torch.float64) | x.type_as(y) | x.to(dtype=x.dtype) | (1 * x).requires_grad_() | torch.clone(x)
torch.nan_to_num(x) | x.nan_to_num(0.0) | x.conj() | x.float().double() | x.to(x.device, torch.float64)
torch.positive(x) | torch.special.i0(1 + x * x) | torch.i0(x) | torch.special.i1(2 + x) | torch.special.i0e(x)
torch.special.i1e(2 + x) | torch.special.erfcx(x) | torch.ldexp(x, y) | x + torch.zero_(1 * y)
F.dropout(x, 0.5, training=False) | nn.Dropout(0.3).eval()(x) | F.dropout(x, 0.0, training=True)
torch.dropout(x, 0.5, False) | F.alpha_dropout(x, 0.1, False) | nn.Identity()(x)
"""

POSITIVE = """
torch.log(x) | x.log() | torch.log1p(x) | x.log1p() | torch.log2(x) | x.log2() | torch.log10(A) | x.log10()
torch.lgamma(x) | x.lgamma() | torch.special.gammaln(x) | torch.digamma(x) | torch.special.psi(x)
torch.polygamma(1, x) | x.polygamma(1) | torch.special.polygamma(1, x) | x.polygamma(0) | torch.xlogy(x, y)
x.xlogy(y) | torch.special.xlogy(x, y) | torch.xlogy(x, 2) | torch.special.xlog1py(x, y) | torch.special.entr(x)
x.sqrt() | torch.sqrt(x) | x.rsqrt() | x ** 0.5 | x ** -0.5 | x ** y | x ** t | torch.pow(x, y) | torch.pow(x, 1.7)
torch.float_power(x, y) | torch.acosh(1 + x) | (1 + x).arccosh() | torch.atanh(x / 2) | torch.asin(x / 2)
(x / 2).arcsin() | torch.acos(x / 2) | torch.arccos(x / 2) | (x / 2).arctanh() | torch.logit(x / 2)
torch.special.logit(x / 2) | torch.logit(x / 2, eps=1e-6) | torch.atan2(x, y) | torch.hypot(x, y) | x / y | 1 / x
2 / x | torch.mvlgamma(1 + x, 3) | torch.special.multigammaln(x + 2, 4) | torch.special.ndtri(x / 2)
torch.erfinv(x / 2) | torch.special.erfinv(x / 2) | x ** torch.tensor(1.5) | t ** x | A ** x | torch.divide(x, y)
"""

KINKED = """
torch.relu(x) | x.relu() | F.relu(x) | nn.ReLU()(A) | F.relu(1 * x, inplace=True) | nn.ReLU(inplace=True)(1 * x)
(1 * x).relu_() | F.relu6(8 * x) | nn.ReLU6()(8 * x) | F.leaky_relu(x) | F.leaky_relu(x, 0.2) | nn.LeakyReLU(0.1)(x)
F.elu(x) | F.elu(x, 0.5) | nn.ELU(alpha=2.0)(x) | F.celu(x, 1.5) | nn.CELU()(x) | F.selu(x) | nn.SELU()(A)
torch.selu(x) | F.prelu(x, 0.25 * torch.ones(1)) | F.prelu(A, x) | F.prelu(x, t.reshape(1)) | F.rrelu(x)
nn.RReLU().eval()(x) | F.hardtanh(x) | F.hardtanh(2 * x, -0.5, 0.7) | nn.Hardtanh()(2 * x) | nn.Hardswish()(4 * x)
F.hardswish(x) | F.softsign(x) | nn.Softsign()(x) | F.softshrink(x) | F.softshrink(x, 0.2) | nn.Softshrink()(x)
F.hardshrink(x) | nn.Hardshrink(0.3)(x) | F.threshold(x, 0.1, -2) | nn.Threshold(0.2, 0)(x) | F.softplus(9 * x, 1, 5)
x.abs() | abs(x) | torch.absolute(x) | x.sign() * x | torch.sgn(x) * x | torch.clamp(x, 0) | x.clamp(min=0)
x.clamp(min=0.1) | x.clamp(max=0.5) | torch.clamp(x, -0.5, 0.5) | x.clip(-1, 0.3) | x.clamp_min(0.2)
x.clamp_max(0.1) | torch.clamp(x, min=y) | torch.clamp(x, y, y + 0.2) | torch.clip(x, max=0.2)
(1 * x).clamp_(0, 0.5) | x.clamp(-float('inf'), 0.5) | torch.maximum(x, y) | x.maximum(y) | torch.minimum(x, y)
torch.fmax(x, y) | torch.fmin(A, x) | torch.maximum(x, torch.zeros_like(x)) | torch.minimum(A, x) | torch.max(x, y)
torch.min(x, y) | torch.where(x > 0, x, y) | torch.where(x > 0, x, 0) | torch.where(x > y, x * y, 2.0)
x.where(x > 0, y) | torch.where(A > 0, A, x) | torch.where(x > 0, torch.log1p(x.abs()), x)
torch.where((x > 0) & (y < 0.5), x, y) | torch.where(~(x > 0), x, y * y) | torch.where((x > 0)|(y > 0), x, 2 * y)
torch.where(x >= 0, x, torch.exp(x) - 1) | torch.where(x.abs() < 0.5, 0.5 * x ** 2, x.abs() - 0.125) | (x > 0) * y
(x > 0).double() * x | (x < y).float() * x | (x >= y).to(x.dtype) * x | (x <= 0.3).type_as(x) * x | (x > 0).long() * x
(x > 0).int() * x | (0.1 < x) * x | x.gt(0) * x | x.ge(y) * x | torch.lt(x, 0.1) * x | torch.le(x, y) * x
(x == y) * x | (x != y) * x | torch.eq(x, x) * x | x.ne(0) * x | (x > 0).logical_not() * x
torch.logical_and(x > 0, y > 0) * x | torch.logical_or(x > 0, y > 0) * x | torch.logical_xor(x > 0, y > 0) * x
((x > 0) ^ (y > 0)) * x | (x > 0).bool() * x | x.greater(0) * x | torch.less_equal(x, y) * x
(x > 0).bitwise_not() * x | torch.bitwise_and(x > 0, y > 0) * x | x.bool() * x | (1 * x).gt_(0) * y | x * x.floor()
x * torch.ceil(3 * x) | x * torch.round(3 * x) | x * torch.trunc(3 * x) | x * x.fix() | x * torch.round(x, decimals=1)
(5 * x) % 2 | x * (7 % (2 + x.detach())) | torch.remainder(5 * x, 1.5 + y) | torch.fmod(5 * x, 1.5) | (5 * x).frac()
x * (5 * x.detach() // 2) | x * (7 // (2 + x.detach())) | x * torch.floor_divide(5 * x.detach(), 2)
x * torch.div(5 * x, 2, rounding_mode='floor') | x * torch.div(5 * x, 2 + y, rounding_mode='trunc')
torch.copysign(x, y) | x * torch.heaviside(x.detach(), torch.tensor(0.5)) | x * torch.signbit(y) | x * x.isfinite()
x + x.isnan() | x * (5 * x).long() | x * (5 * x).to(torch.int64) | torch.where(x.isinf(), 0.0, x)
x * (5 * x.detach()).int() | torch.tensor(x) * y | x.detach() * x | x * x.angle() | x * (x > 0).long().bool()
(x > 0).byte() * x
"""

PRODUCTS = """
A @ x | A.matmul(x) | torch.mv(A, x) | A.mm(C) | torch.matmul(P, Q) | torch.bmm(P, Q) | torch.linalg.matmul(A, C)
P @ C | P @ x | A.__matmul__(x) | C.__rmatmul__(A) | torch.dot(x, y) | x.vdot(y) | torch.inner(A, B)
torch.inner(A, x) | torch.inner(t, x) | torch.outer(x, z) | x.ger(z) | torch.multiply(x, y) | x.mul(3) | 2 * x | x * A
torch.linalg.vecdot(x, y) | torch.linalg.vecdot(A, B) | torch.linalg.vecdot(A, B, dim=0) | torch.linalg.vecdot(A, x)
torch.linalg.multi_dot([z, A, C]) | torch.linalg.multi_dot([A, S, S, x]) | torch.linalg.multi_dot((A, C))
torch.chain_matmul(A, S, C) | torch.bilinear(x[None], z[None], W, None) | F.bilinear(x, z, W)
F.bilinear(A, B @ torch.ones(6, 8), W) | F.bilinear(x, z, W, C[0]) | torch.addmm(C[0], A, C)
torch.addmm(A, A, S, beta=0.5, alpha=2) | torch.addmv(z, A, x) | z.addmv(A, x, alpha=3) | torch.addr(A, z, x)
torch.addr(A, z, x, beta=2, alpha=-1) | torch.baddbmm(P, P, S.expand(10, 6, 6)) | torch.addbmm(torch.ones(8, 5), P, Q)
A.addmm(A, S) | torch.baddbmm(torch.zeros(10, 8, 5), P, Q, beta=-1, alpha=2) | torch.addmv(z, A, x, beta=0)
torch.tensordot(A, C, 1) | torch.tensordot(A, B, 2) | torch.tensordot(x, z, 0)
torch.tensordot(A, B, dims=([0, 1], [0, 1])) | torch.tensordot(A, C, dims=[[1], [0]])
torch.tensordot(A, A, dims=((0,), (0,))) | torch.tensordot(P, Q, dims=([0, 2], [0, 1]))
torch.tensordot(A, B, dims=([-1], [-1])) | torch.tensordot(W, x, dims=([1], [0])) | torch.einsum('ij,j->i', A, x)
torch.einsum('ij,j', A, x) | torch.einsum(' i j , j k -> i k', A, C) | torch.einsum('Ij,jK->KI', A, C)
torch.einsum('ii', S) | torch.einsum('ii->i', S) | torch.einsum('ij->', A) | torch.einsum('ij->j', A)
torch.einsum('ba', A) | torch.einsum('bA', A) | torch.einsum('...i,...i->...', A, B)
torch.einsum('...ij,jk->...ik', P, C) | torch.einsum('...ij,...jk', P, Q) | torch.einsum('i...->...', A)
torch.einsum('b...,b...->...', P, P) | torch.einsum('...j,j', A, x) | torch.einsum('...,...->...', A, x)
torch.einsum(A, [0, 1], x, [1], [0]) | torch.einsum(A, [0, 1], x, [1]) | torch.einsum(A, [..., 1], x, [1])
torch.einsum('ij,j->i', [A, x]) | torch.einsum('bij,bjk,k->bi', P, Q, C[0]) | torch.einsum('i,j,ij->', z, x, A)
torch.einsum('i,i,i->i', x, y, x) | torch.einsum(',i->i', t, x) | torch.einsum('ij,kj->ik', A, r)
torch.einsum('...a,ab->...b', A, C) | torch.cross(u, v, dim=0) | torch.linalg.cross(u, v)
torch.cross(E, v.expand(8, 3), dim=1) | torch.linalg.cross(E, v.expand(8, 3)) | u.cross(v)
torch.linalg.cross(H, H.T, dim=0)
"""

DISTANCES = """
torch.exp(-torch.cdist(A, A) ** 2) | torch.cdist(A, A).square() | torch.cdist(P, P).pow(4) | torch.exp(-torch.cdist(A, A))
torch.cdist(A, B) | torch.cdist(A, B, p=1) | torch.cdist(A, A) | torch.cdist(A, C.T @ S) | torch.cdist(P, P)
torch.cdist(A, A, p=1) | torch.cdist(A, B, p=2.0, compute_mode='donot_use_mm_for_euclid_dist') | torch.dist(x, y)
torch.dist(A, B, 1) | x.dist(y)
"""

CONSTANTS = """
x * torch.ones(6) | torch.ones(x.shape[0]) * x | torch.ones(x.shape) @ x | torch.ones((8, 6)) * A
torch.ones(size=(6,)) * x | torch.ones(8, 6, dtype=torch.float64) * A | torch.zeros(6) + x | torch.zeros(A.shape) + A
torch.zeros(()) + t | torch.zeros(1) + x | torch.full((6,), 2.5) * x | torch.full(x.shape, 3) * x
torch.full((8, 1), 0.5, dtype=x.dtype) * A | torch.full_like(x, 2.0) * x | torch.ones_like(A) @ x
torch.zeros_like(x) + x | x.new_ones(6) * x | x.new_zeros(8, 6) + A | x.new_full((6,), 1.5) * x
x.new_tensor([1.0, 2.0]) * x[0] | x.new_ones((6,)) @ x | torch.ones(6, requires_grad=True) * x
torch.ones(6, device='cpu') * x | torch.eye(6) @ x | S + torch.eye(6) | torch.eye(8, 6) @ x | torch.eye(6, 8) @ z
torch.eye(6, 6) @ x | torch.eye(1) * x | torch.eye(3) @ u | torch.eye(1, 6) @ x | torch.eye(2, 3) @ u
torch.eye(x.shape[0], dtype=x.dtype) * S | torch.arange(6) * x | torch.arange(1, 7) * x | torch.arange(1, 13, 2) * x
torch.arange(6, 0, -1) * x | torch.arange(6.0) @ x | torch.arange(0, 0.6, 0.1) * x
torch.arange(len(x), dtype=torch.float64) @ x | x ** torch.arange(6) | torch.arange(x.shape[0])[:, None] * S
torch.linspace(0, 1, 6) * x | torch.linspace(-1, 2, steps=8) @ A | torch.linspace(3, 3, 1) * x
torch.logspace(0, 1, 6) * x | torch.linspace(0, 1, x.numel(), dtype=torch.float64) @ x | torch.tensor(2.0) * x
torch.tensor([2.0]) * x | torch.tensor([1.0, 2.0, 3.0]) @ u | torch.tensor([[1, 2, 3], [4, 5, 6]]) * u
torch.tensor([1, 0, 1]) * u | torch.tensor((1.0, -1.0, 0.0)) @ u | torch.tensor([True, False, True]) * u
torch.tensor(True) * x | torch.tensor(np.array([1.0, 2.0, 3.0])) @ u | torch.as_tensor([1.0, 2.0, 3.0]) @ u
torch.as_tensor(x) * 2 | torch.scalar_tensor(3.0) * x | torch.tensor([[2.0]]) @ r | torch.tensor(math.pi) * x
torch.as_tensor(2) * x | torch.asarray([1.0, 2.0, 3.0]) * u | torch.ones(6).fill_(2.0) * x | (1 * x).zero_() + y
(1 * x).fill_(3) * y | torch.zeros(6).fill_(t) * x
"""

BY_KEYWORD = """
torch.add(input=x, other=y) | torch.add(x, other=y, alpha=2) | torch.where(condition=x > 1, input=x, other=y)
torch.clamp(input=x, min=1) | F.leaky_relu(input=x, negative_slope=0.1) | x * torch.full(size=(6,), fill_value=2.0)
x * torch.arange(end=6) | x * torch.arange(start=0, end=6, step=1) | x * torch.linspace(start=0, end=1, steps=6)
torch.pow(input=x, exponent=2) | torch.pow(self=2, exponent=x) | torch.addmm(input=A, mat1=A, mat2=S)
torch.addmv(z, mat=A, vec=x) | torch.lerp(input=x, end=y, weight=0.3) | torch.dot(input=x, tensor=y)
torch.outer(input=x, vec2=z) | torch.tensordot(a=A, b=C, dims=1) | torch.bmm(input=P, mat2=Q)
torch.mv(input=A, vec=x) | torch.cdist(x1=A, x2=B) | torch.polygamma(n=1, input=x) | torch.xlogy(input=x, other=y)
torch.div(x, other=y, rounding_mode=None) | torch.mul(input=x, other=y) | torch.gt(input=x, other=1) * x
torch.logical_and(input=x > 1, other=y > 1) * x | torch.relu(input=x) | F.gelu(input=x, approximate='none')
F.softplus(input=x, beta=2) | torch.exp(input=x) | torch.maximum(input=x, other=y)
torch.addcmul(input=x, tensor1=x, tensor2=y, value=2) | torch.matmul(input=A, other=x) | torch.atan2(input=x, other=y)
torch.einsum('i,i', x, y) | x.clamp(min=torch.tensor(1.0)) | torch.remainder(input=x, other=2)
torch.baddbmm(P, batch1=P, batch2=S.expand(10,6,6)) | torch.addr(A, vec1=z, vec2=x) | torch.linalg.vecdot(x=x, y=y)
torch.linalg.cross(input=u, other=v) | torch.vdot(x, other=y) | torch.hypot(input=x, other=y)
torch.rsub(input=x, other=y) | torch.rsub(x, 1) | torch.float_power(input=x, exponent=2)
torch.fmod(input=x, other=2) | x.to(device='cpu', dtype=torch.float64) | x * torch.eye(n=6, m=6)
torch.tensor(data=[1.,2.,3.]) @ u | torch.as_tensor(data=x) | torch.logit(input=x/2, eps=1e-3)
F.bilinear(input1=x, input2=z, weight=W) | torch.round(input=x, decimals=1)*x | torch.copysign(input=x, other=y)
torch.heaviside(input=x.detach(), values=y.detach()) * x | torch.special.xlogy(input=x, other=y)
F.hardtanh(input=x, min_val=0.5, max_val=1.0) | F.threshold(input=x, threshold=1, value=2) | F.glu(input=G, dim=-1)
F.prelu(input=x, weight=t.reshape(1)) | F.elu(input=x, alpha=2)  | torch.dist(input=x, other=y, p=2)
torch.inner(input=x, other=y) | torch.ger(input=x, vec2=z) | torch.chain_matmul(A, S)
torch.linalg.multi_dot(tensors=[A, S, x]) | torch.subtract(x, other=y, alpha=2) | x.sub(other=y)
torch.true_divide(x, other=y) | torch.sub(x, y, alpha=2) | x.where(condition=x > 1, other=y)
x.lerp(end=y, weight=0.5) | x.addcdiv(tensor1=x, tensor2=y, value=0.5) | x.ge(other=1) * x
"""


@pytest.mark.parametrize("code", lines(BY_KEYWORD))
def test_by_keyword(code: str) -> None:
    check(code, 0.4, 1.6)


@pytest.mark.parametrize("code", lines(ANYWHERE))
def test_smooth(code: str) -> None:
    check(code, -1.5, 1.5, smooth=True)


@pytest.mark.parametrize("code", lines(POSITIVE))
def test_smooth_of_positive_numbers(code: str) -> None:
    check(code, 0.4, 1.6, smooth=True)


@pytest.mark.parametrize("code", lines(KINKED))
def test_kinked(code: str) -> None:
    check(code, -1.5, 1.5)


def test_hardsigmoid() -> None:
    """By value: torch 2.13 computes its slope, 1/6, in float32."""
    found = Case("F.hardsigmoid(3 * x)").traced({"x": torch.linspace(-2, 2, 6, dtype=torch.float64)})
    slope = differentiate(product([(found.node, (0,))], (), ()), found.inputs["x"][0])
    value = evaluate(slope, {"x": torch.linspace(-2, 2, 6, dtype=torch.float64)}, SIZES)
    assert value.tolist() == [0, 0, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize("code", lines(PRODUCTS))
def test_products(code: str) -> None:
    check(code, -1.5, 1.5, smooth=True)


@pytest.mark.parametrize("code", lines(DISTANCES))
def test_distances(code: str) -> None:
    """Where rows coincide torch's slope is 0, and so is ours."""
    check(code, -1.5, 1.5)


@pytest.mark.parametrize("code", lines(CONSTANTS))
def test_constants(code: str) -> None:
    check(code, 0.4, 1.6)


REFUSED = {
    "F.dropout(x, 0.5)": "random",
    "nn.Dropout(0.5)(x)": "random",
    "F.rrelu(x, training=True)": "random",
    "torch.tensor([x[0], x[1]]) @ y[:2]": "torch.stack",
    "x + float('nan')": "nan",
    "torch.tensor([0.5] * 99).sum() * x": "64 numbers",
    "~x.long() * y": "another value",
    "torch.logical_and(x, y) * x": "another value",
    "torch.cdist(A, B, p=0)": "p=0",
}


@pytest.mark.parametrize("code", REFUSED)
def test_refused_with_the_reason(code: str) -> None:
    case = Case(code)
    with pytest.raises(TraceError, match=REFUSED[code]):
        case.traced(case.inputs(1, -1.5, 1.5))
