"""Euclidean and Frobenius norms and what is made of them."""

from . import identity

identity("Euclidean norm", "torch.norm(x)", wrt="x", gradient="x / torch.norm(x)",
         shapes="x: n", conditions=("x nonzero",), source="Matrix Cookbook (129), a = 0")  # fmt: skip
identity("distance to a point", "torch.norm(x - a)", wrt="x", gradient="(x - a) / torch.norm(x - a)",
         shapes="x: n, a: n", conditions=("x differs from a",), source="Matrix Cookbook (129)")  # fmt: skip
identity("squared distance", "(x - a).T @ (x - a)", wrt="x", gradient="2 * (x - a)",
         shapes="x: n, a: n", source="Matrix Cookbook (85), W = I")  # fmt: skip
identity("normalised vector", "x / torch.norm(x)", wrt="x",
         gradient="torch.eye(x.shape[0]) / torch.norm(x) - x @ x.T / torch.norm(x) ** 3",
         shapes="x: n", conditions=("x nonzero",), source="Matrix Cookbook (130), a = 0")  # fmt: skip
identity("unit direction from a point", "(x - a) / torch.norm(x - a)", wrt="x",
         gradient="torch.eye(x.shape[0]) / torch.norm(x - a) - (x - a) @ (x - a).T / torch.norm(x - a) ** 3",
         shapes="x: n, a: n", conditions=("x differs from a",), source="Matrix Cookbook (130)")  # fmt: skip
identity("squared Frobenius norm", "(X ** 2).sum()", wrt="X", gradient="2 * X",
         shapes="X: m n", source="Matrix Cookbook (132)")  # fmt: skip
identity("Frobenius norm", "torch.norm(X)", wrt="X", gradient="X / torch.norm(X)",
         shapes="X: m n", conditions=("X nonzero",), source="chain rule with Matrix Cookbook (132)")  # fmt: skip
identity("squared Frobenius distance", "((X - A) ** 2).sum()", wrt="X", gradient="2 * (X - A)",
         shapes="X: m n, A: m n", source="Matrix Cookbook (119), A = B = I")  # fmt: skip
identity("squared Frobenius norm of an affine map", "((A @ X @ B + C) ** 2).sum()", wrt="X",
         gradient="2 * A.T @ (A @ X @ B + C) @ B.T",
         shapes="X: m n, A: p m, B: n q, C: p q", source="Matrix Cookbook (119)")  # fmt: skip
