"""Functions of whole vectors and matrices: one row each, with its torch code, how it is written, and its adjoint.

A row's function takes the last one or two axes of its arguments; axes before are a batch.  The adjoint rule says what a
derivative by the result is by the argument: `Y = inv(X)` has X̄_ij = -Σ Y_ki Ȳ_kl Y_jl, which is the line
`scale(-1, pull("kl,ki,jl->ij", y, y))`, with Ȳ as the first operand of `pull`.
Sources: Matrix Cookbook (2012), sections 2.1 to 2.3; M. Giles, "An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008); for the pseudoinverse Golub and Pereyra (1973).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .expr import Call, Node, add, call, delta, elementwise, permute, power, product, scale, triangle
from .lengths import Size

Shape = tuple[Size, ...]


class NoDerivative(ValueError):
    """A derivative that has no rule here."""


class Pull:
    """Takes the adjoint of a call's result to one of its argument: an einsum whose first operand is that adjoint."""

    def __init__(self, y: Call, adjoint: Node, takes: int) -> None:
        self.y, self.adjoint = y, adjoint
        self.batch = len(y.args[0].shape) - takes
        self.front = len(adjoint.shape) - len(y.shape)  # the axes of the function that is differentiated

    def __call__(self, spec: str, *operands: Node) -> Node:
        """The einsum over the functions' own axes; an operand with more axes than letters has the batch in front."""
        left, _, out = spec.partition("->")
        batch = [f"b{k}" for k in range(self.batch)]
        front = [f"f{k}" for k in range(self.front)]
        factors: list[tuple[Node, list[str]]] = []
        for node, letters in zip((self.adjoint, *operands), left.split(","), strict=True):
            lead = front + batch if node is self.adjoint and not factors else batch
            factors.append((node, [*(lead if len(node.shape) > len(letters) else []), *letters]))
        names = {name: k for k, name in enumerate(dict.fromkeys(n for _, own in factors for n in own))}
        sizes = {name: size for node, own in factors for name, size in zip(own, node.shape, strict=True)}
        whole = [*front, *batch, *out]
        return product(
            [(node, [names[n] for n in own]) for node, own in factors],
            [sizes[n] for n in whole],
            [names[n] for n in whole],
        )

    def spread(self, node: Node) -> Node:
        """An argument repeated along the axes of the function that is differentiated."""
        shape = (*self.adjoint.shape[: self.front], *node.shape)
        return product([(node, range(self.front, len(shape)))], shape, range(len(shape)))


Adjoint = Callable[[Call, Pull], Sequence[Node]]


@dataclass(frozen=True)
class MatrixFunction:
    """How many last axes it takes, what shape it gives, its torch code, how it is written, its adjoint by argument.

    It is written name(X), or by a template with □ for X and @ for what says that the function is of each row; what
    comes after a ¦ is for that case.
    """

    takes: int
    gives: Callable[[Shape], Shape]
    torch: str
    latex: str
    text: str
    adjoint: Adjoint


# ---- shapes -------------------------------------------------------------------------------------------------------


def _same(core: Shape) -> Shape:
    return core


def _turned(core: Shape) -> Shape:
    return core[::-1]


def _scalar(core: Shape) -> Shape:
    return ()


def _side(core: Shape) -> Shape:
    return core[:1]


# ---- making calls -------------------------------------------------------------------------------------------------


def of(name: str, *args: Node) -> Node:
    """The function of these arguments, the batch in front."""
    takes = FUNCTIONS_OF_MATRICES[name].takes
    first = args[0].shape
    batch, core = first[: len(first) - takes], first[len(first) - takes :]
    return call(name, (*batch, *FUNCTIONS_OF_MATRICES[name].gives(core)), *args)


def inverse(x: Node) -> Node:
    """X⁻¹, of the last two axes."""
    return of("inverse", x)


def turned(x: Node) -> Node:
    """The last two axes exchanged."""
    rank = len(x.shape)
    return permute(x, (*range(rank - 2), rank - 1, rank - 2))


def matmul(a: Node, b: Node) -> Node:
    """The matrix product of the last two axes, with one batch."""
    rank = len(a.shape)
    batch = range(rank - 2)
    shape = (*a.shape[:-1], b.shape[-1])
    return product([(a, [*batch, rank, rank + 1]), (b, [*batch, rank + 1, rank + 2])], shape, [*batch, rank, rank + 2])


def _less(x: Node) -> Node:
    """I - X"""
    rank = len(x.shape)
    unit = product([(delta(x.shape[-1]), (rank - 2, rank - 1))], x.shape, range(rank))
    return add([(1, unit), (-1, x)], x.shape)


# ---- adjoints -----------------------------------------------------------------------------------------------------


def _constant(y: Call, pull: Pull) -> Sequence[Node]:
    """Piecewise constant: no derivative."""
    return [scale(0, pull.spread(y.args[0]))]


