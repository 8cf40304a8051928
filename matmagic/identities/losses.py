"""Least squares in its forms, and the losses of linear models.

Factors such as ½ and 1/m, which many texts put in front, are left to the match: a multiple of a row is found by it.
"""

from . import identity
from .norms import SIDES

# fmt: off
identity("least squares", "((A @ x - b) ** 2).sum()", wrt="x", gradient="2 * A.T @ (A @ x - b)",
         shapes="x: n, A: m n, b: m", source="Matrix Cookbook (84), W = I")
identity("mean squared error", "((A @ x - b) ** 2).mean()", wrt="x",
         gradient="2 * A.T @ (A @ x - b) / A.shape[0]",
         shapes="x: n, A: m n, b: m", source="Matrix Cookbook (84), W = I / m")
identity("weighted least squares", "(w * (A @ x - b) ** 2).sum()", wrt="x",
         gradient="2 * A.T @ (w * (A @ x - b))", shapes="x: n, A: m n, b: m, w: m", source="Matrix Cookbook (84), W = diag(w)")
identity("generalised least squares", "(A @ x - b).T @ W @ (A @ x - b)", wrt="x",
         gradient="A.T @ (W + W.T) @ (A @ x - b)", shapes="x: n, A: m n, b: m, W: m m",
         simpler={"W symmetric": "2 * A.T @ W @ (A @ x - b)"}, source="Matrix Cookbook (84)")
identity("generalised least squares by the matrix", "(X @ a - b).T @ W @ (X @ a - b)", wrt="X",
         gradient="(W + W.T) @ (X @ a - b) @ a.T", shapes="X: m n, a: n, b: m, W: m m",
         simpler={"W symmetric": "2 * W @ (X @ a - b) @ a.T"}, source="Matrix Cookbook (88)")
identity("ridge regression", "((A @ x - b) ** 2).sum() + c * x.T @ x", wrt="x",
         gradient="2 * A.T @ (A @ x - b) + 2 * c * x", shapes="x: n, A: m n, b: m, c: ",
         source="Matrix Cookbook (84) and (131)")
identity("ridge regression with the mean squared error", "((A @ x - b) ** 2).mean() + c * x.T @ x", wrt="x",
         gradient="2 * A.T @ (A @ x - b) / A.shape[0] + 2 * c * x", shapes="x: n, A: m n, b: m, c: ",
         source="Matrix Cookbook (84) and (131)")
identity("Tikhonov regularisation", "((A @ x - b) ** 2).sum() + weight * ((T @ x) ** 2).sum()", wrt="x",
         gradient="2 * A.T @ (A @ x - b) + 2 * weight * T.T @ T @ x", shapes="x: n, A: m n, b: m, T: k n, c: ",
         each=({"weight": "1"}, {"weight": "c"}), source="Matrix Cookbook (84) and (81)")
identity("lasso with the mean squared error", "((A @ x - b) ** 2).mean() + c * x.abs().sum()", wrt="x",
         gradient="2 * A.T @ (A @ x - b) / A.shape[0] + c * torch.sign(x)", shapes="x: n, A: m n, b: m, c: ",
         conditions=("x without zeros",), source="Matrix Cookbook (84) and the l1 norm",
         note="a subgradient where an entry is 0")
identity("l1 proximal objective", "((x - y) ** 2).sum() + c * x.abs().sum()", wrt="x",
         gradient="2 * (x - y) + c * torch.sign(x)", shapes="x: n, y: n, c: ", conditions=("x without zeros",),
         source="Matrix Cookbook (131) and the l1 norm", note="it is least at the soft threshold of y")
identity("lasso", "((A @ x - b) ** 2).sum() + c * x.abs().sum()", wrt="x",
         gradient="2 * A.T @ (A @ x - b) + c * torch.sign(x)", shapes="x: n, A: m n, b: m, c: ",
         conditions=("x without zeros",), source="Matrix Cookbook (84) and the l1 norm",
         note="a subgradient where an entry is 0")
identity("least absolute deviations", "(A @ x - b).abs().sum()", wrt="x", gradient="A.T @ torch.sign(A @ x - b)",
         shapes="x: n, A: m n, b: m", conditions=("residuals nonzero",), source="chain rule with the l1 norm")
identity("least squares by the matrix", "((X @ a - b) ** 2).sum()", wrt="X",
         gradient="2 * (X @ a - b) @ a.T", shapes="X: m n, a: n, b: m", source="Matrix Cookbook (88), W = I")
identity("least squares (matrix unknown)", "(residual ** 2).sum()", wrt="X", gradient="2 * slope",
         shapes="X: n k, A: p q, B: r s", each=SIDES, source="Matrix Cookbook (119)")
identity("mean squared error (matrix unknown)", "(residual ** 2).mean()", wrt="X",
         gradient="2 * slope / (B.shape[0] * B.shape[1])", shapes="X: n k, A: p q, B: r s", each=SIDES,
         source="Matrix Cookbook (119)")
identity("ridge regression (matrix unknown)", "(residual ** 2).sum() + c * (X ** 2).sum()", wrt="X",
         gradient="2 * slope + 2 * c * X", shapes="X: n k, A: p q, B: r s, c: ", each=SIDES,
         source="Matrix Cookbook (119) and (132)")
identity("least squares by the bias", "((x.T - A) ** 2).sum()", wrt="x",
         gradient="2 * (x.T - A).sum(0)[:, None]", shapes="x: k, A: m k", source="Matrix Cookbook (85), for each row")
