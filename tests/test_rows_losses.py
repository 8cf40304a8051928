"""Losses, distances, normalisations and attention: each call form's value and gradient at sizes that the trace has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from corefixtures import Written, difference, laid_out, squeezed, truth, written
from torch import Tensor

from matmagic.calling import float64
from matmagic.differentiate import differentiate
from matmagic.errors import TraceError
from matmagic.evaluate import evaluate
from matmagic.expr import Call, Elementwise
from matmagic.sizes import unified
from matmagic.trace import Trace, leaf_values, trace
from matmagic.walk import ordered

pytestmark = pytest.mark.filterwarnings(
    "ignore:reduction. 'mean' divides", "ignore:Using a target size", "ignore:size_average and reduce"
)

TRACED_AT = {"n": 7, "m": 10, "k": 13, "p": 16}
FRESH = {"n": 6, "m": 9, "k": 8, "p": 5}
LABELS = 5  # fewer than any number of classes

# what the names of arguments stand for; the others are any numbers
KINDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "y": lambda t: (t.abs() * 7).long() % LABELS,
    "bits": lambda t: (t > 0).double(),
    "signs": torch.sign,
    "P": torch.sigmoid,
    "Q": torch.sigmoid,
    "u": torch.exp,
    "v": torch.exp,
    "V": torch.exp,
    "counts": lambda t: (3 * t.abs()).floor(),
}

LOSSES = """
F.mse_loss(X, Y)                                      | X: n m, Y: n m      | X Y
F.mse_loss(X, Y, reduction='sum')                     | X: n m, Y: n m      | X Y
F.mse_loss(X, Y, reduction='none')                    | X: n m, Y: n m      | X
F.mse_loss(X, y, size_average=False)                  | X: n m, y: n m      | X
F.mse_loss(X, Y, weight=V)                            | X: n m, Y: n m, V: n m | X V
F.mse_loss(X, x)                                      | X: n 1, x: n        | X x
torch.nn.MSELoss(reduction='sum')(X @ x, z)           | X: n m, x: m, z: n  | X x
F.l1_loss(X, Y)                                       | X: n m, Y: n m      | X Y
torch.nn.L1Loss(reduction='none')(x, z)               | x: n, z: n          | x
F.smooth_l1_loss(X, Y)                                | X: n m, Y: n m      | X Y
F.smooth_l1_loss(X, Y, beta=0.3, reduction='sum')     | X: n m, Y: n m      | X
F.smooth_l1_loss(x, z, beta=0.0)                      | x: n, z: n          | x
torch.nn.SmoothL1Loss(beta=0.5)(X, Y)                 | X: n m, Y: n m      | X
F.huber_loss(X, Y)                                    | X: n m, Y: n m      | X Y
F.huber_loss(X, Y, delta=0.7, reduction='none')       | X: n m, Y: n m      | X
F.huber_loss(X, Y, weight=V)                          | X: n m, Y: n m, V: n m | X V
torch.nn.HuberLoss(delta=2.0)(X @ x, z)               | X: n m, x: m, z: n  | x