def _unknown(y: Call, pull: Pull) -> Sequence[Node]:
    raise NoDerivative(f"the derivative of {y.function} has no rule here")


def _inverse(y: Call, pull: Pull) -> Sequence[Node]:
    return [scale(-1, pull("kl,ki,jl->ij", y, y))]


def _pinv(y: Call, pull: Pull) -> Sequence[Node]:
    (x,) = y.args
    left, right = _less(matmul(x, y)), _less(matmul(y, x))
    parts = [
        (-1, pull("kl,ki,jl->ij", y, y)),
        (1, pull("ab,ib,aj->ij", left, matmul(y, turned(y)))),
        (1, pull("ab,aj,ib->ij", right, matmul(turned(y), y))),
    ]
    return [add(parts, parts[0][1].shape)]


def _expm(y: Call, pull: Pull) -> Sequence[Node]:
    return [of("expm_frechet", pull.spread(turned(y.args[0])), pull.adjoint)]


def _expm_frechet(y: Call, pull: Pull) -> Sequence[Node]:
    """Linear in the direction, by which the adjoint is the same with Xᵀ."""
    direction = of("expm_frechet", pull.spread(turned(y.args[0])), pull.adjoint)
    return [of("expm_frechet_by_matrix", *map(pull.spread, y.args), pull.adjoint), direction]


def _cholesky(y: Call, pull: Pull) -> Sequence[Node]:
    """L⁻ᵀ P L⁻¹ symmetrised, P the lower triangle of Lᵀ L̄ with half its diagonal, as torch gives it."""
    size = y.shape[-1]
    half = add([(1, permute(triangle(size, size, 0), (1, 0))), (Fraction(-1, 2), delta(size))], (size, size))
    spec, inner = "aj,ai,ij,ik,jl->", inverse(y)
    parts = [(Fraction(1, 2), pull(spec + out, y, half, inner, inner)) for out in ("kl", "lk")]
    return [add(parts, parts[0][1].shape)]


def _eigenvectors(y: Call, pull: Pull) -> Sequence[Node]:
    """V (Vᵀ V̄ ⊙ F) Vᵀ with F_ij = 1 / (λ_j - λ_i), 0 on the diagonal."""
    values = of("eigenvalues", *y.args)
    rank = len(y.shape)
    batch = range(rank - 2)
    columns = product([(values, (*batch, rank - 1))], y.shape, range(rank))
    rows = product([(values, (*batch, rank - 2))], y.shape, range(rank))
    gaps = elementwise("reciprocal_or_0", add([(1, columns), (-1, rows)], y.shape))
    return [pull("ab,ac,cb,ic,jb->ij", y, gaps, y, y)]


def _singular_values(y: Call, pull: Pull) -> Sequence[Node]:
    """U diag(s̄) Vᵀ"""
    (x,) = y.args
    left = call("left_singular", (*x.shape[:-1], y.shape[-1]), x)
    right = call("right_singular", (*x.shape[:-2], y.shape[-1], x.shape[-1]), x)
    return [pull("k,ik,kj->ij", left, right)]


def _sorted(y: Call, pull: Pull) -> Sequence[Node]:
    """The order that sorts the entries is constant around almost every point."""
    (x,) = y.args
    return [pull("k,ki->i", call("sorting", (*x.shape, x.shape[-1]), x))]


def _softmax(y: Call, pull: Pull) -> Sequence[Node]:
    own, other = pull("i,i->i", y), pull("k,k,i->i", y, y)
    return [add([(1, own), (-1, other)], own.shape)]


