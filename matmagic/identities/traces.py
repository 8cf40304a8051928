"""Traces of polynomials of a matrix."""

from . import identity, values


def powers(middle: str, *numbers: int) -> tuple[dict[str, str], ...]:
    """Xᵏ and the derivative of tr(M Xᵏ), before it is transposed, Σ_r Xʳ M X^(k-1-r), for each k."""
    return tuple({"power": _product("X", k), "terms": _slots(middle, k)} for k in numbers)


def powers_both(*numbers: int) -> tuple[dict[str, str], ...]:
    """Xᵏ and the two derivatives of aᵀ (Xᵏ)ᵀ Xᵏ b, each power held in turn."""
    return tuple(
        {
            "power": _product("X", k),
            "left": _slots(f"(a @ b.T @ {_product('X.T', k)})", k),
            "right": _slots(f"(b @ a.T @ {_product('X.T', k)})", k),
        }
        for k in numbers
    )


def _product(factor: str, count: int) -> str:
    return f"({' @ '.join([factor] * count)})"


def _slots(middle: str, count: int) -> str:
    """Σ_r Xʳ M X^(k-1-r)"""
    terms = (" @ ".join(["X"] * r + [middle] + ["X"] * (count - 1 - r)) for r in range(count))
    return f"({' + '.join(terms)})"


# fmt: off
identity("trace", "torch.trace(X)", wrt="X", gradient="torch.eye(X.shape[0])",
         shapes="X: n n", source="Matrix Cookbook (99)")
identity("trace of a product", "torch.trace(X @ A)", wrt="X", gradient="A.T", shapes="X: m n, A: n m",
         structured={"symmetric": "A + A.T - torch.diag(torch.diag(A))", "diagonal": "torch.diag(torch.diag(A))"},
         source="Matrix Cookbook (100), (139) for symmetric and (142) for diagonal X")
identity("trace of A X B", "torch.trace(A @ X @ B)", wrt="X", gradient="A.T @ B.T",
         shapes="X: m n, A: k m, B: n k", source="Matrix Cookbook (101)")
identity("inner product of matrices", "(A * X).sum()", wrt="X", gradient="A", shapes="X: m n, A: m n",
         source="Matrix Cookbook (103) and (104)", note="⟨A, X⟩ = tr(Aᵀ X) = tr(A Xᵀ)")
identity("linear form of the diagonal", "torch.trace(X @ torch.diag(d.squeeze(1)))", wrt="X",
         gradient="torch.diag(d.squeeze(1))", shapes="X: n n, d: n", source="Matrix Cookbook (142)")
identity("trace of A Xᵀ B", "torch.trace(A @ X.T @ B)", wrt="X", gradient="B @ A",
         shapes="X: m n, A: k n, B: m k", source="Matrix Cookbook (102)")
identity("inner product with A X", "((A @ X) * Y).sum()", wrt="X", gradient="A.T @ Y",
         shapes="X: n k, A: m n, Y: m k", source="Matrix Cookbook (101)", note="⟨A X, Y⟩ = ⟨X, Aᵀ Y⟩: the adjoint of X ↦ A X")
identity("inner product with X A", "((X @ A) * Y).sum()", wrt="X", gradient="Y @ A.T",
         shapes="X: m n, A: n k, Y: m k", source="Matrix Cookbook (101)", note="⟨X A, Y⟩ = ⟨X, Y Aᵀ⟩: the adjoint of X ↦ X A")
identity("square of the trace", "torch.trace(X) ** 2", wrt="X", gradient="2 * torch.trace(X) * torch.eye(X.shape[0])",
         shapes="X: n n", source="Matrix Cookbook (120)",
         note="tr(X kron X) is the same function")
identity("trace of the square", "torch.trace(X @ X)", wrt="X", gradient="2 * X.T",
         shapes="X: n n", source="Matrix Cookbook (106)")
identity("trace of a power", "torch.trace(torch.linalg.matrix_power(X, k))", wrt="X",
         gradient="k * torch.linalg.matrix_power(X, k - 1).T", shapes="X: n n", each=values(k="3 4 5 6 7 8"),
         source="Matrix Cookbook (121)")
identity("trace of A Xᵏ", "torch.trace(A @ power)", wrt="X", gradient="terms.T",
         shapes="X: n n, A: n n", each=powers("A", 3, 4, 5), source="Matrix Cookbook (122)")
identity("trace of X X B", "torch.trace(X @ X @ B)", wrt="X", gradient="(X @ B + B @ X).T",
         shapes="X: n n, B: n n", source="Matrix Cookbook (107)")