F.cross_entropy(X, y)                                 | X: n m, y: n        | X
F.cross_entropy(X, y, reduction='sum')                | X: n m, y: n        | X
F.cross_entropy(X, y, reduction='none')               | X: n m, y: n        | X
F.cross_entropy(x, y)                                 | x: m, y:            | x
F.cross_entropy(X, y)                                 | X: n m k, y: n k    | X
F.cross_entropy(X, y, label_smoothing=0.1)            | X: n m, y: n        | X
F.cross_entropy(X, y, weight=w)                       | X: n m, y: n, w: m  | X
F.cross_entropy(X, y, weight=w, reduction='none')     | X: n m, y: n, w: m  | X
F.cross_entropy(X, y, weight=w, label_smoothing=0.2)  | X: n m, y: n, w: m  | X
F.cross_entropy(X, y, ignore_index=1)                 | X: n m, y: n        | X
F.cross_entropy(X, y, w, ignore_index=1, label_smoothing=0.2) | X: n m, y: n, w: m | X
F.cross_entropy(X, P)                                 | X: n m, P: n m      | X P
F.cross_entropy(X, P, weight=w, label_smoothing=0.2)  | X: n m, P: n m, w: m | X P
F.cross_entropy(x, P)                                 | x: m, P: m          | x P
torch.nn.CrossEntropyLoss()(A @ X, y)                 | A: n k, X: k m, y: n | A X
F.nll_loss(torch.log_softmax(X, 1), y)                | X: n m, y: n        | X
F.nll_loss(x, y)                                      | x: m, y:            | x
F.nll_loss(X, y, weight=w, reduction='sum')           | X: n m, y: n, w: m  | X
F.nll_loss(X, y, weight=w)                            | X: n m, y: n, w: m  | X
torch.nn.NLLLoss(ignore_index=2)(X, y)                | X: n m, y: n        | X
F.multi_margin_loss(X, y)                             | X: n m, y: n        | X
F.multi_margin_loss(X, y, p=2, margin=0.5, weight=w)  | X: n m, y: n, w: m  | X
F.multi_margin_loss(x, y, reduction='sum')            | x: m, y:            | x

F.binary_cross_entropy(P, bits)                       | P: n m, bits: n m   | P
F.binary_cross_entropy(P, Q, weight=V, reduction='sum') | P: n m, Q: n m, V: n m | P Q
torch.nn.BCELoss()(torch.sigmoid(X @ x), bits)        | X: n m, x: m, bits: n | X x
F.binary_cross_entropy_with_logits(X, bits)           | X: n m, bits: n m   | X
F.binary_cross_entropy_with_logits(X, Q, weight=V)    | X: n m, Q: n m, V: n m | X Q
F.binary_cross_entropy_with_logits(X, Q, pos_weight=w) | X: n m, Q: n m, w: m | X Q
torch.nn.BCEWithLogitsLoss(reduction='none')(X @ x, bits) | X: n m, x: m, bits: n | x
F.multilabel_soft_margin_loss(X, bits)                | X: n m, bits: n m   | X
F.multilabel_soft_margin_loss(X, bits, weight=w, reduction='none') | X: n m, bits: n m, w: m | X
F.soft_margin_loss(X, signs)                          | X: n m, signs: n m  | X
torch.nn.SoftMarginLoss(reduction='sum')(A @ x, signs) | A: n m, x: m, signs: n | A x
F.kl_div(X, P)                                        | X: n m, P: n m      | X P
F.kl_div(F.log_softmax(X, -1), P, reduction='batchmean') | X: n m, P: n m   | X P
F.kl_div(X, Y, log_target=True, reduction='sum')      | X: n m, Y: n m      | X Y
torch.nn.KLDivLoss(reduction='batchmean', log_target=True)(X, Y) | X: n m, Y: n m | X Y
F.poisson_nll_loss(X, counts)                         | X: n m, counts: n m | X
F.poisson_nll_loss(V, Q, log_input=False)             | V: n m, Q: n m      | V Q
F.poisson_nll_loss(x, v, full=True, reduction='sum')  | x: n, v: n          | x v
torch.nn.PoissonNLLLoss(reduction='none')(A @ x, counts) | A: n m, x: m, counts: n | x
F.gaussian_nll_loss(X, Y, V)                          | X: n m, Y: n m, V: n m | X Y V
F.gaussian_nll_loss(X, Y, V, full=True)               | X: n m, Y: n m, V: n 1 | X V
F.gaussian_nll_loss(X, Y, v, reduction='sum')         | X: n m, Y: n m, v: n | X v
torch.nn.GaussianNLLLoss(full=True)(x, z, v)          | x: n, z: n, v: n    | x z v

