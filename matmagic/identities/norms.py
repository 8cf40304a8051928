"""Euclidean and Frobenius norms and what is made of them."""

from . import identity, values

SIDES = (  # an unknown matrix on the right of A, and on its left
    {"residual": "(A @ X - B)", "slope": "(A.T @ (A @ X - B))", "p": "m", "q": "n", "r": "m", "s": "k"},
    {"residual": "(X @ A - B)", "slope": "((X @ A - B) @ A.T)", "p": "k", "q": "m", "r": "n", "s": "m"},
)

# fmt: off
identity("Euclidean norm", "torch.norm(x)", wrt="x", gradient="x / torch.norm(x)",
         shapes="x: n", conditions=("x nonzero",), source="Matrix Cookbook (129), a = 0")
identity("distance to a point", "torch.norm(x - a)", wrt="x", gradient="(x - a) / torch.norm(x - a)",
         shapes="x: n, a: n", conditions=("x differs from a",), source="Matrix Cookbook (129)")
identity("squared distance", "(x - a).T @ (x - a)", wrt="x", gradient="2 * (x - a)",
         shapes="x: n, a: n", source="Matrix Cookbook (85), W = I")
identity("normalised vector", "x / torch.norm(x)", wrt="x",
         gradient="torch.eye(x.shape[0]) / torch.norm(x) - x @ x.T / torch.norm(x) ** 3",
         shapes="x: n", conditions=("x nonzero",), source="Matrix Cookbook (130), a = 0")
identity("unit direction from a point", "(x - a) / torch.norm(x - a)", wrt="x",
         gradient="torch.eye(x.shape[0]) / torch.norm(x - a) - (x - a) @ (x - a).T / torch.norm(x - a) ** 3",
         shapes="x: n, a: n", conditions=("x differs from a",), source="Matrix Cookbook (130)")
identity("squared Frobenius norm", "(X ** 2).sum()", wrt="X", gradient="2 * X",
         shapes="X: m n", source="Matrix Cookbook (132)")
identity("Frobenius norm", "torch.norm(X)", wrt="X", gradient="X / torch.norm(X)",
         shapes="X: m n", conditions=("X nonzero",), source="chain rule with Matrix Cookbook (132)")
identity("squared Frobenius distance", "((X - A) ** 2).sum()", wrt="X", gradient="2 * (X - A)",
         shapes="X: m n, A: m n", source="Matrix Cookbook (119), A = B = I")
identity("squared Frobenius norm of an affine map", "((A @ X @ B + C) ** 2).sum()", wrt="X",
         gradient="2 * A.T @ (A @ X @ B + C) @ B.T",
         shapes="X: m n, A: p m, B: n q, C: p q", source="Matrix Cookbook (119)")
identity("l1 norm", "x.abs().sum()", wrt="x", gradient="torch.sign(x)",
         shapes="x: n", conditions=("x without zeros",), source="derivative of the absolute value",
         note="a subgradient where an entry is 0")
identity("sum of absolute entries of a matrix", "X.abs().sum()", wrt="X", gradient="torch.sign(X)",
         shapes="X: m n", conditions=("X without zeros",), source="derivative of the absolute value")
identity("lp norm", "torch.norm(x, p)", wrt="x",
         gradient="torch.sign(x) * x.abs() ** (p - 1) / torch.norm(x, p) ** (p - 1)", shapes="x: n",
         conditions=("x without zeros",), each=values(p="3 4 5 1.5 2.5"), source="chain rule with the power rule")
identity("sum of absolute powers", "(x.abs() ** p).sum()", wrt="x", gradient="p * torch.sign(x) * x.abs() ** (p - 1)",
         shapes="x: n", conditions=("x without zeros",), each=values(p="3 5 1.5 2.5"), source="power rule")
identity("norm of a residual", "torch.norm(A @ x - b)", wrt="x", gradient="A.T @ (A @ x - b) / torch.norm(A @ x - b)",
         shapes="x: n, A: m n, b: m", conditions=("A x differs from b",), source="chain rule with Matrix Cookbook (129)")
identity("norm of a linear map", "torch.norm(A @ x)", wrt="x", gradient="A.T @ A @ x / torch.norm(A @ x)",
         shapes="x: n, A: m n", conditions=("A x nonzero",), source="chain rule with Matrix Cookbook (129)")
identity("norm weighted by a matrix", "torch.sqrt(x.T @ W @ x)", wrt="x",
         gradient="(W + W.T) @ x / (2 * torch.sqrt(x.T @ W @ x))", shapes="x: n, W: n n",
         conditions=("W positive-definite",), source="chain rule with Matrix Cookbook (81)")
identity("cosine similarity", "(x.T @ y) / (torch.norm(x) * torch.norm(y))", wrt="x",
         gradient="y / (torch.norm(x) * torch.norm(y)) - (x.T @ y) * x / (torch.norm(x) ** 3 * torch.norm(y))",
         shapes="x: n, y: n", conditions=("x and y nonzero",), source="quotient rule with Matrix Cookbook (129)")
identity("Frobenius distance", "torch.norm(X - A)", wrt="X", gradient="(X - A) / torch.norm(X - A)",
         shapes="X: m n, A: m n", conditions=("X differs from A",), source="chain rule with Matrix Cookbook (132)")
identity("Frobenius norm of a linear map", "((A @ X @ B) ** 2).sum()", wrt="X", gradient="2 * A.T @ A @ X @ B @ B.T",
         shapes="X: m n, A: k m, B: n p", source="Matrix Cookbook (117) and (119)")
identity("sum of row norms", "(X ** 2).sum(1).sqrt().sum()", wrt="X",
         gradient="X / (X ** 2).sum(1, keepdim=True).sqrt()", shapes="X: m n", conditions=("rows of X nonzero",),
         source="chain rule with Matrix Cookbook (129)")
identity("nuclear norm", 'torch.linalg.matrix_norm(X, "nuc")', wrt="X", gradient="polar(X)",
         shapes="X: m n", conditions=("X of full rank",), source="derivative of singular values",
         note="polar(X) = U Vᵀ of the singular value decomposition X = U diag(s) Vᵀ")
identity("spectral norm", "torch.linalg.matrix_norm(X, 2)", wrt="X", gradient="top_singular(X)",
         shapes="X: m n", conditions=("largest singular value simple",), source="derivative of singular values",
         note="u₁ v₁ᵀ, the first singular vectors")
identity("largest entry", "torch.amax(x)", wrt="x", gradient="argmax(x)",
         shapes="x: n", conditions=("one entry is largest",), source="derivative of the maximum")
identity("smallest entry", "torch.amin(x)", wrt="x", gradient="argmin(x)",
         shapes="x: n", conditions=("one entry is smallest",), source="derivative of the minimum")
identity("maximum norm", "torch.amax(x.abs())", wrt="x", gradient="torch.sign(x) * argmax(x.abs())",
         shapes="x: n", conditions=("one entry is largest",), source="derivative of the maximum")
identity("l1 distance", "(x - a).abs().sum()", wrt="x", gradient="torch.sign(x - a)",
         shapes="x: n, a: n", conditions=("x and a differ in each entry",), source="derivative of the absolute value")
identity("Frobenius norm of a residual", "torch.norm(residual)", wrt="X", gradient="slope / torch.norm(residual)",
         shapes="X: n k, A: p q, B: r s", each=SIDES, conditions=("the residual nonzero",),
         source="chain rule with Matrix Cookbook (119)")
