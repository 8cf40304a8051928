"""Second derivatives."""

from . import identity, values

CURVATURES = (  # functions and their second derivatives
    {"f": "torch.exp", "ddf": "torch.exp"},
    {"f": "torch.sin", "ddf": "-torch.sin"},
    {"f": "torch.cos", "ddf": "-torch.cos"},
    {"f": "F.softplus", "ddf": "(lambda v: torch.sigmoid(v) * (1 - torch.sigmoid(v)))"},
    {"f": "torch.tanh", "ddf": "(lambda v: -2 * torch.tanh(v) * (1 - torch.tanh(v) ** 2))"},
)

# fmt: off
identity("Hessian of a quadratic form", "x.T @ A @ x", wrt="x", hessian="(A + A.T)", shapes="x: n, A: n n",
         simpler={"A symmetric": "2 * A"},
         source="Matrix Cookbook (98)")
identity("Hessian of the squared norm", "x.T @ x", wrt="x", hessian="2 * torch.eye(x.shape[0])",
         shapes="x: n", source="Matrix Cookbook (98), A = I")
identity("Hessian of the squared distance", "(x - a).T @ (x - a)", wrt="x", hessian="2 * torch.eye(x.shape[0])",
         shapes="x: n, a: n", source="Matrix Cookbook (98), A = I")
identity("Hessian of a weighted squared distance", "(x - a).T @ W @ (x - a)", wrt="x", hessian="(W + W.T)",
         shapes="x: n, a: n, W: n n", simpler={"W symmetric": "2 * W"},
         source="Matrix Cookbook (98)", note="the negative inverse covariance of a Gaussian log-likelihood")
identity("Hessian of the norm", "torch.norm(x)", wrt="x",
         hessian="torch.eye(x.shape[0]) / torch.norm(x) - x @ x.T / torch.norm(x) ** 3",
         shapes="x: n", conditions=("x nonzero",), source="Matrix Cookbook (130)")
identity("Hessian of the distance to a point", "torch.norm(x - a)", wrt="x",
         hessian="torch.eye(x.shape[0]) / torch.norm(x - a) - (x - a) @ (x - a).T / torch.norm(x - a) ** 3",
         shapes="x: n, a: n", conditions=("x differs from a",), source="Matrix Cookbook (130)")
identity("Hessian of least squares", "((A @ x - b) ** 2).sum()", wrt="x", hessian="2 * A.T @ A",
         shapes="x: n, A: m n, b: m", source="Matrix Cookbook (98)")
identity("Hessian of generalised least squares", "(A @ x - b).T @ W @ (A @ x - b)", wrt="x",
         hessian="A.T @ (W + W.T) @ A", shapes="x: n, A: m n, b: m, W: m m",
         simpler={"W symmetric": "2 * A.T @ W @ A"}, source="Matrix Cookbook (98)")
identity("Hessian of ridge regression", "((A @ x - b) ** 2).sum() + c * x.T @ x", wrt="x",
         hessian="2 * A.T @ A + 2 * c * torch.eye(x.shape[0])", shapes="x: n, A: m n, b: m, c: ",
         source="Matrix Cookbook (98)")
identity("Hessian of the logistic loss", "(F.softplus(X @ w) - y * (X @ w)).sum()", wrt="w",
         hessian="X.T @ torch.diag((torch.sigmoid(X @ w) * (1 - torch.sigmoid(X @ w))).squeeze(1)) @ X",
         shapes="w: n, X: m n, y: m",
         source="chain rule with the derivative of the sigmoid")
identity("Hessian of the logistic loss with signs", "F.softplus(-y * (X @ w)).sum()", wrt="w",
         hessian="X.T @ torch.diag((y ** 2 * torch.sigmoid(-y * (X @ w)) * (1 - torch.sigmoid(-y * (X @ w))))"
                 ".squeeze(1)) @ X",
         shapes="w: n, X: m n, y: m",
         simpler={"y signs": "X.T @ torch.diag((torch.sigmoid(X @ w) * (1 - torch.sigmoid(X @ w))).squeeze(1)) @ X"},
         source="chain rule with the derivative of the sigmoid")
identity("Hessian of log-sum-exp", "torch.logsumexp(x, 0)", wrt="x",
         hessian="torch.diag(torch.softmax(x, 0).squeeze(1)) - torch.softmax(x, 0) @ torch.softmax(x, 0).T",
         shapes="x: n", source="Jacobian of the softmax")
