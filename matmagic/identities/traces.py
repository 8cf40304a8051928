"""Traces of polynomials of a matrix."""

from . import identity

identity("trace", "torch.trace(X)", wrt="X", gradient="torch.eye(X.shape[0])",
         shapes="X: n n", source="Matrix Cookbook (99)")  # fmt: skip
identity("trace of a product", "torch.trace(X @ A)", wrt="X", gradient="A.T",
         shapes="X: m n, A: n m", source="Matrix Cookbook (100)")  # fmt: skip
identity("trace of A X B", "torch.trace(A @ X @ B)", wrt="X", gradient="A.T @ B.T",
         shapes="X: m n, A: k m, B: n k", source="Matrix Cookbook (101)")  # fmt: skip
identity("square of the trace", "torch.trace(X) ** 2", wrt="X", gradient="2 * torch.trace(X) * torch.eye(X.shape[0])",
         shapes="X: n n", source="Matrix Cookbook (120)",
         note="tr(X kron X) is the same function")  # fmt: skip
identity("trace of the square", "torch.trace(X @ X)", wrt="X", gradient="2 * X.T",
         shapes="X: n n", source="Matrix Cookbook (106)")  # fmt: skip
identity("trace of the cube", "torch.trace(X @ X @ X)", wrt="X", gradient="3 * (X @ X).T",
         shapes="X: n n", source="Matrix Cookbook (121), k = 3")  # fmt: skip
identity("trace of X X B", "torch.trace(X @ X @ B)", wrt="X", gradient="(X @ B + B @ X).T",
         shapes="X: n n, B: n n", source="Matrix Cookbook (107)")  # fmt: skip
identity("trace of a quadratic form", "torch.trace(X.T @ B @ X)", wrt="X", gradient="(B + B.T) @ X",
         shapes="X: m n, B: m m", simpler={"B symmetric": "2 * B @ X"}, source="Matrix Cookbook (108)")  # fmt: skip
identity("trace of X B Xᵀ", "torch.trace(X @ B @ X.T)", wrt="X", gradient="X @ (B + B.T)",
         shapes="X: m n, B: n n", simpler={"B symmetric": "2 * X @ B"}, source="Matrix Cookbook (111)")  # fmt: skip
identity("trace of A X B X", "torch.trace(A @ X @ B @ X)", wrt="X", gradient="A.T @ X.T @ B.T + B.T @ X.T @ A.T",
         shapes="X: m n, A: n m, B: n m", source="Matrix Cookbook (114)")  # fmt: skip
identity("trace of A X A X", "torch.trace(A @ X @ A @ X)", wrt="X", gradient="2 * A.T @ X.T @ A.T",
         shapes="X: m n, A: n m", source="Matrix Cookbook (114), B = A")  # fmt: skip
identity("square of the trace of a product", "torch.trace(A @ X) ** 2", wrt="X", gradient="2 * torch.trace(A @ X) * A.T",
         shapes="X: m n, A: n m", source="chain rule with Matrix Cookbook (100)")  # fmt: skip
identity("trace of Xᵀ B X C", "torch.trace(X.T @ B @ X @ C)", wrt="X", gradient="B @ X @ C + B.T @ X @ C.T",
         shapes="X: m n, B: m m, C: n n", source="Matrix Cookbook (117)")  # fmt: skip
