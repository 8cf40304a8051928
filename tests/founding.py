"""The five founding cells: backward-style functions, one Jacobian, and a name that is misspelt."""

RULE_1 = """\
import torch
torch.manual_seed(47)
a = torch.randn(2, 1)
x = torch.randn(2, 1, requires_grad=True)
def grad_f(x, a):
    f = a.T @ x
    f.backward()
    return x.grad
expected_gradient = a
calculated_gradient = grad_f(x, a)
assert torch.allclose(expected_gradient, calculated_gradient)
"""

RULE_2 = """\
import torch
torch.manual_seed(47)
A = torch.randn(2, 3)
x = torch.randn(3, 1, requires_grad=True)
def f(x):
    return A @ x
jacobian = torch.autograd.functional.jacobian(f, x).reshape(2, -1)
expected_jacobian = A
assert torch.allclose(jacobian, expected_jacobian)
"""

RULE_3 = """\
import torch; torch.manual_seed(47)
A = torch.randn(2, 2);
x = torch.randn(2, 1, requires_grad=True)
def grad_f(A, x):
    f = x.T @ A @ x
    f.backward()
    return x.grad
expected_gradient = A @ x + A.T @ x
calculated_gradient = grad_f(A, x)
assert torch.allclose(expected_gradient, calculated_gradient)
"""

RULE_4 = """\
import torch; torch.manual_seed(47)
A = torch.randn(2, 2)
x = torch.randn(2, 1, requires_grad=True)
y = torch.randn(2, 1, requires_grad=True)
def grad_f(A, x, y):
    f = x.T @ A @ y
    f.backward()
    return x.grad, y.grad
expected_grad_x = A @ y
expected_grad_y = A.T @ x
calculated_grad_x, calculated_grad_y = grad_f(A, x, y)
assert torch.allclose(expected_grad_x, calculated_grad_x)
assert torch.allclose(expected_grad_y, calculated_grad_y)
"""

RULE_5 = """\
import torch
torch.manual_seed(47)
a = torch.randn(3, 1)
b = torch.randn(2, 1)
zX = torch.randn(3, 2, requires_grad=True)
def grad_f(X, a, b):
    f = a.T @ X @ b
    f.backward()
    return X.grad
calculated_grad_X = grad_f(X, a, b)
expected_grad_X = a @ b.T
assert torch.allclose(expected_grad_X, calculated_grad_X)
"""

RULES = {"rule 1": RULE_1, "rule 2": RULE_2, "rule 3": RULE_3, "rule 4": RULE_4, "rule 5": RULE_5}