identity("Hessian of the Poisson loss", "(torch.exp(X @ w) - y * (X @ w)).sum()", wrt="w",
         hessian="X.T @ torch.diag(torch.exp(X @ w).squeeze(1)) @ X", shapes="w: n, X: m n, y: m",
         source="chain rule with the derivative of exp")
identity("Hessian of a sum of exponentials", "torch.exp(x).sum()", wrt="x", hessian="torch.diag(torch.exp(x).squeeze(1))",
         shapes="x: n", source="derivative of exp")
identity("Hessian of a sum of logarithms", "torch.log(x).sum()", wrt="x", hessian="-torch.diag((1 / x ** 2).squeeze(1))",
         shapes="x: n", conditions=("x positive",), source="derivative of log")
identity("Hessian of the log barrier", "-torch.log(x).sum()", wrt="x", hessian="torch.diag((1 / x ** 2).squeeze(1))",
         shapes="x: n", conditions=("x positive",), source="derivative of log")
identity("Hessian of the entropy", "-(x * torch.log(x)).sum()", wrt="x", hessian="-torch.diag((1 / x).squeeze(1))",
         shapes="x: n", conditions=("x positive",), source="product rule")
identity("Hessian of a sum of powers", "(x ** p).sum()", wrt="x",
         hessian="torch.diag((p * (p - 1) * x ** (p - 2)).squeeze(1))", shapes="x: n", conditions=("x positive",),
         each=values(p="3 4 5 6 (-1) 1.5 2.5"), source="power rule")
identity("Hessian of a trace of a quadratic form", "torch.trace(X.T @ B @ X)", wrt="X",
         hessian='torch.einsum("ik,jl->ijkl", B + B.T, torch.eye(X.shape[1]))', shapes="X: m n, B: m m",
         source="Matrix Cookbook (108)")
identity("Hessian of the log-determinant", "torch.logdet(X)", wrt="X",
         hessian='-torch.einsum("jk,li->ijkl", torch.linalg.inv(X), torch.linalg.inv(X))', shapes="X: n n",
         conditions=("X positive-det",), source="Matrix Cookbook (57) and (60)")
identity("second derivative of a determinant along a line", "torch.linalg.det(A + t * B)", wrt="t",
         hessian="torch.linalg.det(A + t * B) * (torch.trace(torch.linalg.inv(A + t * B) @ B) ** 2"
                 " - torch.trace(torch.linalg.inv(A + t * B) @ B @ torch.linalg.inv(A + t * B) @ B))",
         shapes="t: , A: n n, B: n n", conditions=("A + t B invertible",), source="Matrix Cookbook (48)")
identity("Hessian of the sample variance", "torch.var(x)", wrt="x",
         hessian="2 * (torch.eye(x.shape[0]) - torch.ones_like(x) @ torch.ones_like(x).T / x.shape[0])"
                 " / (x.shape[0] - 1)",
         shapes="x: n", source="Matrix Cookbook (98) with the centring matrix")
identity("Hessian of log-sum-exp of an affine map", "torch.logsumexp(A @ x + b, 0)", wrt="x",
         hessian="A.T @ (torch.diag(torch.softmax(A @ x + b, 0).squeeze(1))"
                 " - torch.softmax(A @ x + b, 0) @ torch.softmax(A @ x + b, 0).T) @ A",
         shapes="x: n, A: m n, b: m", source="Jacobian of the softmax")
identity("Hessian of a linear form's exponential", "torch.exp(a.T @ x)", wrt="x", hessian="torch.exp(a.T @ x) * a @ a.T",
         shapes="x: n, a: n", source="chain rule with the derivative of exp")
identity("Hessian of the log barrier of linear inequalities", "-torch.log(b - A @ x).sum()", wrt="x",
         hessian="A.T @ torch.diag((1 / (b - A @ x) ** 2).squeeze(1)) @ A", shapes="x: n, A: m n, b: m",
         conditions=("A x below b",), source="chain rule with the derivative of log")
identity("Hessian of a sum of an elementwise function", "f(x).sum()", wrt="x", hessian="torch.diag(ddf(x).squeeze(1))",
         shapes="x: n", each=CURVATURES[1:], source="Matrix calculus, chain rule")
identity("Hessian of a sum of an elementwise function of a linear map", "f(A @ x).sum()", wrt="x",
         hessian="A.T @ torch.diag(ddf(A @ x).squeeze(1)) @ A", shapes="x: n, A: m n", each=CURVATURES,
         source="Matrix calculus, chain rule")