F.cosine_similarity(X, Y)                             | X: n m, Y: n m      | X Y
F.cosine_similarity(X, x, dim=-1)                     | X: n m, x: m        | X x
torch.cosine_similarity(x, z, dim=0)                  | x: n, z: n          | x z
torch.nn.CosineSimilarity(dim=0)(X, Y)                | X: n m, Y: n m      | X
F.cosine_similarity(X[:, None], Y[None], dim=-1)      | X: n m, Y: k m      | X Y
F.normalize(X)                                        | X: n m              | X
F.normalize(X, dim=0)                                 | X: n m              | X
F.normalize(x, p=1, dim=0)                            | x: n                | x
F.normalize(X, p=3, dim=(0, 1))                       | X: n m              | X
F.pairwise_distance(X, Y)                             | X: n m, Y: n m      | X Y
F.pairwise_distance(x, z, p=1, keepdim=True)          | x: n, z: n          | x z
torch.nn.PairwiseDistance(p=3, eps=0.1)(X, Y)         | X: n m, Y: n m      | X Y
F.triplet_margin_loss(X, Y, Z)                        | X: n m, Y: n m, Z: n m | X Y Z
F.triplet_margin_loss(X, Y, Z, margin=0.5, p=1, swap=True) | X: n m, Y: n m, Z: n m | X Y Z
torch.nn.TripletMarginLoss(reduction='none')(X, Y, Z) | X: n m, Y: n m, Z: n m | X
F.triplet_margin_with_distance_loss(X, Y, Z)          | X: n m, Y: n m, Z: n m | X Y Z
F.cosine_embedding_loss(X, Y, signs)                  | X: n m, Y: n m, signs: n | X Y
torch.nn.CosineEmbeddingLoss(margin=0.2, reduction='none')(X, Y, signs) | X: n m, Y: n m, signs: n | X
F.hinge_embedding_loss(X, signs)                      | X: n m, signs: n m  | X
torch.nn.HingeEmbeddingLoss(margin=0.3, reduction='sum')(X, signs) | X: n m, signs: n m | X
F.margin_ranking_loss(x, z, signs)                    | x: n, z: n, signs: n | x z
torch.nn.MarginRankingLoss(margin=0.3)(A @ x, z, signs) | A: n m, x: m, z: n, signs: n | A z
"""

LAYERS = """
F.linear(X, W, b)                                     | X: n m, W: k m, b: k | X W b
F.linear(x, W)                                        | x: m, W: k m        | x W
F.linear(x, w)                                        | x: m, w: m          | x w
F.linear(X, W)                                        | X: p n m, W: 1 m    | X
F.layer_norm(X, X.shape[-1:])                         | X: n m              | X
F.layer_norm(X, (X.shape[1],), w, b, 1e-3)            | X: n m, w: m, b: m  | X w b
F.layer_norm(X, X.shape)                              | X: n m              | X
F.layer_norm(x, (len(x),))                            | x: n                | x
torch.layer_norm(X, X.shape[-1:], w, b)               | X: n m, w: m, b: m  | X
torch.nn.LayerNorm(X.shape[-1], elementwise_affine=False, eps=0.1)(X) | X: n m | X
F.rms_norm(X, X.shape[-1:])                           | X: n m              | X
F.rms_norm(X, X.shape[-1:], w, eps=0.1)               | X: n m, w: m        | X w
F.batch_norm(X, w, v, b, z)                           | X: n m, w: m, v: m, b: m, z: m | X b z
F.batch_norm(X, w, v, eps=0.1)                        | X: n m k, w: m, v: m | X
F.batch_norm(X, None, None, w, b, training=True)      | X: n m, w: m, b: m  | X w b
F.batch_norm(X, None, None, training=True)            | X: 2 n 3            | X
torch.nn.BatchNorm1d(X.shape[1], affine=False, track_running_stats=False)(X) | X: n m | X
F.instance_norm(X)                                    | X: 2 3 n            | X
F.instance_norm(X, weight=w, bias=b)                  | X: 2 3 n, w: 3, b: 3 | X w b
F.group_norm(X, 1, w, b)                              | X: 2 3 n, w: 3, b: 3 | X w b
F.group_norm(X, 2)                                    | X: n 4              | X
F.group_norm(X, 3, w)                                 | X: 2 3 n, w: 3      | X w
F.scaled_dot_product_attention(X, Y, Z)               | X: n m, Y: k m, Z: k p | X Y Z
F.scaled_dot_product_attention(X, Y, Z, scale=0.3)    | X: n m, Y: k m, Z: k p | X Y
F.scaled_dot_product_attention(X, Y, Z, attn_mask=W)  | X: n m, Y: k m, Z: k p, W: n k | X W
F.scaled_dot_product_attention(X, Y, Z, is_causal=True) | X: n m, Y: k m, Z: k p | X Y Z
F.scaled_dot_product_attention(X, X, X)               | X: 2 n 3            | X
F.conv1d(X, W, b)                                     | X: 2 p n, W: 3 p 3, b: 3 | X W b
F.conv1d(X, W, stride=2, padding=1)                   | X: p 9, W: 2 p 3    | X W
F.conv1d(X, W, dilation=2)                            | X: 1 1 n, W: 1 1 3  | X W
F.conv2d(X, W)                                        | X: 1 1 n m, W: 1 1 3 2 | X W
torch.conv2d(X, W, b, padding=1)                      | X: 1 2 n m, W: 3 2 3 2, b: 3 | W b
F.avg_pool1d(X, 2)                                    | X: 2 n 9            | X
torch.nn.AvgPool1d(3, 1)(X)                           | X: 2 n              | X
F.avg_pool2d(X, 2)                                    | X: n 8 7            | X
F.adaptive_avg_pool1d(X, 1)                           | X: n m              | X
torch.nn.AdaptiveAvgPool2d(1)(X)                      | X: 3 n m            | X
"""

Row = tuple[str, str, tuple[str, ...]]


def rows(text: str) -> list[Row]:
    """Call, shapes and variables of each line."""
    cells = [[cell.strip() for cell in line.split(" | ")] for line in text.strip().splitlines() if line.strip()]
    return [(call, shapes, tuple(variables.split())) for call, shapes, variables in cells]


def inputs_of(own: Written, sizes: Mapping[str, int], seed: int) -> dict[str, Tensor]:
    """Tensors of the kind that their names say."""
    return {name: KINDS.get(name, lambda t: t)(t) for name, t in own.inputs(sizes, seed).items()}


def sizes_of(own: Written, numbers: Mapping[str, int]) -> dict[str, int]:
    return {letter: numbers[letter] for letter in own.letters()}


def found(own: Written) -> Trace:
    sizes = sizes_of(own, TRACED_AT)
    return trace(own, own.shapes, inputs_of(own, sizes, 3), sizes)


@pytest.fixture
def rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No help from the aten level: what is tested are the rows."""
    monkeypatch.setattr("matmagic.trace.row_below", lambda operation: None)


