"""Least squares in its forms."""

from . import identity

identity("least squares", "((A @ x - b) ** 2).sum()", wrt="x", gradient="2 * A.T @ (A @ x - b)",
         shapes="x: n, A: m n, b: m", source="Matrix Cookbook (84), W = I")  # fmt: skip
identity("weighted least squares", "(A @ x - b).T @ W @ (A @ x - b)", wrt="x", gradient="A.T @ (W + W.T) @ (A @ x - b)",
         shapes="x: n, A: m n, b: m, W: m m", simpler={"W symmetric": "2 * A.T @ W @ (A @ x - b)"},
         source="Matrix Cookbook (84)")  # fmt: skip
identity("ridge regression", "((A @ x - b) ** 2).sum() + c * x.T @ x", wrt="x", gradient="2 * A.T @ (A @ x - b) + 2 * c * x",
         shapes="x: n, A: m n, b: m, c: ", source="Matrix Cookbook (84) and (131)")  # fmt: skip
identity("mean squared error", "((A @ x - b) ** 2).mean()", wrt="x", gradient="2 * A.T @ (A @ x - b) / A.shape[0]",
         shapes="x: n, A: m n, b: m", source="Matrix Cookbook (84), W = I / m")  # fmt: skip
identity("least squares by the matrix", "((X @ a - b) ** 2).sum()", wrt="X", gradient="2 * (X @ a - b) @ a.T",
         shapes="X: m n, a: n, b: m", source="Matrix Cookbook (88), W = I")  # fmt: skip
identity("least squares (matrix unknown)", "((A @ X - B) ** 2).sum()", wrt="X", gradient="2 * A.T @ (A @ X - B)",
         shapes="X: n k, A: m n, B: m k", source="Matrix Cookbook (119)")  # fmt: skip
identity("least squares (right factor)", "((X @ A - B) ** 2).sum()", wrt="X", gradient="2 * (X @ A - B) @ A.T",
         shapes="X: m n, A: n k, B: m k", source="Matrix Cookbook (119)")  # fmt: skip
