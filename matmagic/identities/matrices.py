"""Functions of a matrix without a trace: forms aᵀ X b and their squares."""

from . import identity

identity("bilinear form in the matrix", "a.T @ X @ b", wrt="X", gradient="a @ b.T",
         shapes="X: m n, a: m, b: n", source="Matrix Cookbook (70)")  # fmt: skip
identity("quadratic form in the matrix", "a.T @ X @ a", wrt="X", gradient="a @ a.T",
         shapes="X: n n, a: n", source="Matrix Cookbook (72)")  # fmt: skip
identity("sum of matrix entries", "X.sum()", wrt="X", gradient="torch.ones_like(X)",
         shapes="X: m n", source="Matrix Cookbook (70), a = b = 1")  # fmt: skip
identity("square of the sum of matrix entries", "X.sum() ** 2", wrt="X", gradient="2 * X.sum() * torch.ones_like(X)",
         shapes="X: m n", source="Matrix Cookbook (76)")  # fmt: skip
identity("Gram bilinear form", "b.T @ X.T @ X @ c", wrt="X", gradient="X @ (b @ c.T + c @ b.T)",
         shapes="X: m n, b: n, c: n", source="Matrix Cookbook (77)")  # fmt: skip
identity("weighted Gram bilinear form", "b.T @ X.T @ D @ X @ c", wrt="X",
         gradient="D.T @ X @ b @ c.T + D @ X @ c @ b.T",
         shapes="X: m n, b: n, c: n, D: m m", source="Matrix Cookbook (82)")  # fmt: skip
identity("quadratic form of X b + c", "(X @ b + c).T @ D @ (X @ b + c)", wrt="X",
         gradient="(D + D.T) @ (X @ b + c) @ b.T",
         shapes="X: m n, b: n, c: m, D: m m", source="Matrix Cookbook (83)")  # fmt: skip
identity("matrix-vector product by the matrix", "X @ a", wrt="X",
         gradient='torch.einsum("ik,j->ikj", torch.eye(X.shape[0]), a.squeeze(1))',
         shapes="X: m n, a: n", source="Matrix Cookbook (73)")  # fmt: skip