def agree(own: Written, traced_: Trace, variables: tuple[str, ...]) -> None:
    """The value and the gradients at fresh sizes are torch's."""
    sizes = sizes_of(own, FRESH)
    inputs = inputs_of(own, sizes, 5)
    leaves = leaf_values(traced_, inputs, sizes)
    with float64():
        right = own(inputs)
    assert difference(laid_out(evaluate(traced_.node, leaves, sizes), traced_), right) < 1e-10
    for name in variables:
        gradient = evaluate(differentiate(traced_.node, traced_.inputs[name][0]), leaves, sizes)
        assert difference(gradient, squeezed(truth(own, inputs, name))) < 1e-10, name


@pytest.mark.usefixtures("rows_only")
@pytest.mark.parametrize(("call", "shapes", "variables"), rows(LOSSES + LAYERS))
def test_value_and_gradient(call: str, shapes: str, variables: tuple[str, ...]) -> None:
    own = written(call, shapes)
    agree(own, found(own), variables)


@pytest.mark.usefixtures("rows_only")
@pytest.mark.parametrize(
    ("call", "shapes", "parts"),
    [
        ("F.cross_entropy(X, y)", "X: n m, y: n", {"logsumexp"}),
        ("F.cross_entropy(X, y, label_smoothing=0.1)", "X: n m, y: n", {"logsumexp"}),
        ("F.binary_cross_entropy_with_logits(X, Q)", "X: n m, Q: n m", {"softplus"}),
        ("F.mse_loss(X @ x, z)", "X: n m, x: m, z: n", set()),
        ("F.scaled_dot_product_attention(X, Y, Z)", "X: n m, Y: k m, Z: k p", {"softmax"}),
        ("F.soft_margin_loss(X, signs)", "X: n m, signs: n m", {"softplus"}),
    ],
)
def test_the_expression_is_the_textbook_one(call: str, shapes: str, parts: set[str]) -> None:
    node = found(written(call, shapes)).node
    assert {part.function for part in ordered(node) if isinstance(part, Call | Elementwise)} == parts