identity("trace of a quadratic form", "torch.trace(X.T @ B @ X)", wrt="X", gradient="(B + B.T) @ X",
         shapes="X: m n, B: m m", simpler={"B symmetric": "2 * B @ X"}, source="Matrix Cookbook (108)")
identity("trace of X B Xᵀ", "torch.trace(X @ B @ X.T)", wrt="X", gradient="X @ (B + B.T)",
         shapes="X: m n, B: n n", simpler={"B symmetric": "2 * X @ B"}, source="Matrix Cookbook (111)")
identity("trace of A X B X", "torch.trace(A @ X @ B @ X)", wrt="X", gradient="A.T @ X.T @ B.T + B.T @ X.T @ A.T",
         shapes="X: m n, A: n m, B: n m", source="Matrix Cookbook (114)")
identity("trace of A X A X", "torch.trace(A @ X @ A @ X)", wrt="X", gradient="2 * A.T @ X.T @ A.T",
         shapes="X: m n, A: n m", source="Matrix Cookbook (114), B = A")
identity("square of the trace of a product", "torch.trace(A @ X) ** 2", wrt="X", gradient="2 * torch.trace(A @ X) * A.T",
         shapes="X: m n, A: n m", source="chain rule with Matrix Cookbook (100)")
identity("trace of Xᵀ B X C", "torch.trace(X.T @ B @ X @ C)", wrt="X", gradient="B @ X @ C + B.T @ X @ C.T",
         shapes="X: m n, B: m m, C: n n", source="Matrix Cookbook (117)")
identity("trace of a Kronecker product", "torch.trace(A) * torch.trace(X)", wrt="X",
         gradient="torch.trace(A) * torch.eye(X.shape[0])", shapes="X: n n, A: m m",
         source="Matrix Cookbook (105)", note="tr(A ⊗ X) is the same function")
identity("trace of A (X ∘ B)", "torch.trace(A @ (X * B))", wrt="X", gradient="A.T * B",
         shapes="X: m n, A: n m, B: m n", source="Matrix Cookbook (100) with (38)")
identity("trace of a fourth-order form", "torch.trace(B.T @ X.T @ C @ X @ X.T @ C @ X @ B)", wrt="X",
         gradient="C @ X @ X.T @ C @ X @ B @ B.T + C.T @ X @ B @ B.T @ X.T @ C.T @ X"
                  " + C @ X @ B @ B.T @ X.T @ C @ X + C.T @ X @ X.T @ C.T @ X @ B @ B.T",
         shapes="X: m n, B: n k, C: m m", source="Matrix Cookbook (123)")
identity("squared norm of the Gram matrix", "torch.trace(X.T @ X @ X.T @ X)", wrt="X", gradient="4 * X @ X.T @ X",
         shapes="X: m n", source="Matrix Cookbook (123), B = C = I")
identity("trace of the matrix exponential", "torch.trace(torch.linalg.matrix_exp(X))", wrt="X",
         gradient="torch.linalg.matrix_exp(X).T", shapes="X: n n", source="Matrix calculus, scalar by matrix")
identity("trace of the matrix exponential along a scalar", "torch.trace(torch.linalg.matrix_exp(t * A))", wrt="t",
         gradient="torch.trace(A @ torch.linalg.matrix_exp(t * A))", shapes="t: , A: n n",
         source="Matrix calculus, scalar by scalar with matrices")
identity("bilinear form of a power", "a.T @ power @ b", wrt="X", gradient="terms.T",
         shapes="X: n n, a: n, b: n", each=powers("(b @ a.T)", 2, 3, 4), source="Matrix Cookbook (91)")
identity("bilinear form of a power with its transpose", "a.T @ power.T @ power @ b", wrt="X",
         gradient="left.T + right.T", shapes="X: n n, a: n, b: n",
         each=powers_both(2, 3), source="Matrix Cookbook (92)",
         note="(92) is wrong as printed: its first term is Σ_r (Xʳ)ᵀ Xⁿ b aᵀ (X^(n-1-r))ᵀ")
identity("trace of a product by the triangle of a symmetric matrix",
         "torch.trace(A @ whole)", wrt="X", gradient="torch.tril(A + A.T) - torch.diag(torch.diag(A))",
         shapes="X: n n, A: n n",
         each=({"whole": "(torch.tril(X) + torch.tril(X, -1).T)"},
               {"whole": "(torch.tril(X) + torch.tril(X).T - torch.diag(torch.diag(torch.tril(X))))"}),
         source="Matrix Cookbook (139)", note="A + Aᵀ - A ∘ I on the triangle that X is made of")