identity("Huber loss", 'F.huber_loss(A @ x, b, reduction="sum")', wrt="x",
         gradient="A.T @ torch.clamp(A @ x - b, -1, 1)", shapes="x: n, A: m n, b: m",
         source="chain rule with the derivative of the Huber function")
identity("log-cosh loss", "torch.log(torch.cosh(A @ x - b)).sum()", wrt="x", gradient="A.T @ torch.tanh(A @ x - b)",
         shapes="x: n, A: m n, b: m", source="chain rule with the derivative of log cosh")
identity("hinge loss", "torch.relu(1 - y * (X @ w)).sum()", wrt="w",
         gradient="-X.T @ (1.0 * (y * (X @ w) < 1) * y)", shapes="w: n, X: m n, y: m", conditions=("no margin is 1",),
         source="chain rule with the derivative of relu", note="y holds ±1; a subgradient where a margin is 1")
identity("squared hinge loss", "(torch.relu(1 - y * (X @ w)) ** 2).sum()", wrt="w",
         gradient="-2 * X.T @ (torch.relu(1 - y * (X @ w)) * y)", shapes="w: n, X: m n, y: m",
         source="chain rule with the derivative of relu", note="y holds ±1")
identity("exponential loss", "torch.exp(-y * (X @ w)).sum()", wrt="w", gradient="-X.T @ (y * torch.exp(-y * (X @ w)))",
         shapes="w: n, X: m n, y: m", source="chain rule with the derivative of exp", note="y holds ±1")
identity("logistic loss", "(F.softplus(X @ w) - y * (X @ w)).sum()", wrt="w",
         gradient="X.T @ (torch.sigmoid(X @ w) - y)", shapes="w: n, X: m n, y: m",
         source="chain rule with the derivatives of softplus and the sigmoid", note="y holds 0 and 1")
identity("logistic loss with signs", "F.softplus(-y * (X @ w)).sum()", wrt="w",
         gradient="-X.T @ (y * torch.sigmoid(-y * (X @ w)))", shapes="w: n, X: m n, y: m",
         source="chain rule with the derivative of softplus", note="y holds ±1")
identity("regularised logistic loss", "(F.softplus(X @ w) - y * (X @ w)).sum() + c * w.T @ w", wrt="w",
         gradient="X.T @ (torch.sigmoid(X @ w) - y) + 2 * c * w", shapes="w: n, X: m n, y: m, c: ",
         source="chain rule with the derivatives of softplus and the sigmoid", note="y holds 0 and 1")
identity("binary cross-entropy by logits", "(F.softplus(z) - y * z).sum()", wrt="z", gradient="torch.sigmoid(z) - y",
         shapes="z: n, y: n",
         source="derivatives of softplus and the sigmoid")
identity("binary cross-entropy by probabilities", "-(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()", wrt="p",
         gradient="(p - y) / (p * (1 - p))", shapes="p: n, y: n", conditions=("p, y unit-interval",),
         source="derivative of log")
identity("softmax cross-entropy", "-(y * torch.log_softmax(z, 0)).sum()", wrt="z",
         gradient="y.sum() * torch.softmax(z, 0) - y", shapes="z: n, y: n",
         simpler={"y simplex": "torch.softmax(z, 0) - y"}, source="chain rule with log-sum-exp")
identity("softmax cross-entropy of a normalised target", "torch.logsumexp(z, 0) - y.T @ z", wrt="z",
         gradient="torch.softmax(z, 0) - y", shapes="z: n, y: n",
         source="derivative of log-sum-exp",
         note="y sums to 1")
identity("softmax cross-entropy by weights", "-(Y * torch.log_softmax(scores, 1)).sum()", wrt="W",
         gradient="slope", shapes="W: p q, X: m n, Y: m k",
         each=({"scores": "X @ W", "slope": "X.T @ (Y.sum(1, keepdim=True) * torch.softmax(X @ W, 1) - Y)",
                "simple": "X.T @ (torch.softmax(X @ W, 1) - Y)", "p": "n", "q": "k"},
               {"scores": "X @ W.T", "slope": "(Y.sum(1, keepdim=True) * torch.softmax(X @ W.T, 1) - Y).T @ X",
                "simple": "(torch.softmax(X @ W.T, 1) - Y).T @ X", "p": "k", "q": "n"}),
         simpler={"Y one-hot": "simple"}, source="chain rule with log-sum-exp")
identity("softmax cross-entropy by rows", "-(Y * torch.log_softmax(Z, 1)).sum()", wrt="Z",
         gradient="Y.sum(1, keepdim=True) * torch.softmax(Z, 1) - Y", shapes="Z: m k, Y: m k",
         simpler={"Y one-hot": "torch.softmax(Z, 1) - Y"}, source="chain rule with log-sum-exp")
identity("least squares of B X a", "(residual ** 2).sum()", wrt="X", gradient="slope", shapes="X: m n, a: p, B: k q, c: k",
         each=({"residual": "(B @ X @ a - c)", "slope": "2 * B.T @ (B @ X @ a - c) @ a.T", "p": "n", "q": "m"},
               {"residual": "(B @ X.T @ a - c)", "slope": "2 * a @ (B @ X.T @ a - c).T @ B", "p": "m", "q": "n"}),
         source="Matrix Cookbook (88) and (119)", note="two linear layers")
identity("elastic net", "((A @ x - b) ** 2).sum() + c * x.abs().sum() + d * x.T @ x", wrt="x",
         gradient="2 * A.T @ (A @ x - b) + c * torch.sign(x) + 2 * d * x", shapes="x: n, A: m n, b: m, c: , d: ",
         conditions=("x without zeros",), source="Matrix Cookbook (84), (131) and the l1 norm")
