"""Eigenvalues of symmetric matrices.  torch reads the lower triangle and returns symmetric gradients."""

from . import identity, values

# fmt: off
identity("simple eigenvalue", "torch.linalg.eigvalsh(X)[i]", wrt="X",
         gradient="torch.outer(torch.linalg.eigh(X)[1][:, i], torch.linalg.eigh(X)[1][:, i])",
         shapes="X: n n", conditions=("X symmetric", "the eigenvalue simple"), each=values(i="(-1) 0 1 (-2)"),
         source="Matrix Cookbook (67)", note="q qᵀ with its unit eigenvector q")
identity("eigenvalue along a line", "torch.linalg.eigvalsh(A + t * B)[i]", wrt="t",
         gradient="torch.linalg.eigh(A + t * B)[1][:, i] @ B @ torch.linalg.eigh(A + t * B)[1][:, i]",
         shapes="t: , A: n n, B: n n", conditions=("A symmetric", "B symmetric", "the eigenvalue simple"),
         each=values(i="0 1 (-1) (-2)"), source="Matrix Cookbook (67)", note="Hellmann and Feynman: qᵀ B q")
identity("sum of eigenvalues", "torch.linalg.eigvalsh(X).sum()", wrt="X", gradient="torch.eye(X.shape[0])",
         shapes="X: n n", conditions=("X symmetric",), source="Matrix Cookbook (65)", note="it is the trace")
identity("product of eigenvalues", "torch.prod(torch.linalg.eigvalsh(X))", wrt="X",
         gradient="torch.prod(torch.linalg.eigvalsh(X)) * torch.linalg.eigh(X)[1]"
                  " @ torch.diag(1 / torch.linalg.eigvalsh(X)) @ torch.linalg.eigh(X)[1].T",
         shapes="X: n n", conditions=("X symmetric", "X invertible"), source="Matrix Cookbook (66)",
         note="it is the determinant, and the gradient det(X) X⁻¹")
identity("sum of squared eigenvalues", "(torch.linalg.eigvalsh(X) ** 2).sum()", wrt="X",
         gradient="2 * torch.linalg.eigh(X)[1] @ torch.diag(torch.linalg.eigvalsh(X)) @ torch.linalg.eigh(X)[1].T",
         shapes="X: n n", conditions=("X symmetric",), source="chain rule with Matrix Cookbook (67)",
         note="it is tr(X²), and the gradient 2 X")
identity("sum of logarithms of eigenvalues", "torch.log(torch.linalg.eigvalsh(X)).sum()", wrt="X",
         gradient="torch.linalg.eigh(X)[1] @ torch.diag(1 / torch.linalg.eigvalsh(X)) @ torch.linalg.eigh(X)[1].T",
         shapes="X: n n", conditions=("X positive-definite",), source="chain rule with Matrix Cookbook (67)",
         note="it is log det(X), and the gradient X⁻¹")