FUNCTIONS_OF_MATRICES: dict[str, MatrixFunction] = {
    "inverse": MatrixFunction(2, _turned, "torch.linalg.inv({0})", "", "", _inverse),
    "pinv": MatrixFunction(2, _turned, "torch.linalg.pinv({0})", "", "", _pinv),
    "det": MatrixFunction(
        2, _scalar, "torch.linalg.det({0})", r"\det", "det", lambda y, pull: [pull(",,ji->ij", y, inverse(y.args[0]))]
    ),
    "logdet": MatrixFunction(
        2, _scalar, "torch.logdet({0})", r"\log\det", "log det", lambda y, pull: [pull(",ji->ij", inverse(y.args[0]))]
    ),
    "logabsdet": MatrixFunction(
        2, _scalar, "torch.linalg.slogdet({0})[1]", r"\log \lvert \det(□) \rvert", "log |det(□)|",
        lambda y, pull: [pull(",ji->ij", inverse(y.args[0]))],
    ),
    "signdet": MatrixFunction(
        2, _scalar, "torch.linalg.slogdet({0})[0]", r"\operatorname{sign}\det", "sign det", _constant
    ),
    "expm": MatrixFunction(2, _same, "torch.linalg.matrix_exp({0})", "e^{□}", "expm(□)", _expm),
    "expm_frechet": MatrixFunction(
        2,
        _same,
        "torch.linalg.matrix_exp(torch.cat([torch.cat([{0}, {1}], -1), torch.cat([torch.zeros_like({0}), {0}], -1)], -2))"
        "[..., :({0}).shape[-1], ({0}).shape[-1]:]",
        r"L_{\exp}",
        "L_exp",
        _expm_frechet,
    ),
    "expm_frechet_by_matrix": MatrixFunction(2, _same, "", "", "", _unknown),
    "cholesky": MatrixFunction(
        2, _same, "torch.linalg.cholesky({0})", r"\operatorname{chol}", "chol", _cholesky
    ),
    "eigenvalues": MatrixFunction(
        2, _side, "torch.linalg.eigvalsh({0})", r"\lambda", "λ",
        lambda y, pull: [pull("k,ik,jk->ij", of("eigenvectors", *y.args), of("eigenvectors", *y.args))],
    ),
    "eigenvectors": MatrixFunction(2, _same, "torch.linalg.eigh({0}).eigenvectors", "Q", "Q", _eigenvectors),
    "nuclear": MatrixFunction(
        2, _scalar, 'torch.linalg.matrix_norm({0}, "nuc")', r"\lVert □ \rVert_*", "‖□‖_*",
        lambda y, pull: [pull(",ij->ij", of("polar", *y.args))],
    ),
    "polar": MatrixFunction(
        2, _same,
        "(torch.linalg.svd({0}, full_matrices=False).U @ torch.linalg.svd({0}, full_matrices=False).Vh)",
        r"\operatorname{polar}", "polar", _unknown,
    ),
    "spectral": MatrixFunction(
        2, _scalar, "torch.linalg.matrix_norm({0}, 2)", r"\lVert □ \rVert_2", "‖□‖₂",
        lambda y, pull: [pull(",ij->ij", of("top_singular", *y.args))],
    ),
    "top_singular": MatrixFunction(
        2, _same,
        "(torch.linalg.svd({0}).U[..., :, :1] @ torch.linalg.svd({0}).Vh[..., :1, :])",
        r"u_1(□) v_1(□)^{\top}", "u₁(□) v₁(□)ᵀ", _unknown,
    ),
    "softmax": MatrixFunction(1, _same, "torch.softmax({0}, -1)", r"\operatorname{softmax}", "softmax", _softmax),
    "logsumexp": MatrixFunction(
        1, _scalar, "torch.logsumexp({0}, -1)", r"\operatorname{logsumexp}", "logsumexp",
        lambda y, pull: [pull(",i->i", of("softmax", *y.args))],
    ),
    "max": MatrixFunction(
        1, _scalar, "torch.amax({0}, -1)", r"\max", "max", lambda y, pull: [pull(",i->i", of("argmax", *y.args))]
    ),
    "min": MatrixFunction(
        1, _scalar, "torch.amin({0}, -1)", r"\min", "min", lambda y, pull: [pull(",i->i", of("argmin", *y.args))]
    ),
    "argmax": MatrixFunction(
        1, _same, "F.one_hot(torch.argmax({0}, -1), ({0}).shape[-1]).double()",
        r"e_{\arg\max@(□)}¦\operatorname{onehot}(\arg\max@(□))", "e_{argmax@(□)}¦onehot(argmax@(□))", _constant,
    ),
    "argmin": MatrixFunction(
        1, _same, "F.one_hot(torch.argmin({0}, -1), ({0}).shape[-1]).double()",
        r"e_{\arg\min@(□)}¦\operatorname{onehot}(\arg\min@(□))", "e_{argmin@(□)}¦onehot(argmin@(□))", _constant,
    ),
    "prod": MatrixFunction(
        1, _scalar, "torch.prod({0}, -1)", r"\operatorname{prod}", "prod",
        lambda y, pull: [pull(",,i->i", y, power(y.args[0], -1))],
    ),
    "singular_values": MatrixFunction(
        2, _side, "torch.linalg.svdvals({0})", r"\operatorname{sv}", "sv", _singular_values
    ),
    "left_singular": MatrixFunction(
        2, _same, "torch.linalg.svd({0}, full_matrices=False).U", r"U", "U", _unknown
    ),
    "right_singular": MatrixFunction(
        2, _same, "torch.linalg.svd({0}, full_matrices=False).Vh", r"V(□)^{\top}", "V(□)ᵀ", _unknown
    ),
    "sorted": MatrixFunction(1, _same, "torch.sort({0}).values", r"\operatorname{sort}", "sort", _sorted),
    "sorting": MatrixFunction(
        1, _same, "F.one_hot(torch.argsort({0}), ({0}).shape[-1]).double()", r"\operatorname{sorting}", "sorting", _constant
    ),
}  # fmt: skip
