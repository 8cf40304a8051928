"""Functions of a vector: linear, bilinear and quadratic forms, linear maps."""

from . import identity

identity("sum of entries", "x.sum()", wrt="x", gradient="torch.ones_like(x)",
         shapes="x: n", source="Matrix Cookbook (69), a = 1")  # fmt: skip
identity("linear form", "a.T @ x", wrt="x", gradient="a",
         shapes="x: n, a: n", source="Matrix Cookbook (69)")  # fmt: skip
identity("linear map", "A @ x", wrt="x", gradient="A",
         shapes="x: n, A: m n", source="Matrix calculus, vector by vector")  # fmt: skip
identity("affine map", "A @ x + b", wrt="x", gradient="A",
         shapes="x: n, A: m n, b: m", source="Matrix calculus, vector by vector")  # fmt: skip
identity("identity map", "1 * x", wrt="x", gradient="torch.eye(x.shape[0])",
         shapes="x: n", source="Matrix calculus, vector by vector")  # fmt: skip
identity("diagonal scaling", "w * x", wrt="x", gradient="torch.diag(w.squeeze(1))",
         shapes="x: n, w: n", source="Matrix calculus, vector by vector, A = diag(w)")  # fmt: skip
identity("bilinear form", "x.T @ A @ y", wrt="x", gradient="A @ y",
         shapes="x: n, A: n m, y: m", source="Matrix Cookbook (69), a = A y")  # fmt: skip
identity("squared norm", "x.T @ x", wrt="x", gradient="2 * x",
         shapes="x: n", source="Matrix Cookbook (131)")  # fmt: skip
identity("multiple of the squared norm", "c * x.T @ x", wrt="x", gradient="2 * c * x",
         shapes="x: n, c: ", source="Matrix Cookbook (131)")  # fmt: skip
identity("quadratic form", "x.T @ A @ x", wrt="x", gradient="(A + A.T) @ x",
         shapes="x: n, A: n n", simpler={"A symmetric": "2 * A @ x"}, source="Matrix Cookbook (81)")  # fmt: skip
identity("quadratic plus linear", "x.T @ A @ x + b.T @ x", wrt="x", gradient="(A + A.T) @ x + b",
         shapes="x: n, A: n n, b: n", simpler={"A symmetric": "2 * A @ x + b"}, source="Matrix Cookbook (97)")  # fmt: skip
identity("weighted sum of squares", "(w * x ** 2).sum()", wrt="x", gradient="2 * w * x",
         shapes="x: n, w: n", source="Matrix Cookbook (81), A = diag(w)")  # fmt: skip
identity("weighted squared distance", "(x - s).T @ W @ (x - s)", wrt="x", gradient="(W + W.T) @ (x - s)",
         shapes="x: n, s: n, W: n n", simpler={"W symmetric": "2 * W @ (x - s)"},
         source="Matrix Cookbook (85)")  # fmt: skip
identity("product of two linear forms", "a.T @ x @ x.T @ b", wrt="x", gradient="(a @ b.T + b @ a.T) @ x",
         shapes="x: n, a: n, b: n", source="Matrix Cookbook (81), A = a bᵀ")  # fmt: skip
identity("product of two affine forms", "(B @ x + b).T @ C @ (D @ x + d)", wrt="x",
         gradient="B.T @ C @ (D @ x + d) + D.T @ C.T @ (B @ x + b)",
         shapes="x: n, B: m n, b: m, C: m k, D: k n, d: k", source="Matrix Cookbook (78)")  # fmt: skip
identity("square of the sum of entries", "x.sum() ** 2", wrt="x", gradient="2 * x.sum() * torch.ones_like(x)",
         shapes="x: n", source="Matrix Cookbook (76)")  # fmt: skip
identity("scalar function times vector", "(a.T @ x) * x", wrt="x",
         gradient="(a.T @ x) * torch.eye(x.shape[0]) + x @ a.T",
         shapes="x: n, a: n", source="Matrix calculus, vector by vector, u = aᵀ x")  # fmt: skip
identity("Rayleigh quotient", "(x.T @ A @ x) / (x.T @ x)", wrt="x",
         gradient="(A + A.T) @ x / (x.T @ x) - 2 * (x.T @ A @ x) * x / (x.T @ x) ** 2",
         shapes="x: n, A: n n", conditions=("x nonzero",),
         source="quotient rule with Matrix Cookbook (81)")  # fmt: skip
identity("square of a scalar", "t ** 2", wrt="t", gradient="2 * t",
         shapes="t: ", source="power rule")  # fmt: skip
identity("quadratic polynomial", "x ** 2 + c * x", wrt="x", gradient="2 * x + c",
         shapes="x: , c: ", source="power rule and linearity")  # fmt: skip
identity("affine function of a scalar", "c * x + d", wrt="x", gradient="c",
         shapes="x: , c: , d: ", source="linearity")  # fmt: skip
identity("proportional scalar", "a * t", wrt="t", gradient="a",
         shapes="t: , a: ", source="linearity")  # fmt: skip