REFUSED = [
    ("F.batch_norm(X, w, v, training=True)", "X: n m, w: m, v: m", "changes its running statistics"),
    ("F.instance_norm(X, w, v)", "X: 2 m n, w: m, v: m", "changes its running statistics"),
    ("F.scaled_dot_product_attention(X, Y, Z, dropout_p=0.5)", "X: n m, Y: k m, Z: k p", "without dropout"),
    ("F.conv1d(X, W, groups=3)", "X: 3 n, W: 6 1 2", "without groups"),
    ("F.avg_pool1d(X, 3, padding=1)", "X: 2 n", "without padding"),
    ("F.adaptive_avg_pool1d(X, 2)", "X: 2 8", "down to one entry"),
    ("F.triplet_margin_with_distance_loss(X, Y, Z, distance_function=F.pairwise_distance)",
     "X: n m, Y: n m, Z: n m", "a distance function of its own"),
]  # fmt: skip


@pytest.mark.usefixtures("rows_only")
@pytest.mark.parametrize(("call", "shapes", "reason"), REFUSED)
def test_forms_that_are_not_traced_say_why(call: str, shapes: str, reason: str) -> None:
    with pytest.raises(TraceError, match=reason):
        found(written(call, shapes))


@pytest.mark.usefixtures("rows_only")
def test_a_bound_that_is_reached_is_refused() -> None:
    """torch divides by at least 1e-12; the formula does not, so the two differ here, and nothing wrong is said."""
    with pytest.raises(TraceError, match="another value"):
        found(written("F.normalize(1e-14 * X)", "X: n m"))


ROWS_OF_ZEROS = """
F.relu(X - 1).norm(dim=1)                             | X: n m              | X
F.normalize(F.relu(X - 1), dim=1)                     | X: n m              | X
F.rms_norm(F.relu(X - 1), (X.shape[1],))              | X: n m              | X
torch.triu(X[:, :X.shape[0]], 1).norm(dim=1).sum()    | X: n m              | X
torch.where(X > 1, X, 0.0).norm(dim=0)                | X: n m              | X
"""


@pytest.mark.parametrize(("call", "shapes", "variables"), rows(ROWS_OF_ZEROS))
def test_rows_of_zeros(call: str, shapes: str, variables: tuple[str, ...]) -> None:
    """Where relu, a condition or a triangle makes rows of zeros, torch's slope of their norm is 0."""
    own = written(call, shapes)
    agree(own, found(own), variables)


DISTRIBUTIONS = """
Normal(x, v).log_prob(z)                              | x: n, v: n, z: n    | x v z
Normal(0.0, 1.0).log_prob(x).sum()                    | x: n                | x
Normal(t, v).log_prob(x).sum()                        | t:, v:, x: n        | t v x
Normal(A @ x, 0.5).log_prob(z).mean()                 | A: n m, x: m, z: n  | A x
Normal(x, v).entropy()                                | x: n, v: n          | v
Normal(x, v).cdf(z)                                   | x: n, v: n, z: n    | x v z
Independent(torch.distributions.Normal(X, V), 1).log_prob(Y) | X: n m, V: n m, Y: n m | X V
LogNormal(x, v).log_prob(torch.exp(z))                | x: n, v: n, z: n    | x v z
Laplace(x, v).log_prob(z)                             | x: n, v: n, z: n    | x v z
Exponential(v).log_prob(P)                            | v: n, P: n          | v P
Cauchy(x, v).log_prob(z)                              | x: n, v: n, z: n    | x v z
Bernoulli(logits=A @ x).log_prob(bits).sum()          | A: n m, x: m, bits: n | A x
Bernoulli(probs=P).log_prob(bits)                     | P: n, bits: n       | P
Categorical(logits=X).log_prob(y)                     | X: n m, y: n        | X
Categorical(logits=A @ x).log_prob(y)                 | A: m n, x: n, y:    | A x
Categorical(probs=V).log_prob(y).sum()                | V: n m, y: n        | V
Categorical(logits=x).entropy()                       | x: m                | x
Poisson(torch.exp(A @ x)).log_prob(counts)            | A: n m, x: m, counts: n | x
Binomial(9, logits=x).log_prob(counts.clamp(max=9))   | x: n, counts: n     | x
Geometric(P).log_prob(counts)                         | P: n, counts: n     | P
Gamma(u, v).log_prob(P)                               | u: n, v: n, P: n    | u v P
Beta(u, v).log_prob(P)                                | u: n, v: n, P: n    | u v P
Dirichlet(v).log_prob(P / P.sum())                    | v: n, P: n          | v P
StudentT(u, x, v).log_prob(z)                         | u: n, x: n, v: n, z: n | u x v z
Uniform(-v, u + 1).log_prob(P)                        | u: n, v: n, P: n    | u v
kl_divergence(torch.distributions.Normal(x, v), torch.distributions.Normal(z, u)) | x: n, v: n, z: n, u: n | x v z u
MultivariateNormal(x, precision_matrix=M @ M.T + torch.eye(len(x))).log_prob(z) | x: n, M: n n, z: n | x M z
MultivariateNormal(x, M @ M.T + torch.eye(len(x))).log_prob(z) | x: n, M: n n, z: n | x M z
MultivariateNormal(x, scale_tril=torch.linalg.cholesky(M @ M.T + torch.eye(len(x)))).log_prob(z) | x: n, M: n n, z: n | x M
MultivariateNormal(x, torch.eye(len(x))).log_prob(z)  | x: n, z: n          | x z
MultivariateNormal(x, M @ M.T + torch.eye(len(x))).log_prob(Z).mean() | x: n, M: n n, Z: m n | x M
MultivariateNormal(x, M @ M.T + torch.eye(len(x))).entropy() | x: n, M: n n  | M
"""


@pytest.mark.parametrize(("call", "shapes", "variables"), rows(DISTRIBUTIONS))
def test_log_probabilities(call: str, shapes: str, variables: tuple[str, ...]) -> None:
    """At all sizes: n log 2π is a number in torch's code.  What validation asks is no choice of the user's."""
    own = written(f"torch.distributions.{call}", shapes)
    runs = []
    for seed, numbers in enumerate((TRACED_AT, {"n": 12, "m": 6}), start=3):
        sizes = sizes_of(own, numbers)
        runs.append(trace(own, own.shapes, inputs_of(own, sizes, seed), sizes))
    assert not any(run.followed for run in runs)
    agree(own, unified(*runs), variables)
