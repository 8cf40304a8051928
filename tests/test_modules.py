"""Modules, containers and objects of the notebook: their tensors are constants, or variables, under their own text.

The oracle is the notebook itself: the code of a derivative, evaluated there, is what autograd gives there.
"""

from __future__ import annotations

import inspect
from collections import namedtuple
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from matmagic import capture
from matmagic.calling import float64
from matmagic.errors import OptionError
from matmagic.options import Options, parse_names
from matmagic.report import Report, check, gradcheck


class Net(nn.Module):
    """Modules in a list, a parameter and a buffer of its own, a plain tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("shift", torch.randn(3))
        self.plain = torch.randn(3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.scale * (x + self.shift) @ self.plain

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return (self(x) - y) ** 2


class Tied(nn.Module):
    """One parameter under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) @ self.b(x)


class Model:
    """A plain object with tensors, one of them of the class."""

    V = torch.randn(3, 3).double()

    def __init__(self) -> None:
        self.W = torch.randn(3, 3).double()

    def loss(self, x: Tensor) -> Tensor:
        return x @ self.W @ self.V @ x


Pair = namedtuple("Pair", "W b")


def notebook() -> dict[str, Any]:
    """Names of a notebook, everything in float64."""
    torch.manual_seed(0)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64)

    modules = {
        "lin": nn.Linear(3, 2),
        "mlp": nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2)).eval(),
        "normed": nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)),
        "bn": nn.BatchNorm1d(3).eval(),
        "bil": nn.Bilinear(3, 3, 2),
        "emb": nn.Embedding(5, 3),
        "net": Net(),
        "tied": Tied(),
        "pd": nn.ParameterDict({"W": nn.Parameter(torch.randn(2, 3))}),
    }
    for module in modules.values():
        module.double()
    modules["net"].plain = modules["net"].plain.double()
    others = {
        "params": {"W": randn(2, 3), "b": randn(2)},
        "layers": [(randn(4, 3), randn(4)), (randn(2, 4), randn(2))],
        "pair": Pair(randn(2, 3), randn(2)),
        "model": Model(),
        "prior": torch.distributions.Normal(randn(3), randn(3).exp()),
        "x": randn(3),
        "X": randn(5, 3),
        "i": torch.tensor([1, 2, 2]),
    }
    return {"torch": torch, "nn": nn, "F": F, **modules, **others}


def checked(cell: str, names: dict[str, Any], **options: Any) -> Report:
    parsed = capture.parse(cell)
    outcome = capture.run(parsed, names)
    return check(capture.subject(parsed, names, outcome=outcome), Options(**options))


CASES = [  # cell, variables, tensors read
    ("def f(x): return lin(x).sum()", "x lin.weight", "lin.weight lin.bias"),
    ("def f(x): return (lin(x) ** 2).sum()", "x lin.weight lin.bias", "lin.weight lin.bias"),
    ("def f(x): return lin.weight @ x", "x", "lin.weight"),
    ("def f(x): return F.linear(x, weight=lin.weight).sum()", "x lin.weight", "lin.weight"),
    ("def f(X): return lin(X).sum()", "X lin.weight lin.bias", "lin.weight lin.bias"),
    ("def f(x): return mlp(x).sum()", "x mlp[3].weight", "mlp[0].weight mlp[0].bias mlp[3].weight mlp[3].bias"),
    ("def f(x): return normed(x).prod()", "x", "normed[0].weight normed[0].bias normed[1].weight normed[1].bias"),
    ("def f(X): return bn(X).sum()", "X bn.weight", "bn.weight bn.bias bn.running_mean bn.running_var"),
    ("def f(x): return bil(x, x).sum()", "x bil.weight", "bil.weight bil.bias"),
    ("def f(i): return (emb(i) ** 2).sum()", "emb.weight", "emb.weight"),
    (
        "def f(x): return net(x)",
        "x net.scale net.layers[0].bias",
        "net.scale net.shift net.plain net.layers[0].weight net.layers[0].bias net.layers[1].weight net.layers[1].bias",
    ),
    ("def f(x): return tied(x)", "x tied.a.weight", "tied.a.weight"),
    ("def f(x): return (pd['W'] @ x).sum()", 'x pd["W"]', 'pd["W"]'),
    ("def f(x): return (params['W'] @ x + params['b']).prod()", 'params["W"] params["b"]', 'params["W"] params["b"]'),
    ("def f(x): return ((W := params['W']) @ x).sum()", "x", 'params["W"]'),
    (
        "def f(x):\n    for W, b in layers:\n        x = torch.tanh(W @ x + b)\n    return x.sum()",
        "x layers[0][0]",
        "layers[0][0] layers[0][1] layers[1][0] layers[1][1]",
    ),
    ("def f(x): return (pair.W @ x + pair.b).sum()", "x pair.W", "pair.W pair.b"),
    ("def f(x): return x @ model.W @ x", "x model.W", "model.W"),
    ("def f(x): return model.loss(x)", "x model.W", "model.W model.V"),
    ("def f(x): return prior.log_prob(x).sum()", "x", "prior.loc prior.scale"),
    ("def f(x, lin=lin): return lin(x).sum()", "x lin.weight", "lin.weight lin.bias"),
    ("def f(x, W=pair.W): return (W @ x).sum()", "x W", "W"),
    ("def f(lin, x): return lin(x).sum()", "x lin.weight", "lin.weight lin.bias"),
    ("def f(x, *, params): return (params['W'] @ x).sum()", "x", 'params["W"]'),
    ("def h(x): return lin(x)\ndef f(x): return h(x).sum()", "x", "lin.weight lin.bias"),
    ("def make(m):\n    return lambda x: m(x).sum()\ndef f(x): return x\nf = make(lin)", "x", "m.weight m.bias"),
    ("def f(x): return torch.func.functional_call(lin, dict(lin.named_parameters()), (x,)).sum()", "x",
     "lin.weight lin.bias"),
    ("def f(x): return x.sum() * sum((p ** 2).sum() for p in lin.parameters())", "x lin.weight",
     "lin.weight lin.bias"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "variables", "read"), CASES, ids=[c[0].splitlines()[-1] for c in CASES])
def test_code_in_the_notebook_is_autograds_there(cell: str, variables: str, read: str) -> None:
    names = notebook()
    report = checked(cell, names, wrt=parse_names(variables))
    names |= {"m": names["lin"], "W": names["pair"].W}  # what a closure and a default call them
    assert {n for n in report.shapes if n not in ("x", "X", "i")} == set(read.split())
    for derivative in report:
        assert derivative.code is not None, [n.text for n in report.notes]
        truth = autograd(names, eval(derivative.variable, names))
        with float64():
            found = eval(derivative.code, names)
        assert torch.allclose(found.detach(), truth, rtol=1e-9), derivative.code
        assert derivative.verdict.ok and derivative.verdict.autograd_ok


def autograd(names: dict[str, Any], variable: Tensor) -> Tensor:
    """The derivative of the notebook's own f at its own tensors."""
    flag = variable.requires_grad
    variable.requires_grad_()
    signature = inspect.signature(names["f"])
    kinds = {n: p.kind for n, p in signature.parameters.items() if p.default is p.empty}
    args = [names[n] for n, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    value = names["f"](*args, **{n: names[n] for n, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY})
    rows = [torch.autograd.grad(v, variable, retain_graph=True)[0] for v in value.reshape(-1)]
    variable.requires_grad_(flag)
    return rows[0] if value.numel() == 1 else torch.stack(rows)


def test_sizes_are_letters_where_the_module_allows() -> None:
    names = notebook()
    del names["x"], names["X"]
    assert checked("def f(x): return mlp(x)", names).shapes == {
        "x": "n", "mlp[0].weight": "m,n", "mlp[0].bias": "m", "mlp[3].weight": "k,m", "mlp[3].bias": "k",
    }  # fmt: skip
    assert checked("def f(x): return normed(x)", names).shapes["normed[0].weight"] == "4,n"
    assert checked("def f(X): return normed(X)", names).shapes["X"] == "n,m"
    assert checked("def f(x): return lin(x)", names, shapes={"x": "k"}).shapes["lin.weight"] == "n,k"
    assert checked("def f(x): return lin(x)", names, shapes={"x": "3"}).shapes["lin.weight"] == "n,3"
    assert checked("def f(x): return lin(x) @ lin.weight @ x / lin.in_features", names)["x"].code is not None


def test_a_module_is_checked_itself() -> None:
    names = notebook()
    subject = capture.subject_of(names["lin"], names)
    report = check(subject, Options(wrt=("input", "lin.bias")))
    assert report.function == "lin" and report.statement_text == "lin(input) = W_lin input + b_lin"
    assert (report["input"].code, report["lin.bias"].text) == ("lin.weight", "I")
    assert (
        check(capture.subject_of(names["net"].loss, names), Options(wrt=("net.scale",)))["net.scale"].code is not None
    )
    assert torch.equal(report(names["x"]), names["lin"](names["x"]))


def test_without_a_name_it_is_self() -> None:
    report = gradcheck(Model().loss, shapes={"x": "n"})
    assert report["x"].text == "(W V + Vᵀ Wᵀ) x" and "self.W" in report["x"].code


def test_gradients_of_parameters_are_asked_for_in_backward_style() -> None:
    cell = "def f(x):\n    loss = (lin(x) ** 2).sum()\n    loss.backward()\n    return lin.weight.grad, lin.bias.grad"
    report = checked(cell, notebook())
    assert [d.code for d in report] == [
        "2 * torch.outer(lin.weight @ x + lin.bias, x)",
        "2 * (lin.weight @ x + lin.bias)",
    ]


CLAIMS = {  # of (lin(x) ** 2).sum(), by x or by the parameter in the name
    "expected = 2 * lin.weight.T @ lin(x)": "correct",
    "expected = 2 * lin.weight.T @ (lin.weight @ x)": "wrong",
    "W = lin.weight\nexpected = 2 * W.T @ lin(x)": "correct",
    "expected_grad_lin_weight = 2 * torch.outer(lin(x), x)": "correct",
    "expected_grad_lin_weight = 2 * torch.outer(x, lin(x))": "wrong",
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("single", [False, True])
def test_answers_may_name_them(claim: str, single: bool) -> None:
    names = notebook()
    if single:
        names["lin"].float()
    (grade,) = checked(f"def f(x): return (lin(x) ** 2).sum()\n{claim}", names).claims
    assert (grade.verdict, grade.value_only) == (CLAIMS[claim], False)


def test_answers_in_options_may_name_them() -> None:
    claims = ("params['W'].sum(0)", 'params["W"].T @ torch.ones(params["W"].shape[0])', 'params["b"]')
    report = checked("def f(x): return (params['W'] @ x + params['b']).sum()", notebook(), claims=claims)
    assert [g.verdict for g in report.claims] == ["correct", "correct", "wrong"]
    with pytest.raises(OptionError, match=r"params is no argument of the function"):
        checked("def f(x): return (params['W'] @ x).sum()", notebook(), claims=("params['c'] * x",))


def test_a_module_stands_for_what_it_holds() -> None:
    report = checked("def f(X): return bn(X).sum()", notebook(), wrt=("bn",))
    assert [d.variable for d in report] == ["bn.weight", "bn.bias"]


@pytest.mark.parametrize("with_x", [False, True])
def test_functions_private_to_torch_see_the_modules_own_sizes_only(with_x: bool) -> None:
    """torch._weight_norm doesn't check sizes: other ones corrupt memory."""
    names: dict[str, Any] = {"wn": nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), "torch": torch}
    if with_x:
        names["x"] = torch.ones(3)
    report = checked("def f(x): return wn(x).sum()", names)
    assert report.shapes['wn.parametrizations["weight"].original1'] == "2,3" and report["x"].verdict.autograd_ok


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_everything_runs_in_float64(dtype: torch.dtype) -> None:
    names = {"m": nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)).to(dtype), "torch": torch}
    report = checked("def f(x): return m(x).sum()", names)
    assert report["x"].code is not None and names["m"][0].weight.dtype is dtype


def test_a_place_that_f_does_not_read_is_no_variable() -> None:
    with pytest.raises(OptionError, match=r"--wrt lin.wieght: f has no such argument \(did you mean lin.weight\?\)"):
        checked("def f(x): return lin(x)", notebook(), wrt=("lin.wieght",))


def test_nothing_in_the_notebook_changes() -> None:
    names = notebook()
    names["bn"].train()
    names["log"] = []
    before = {k: v.clone() for k, v in names["bn"].state_dict().items()}
    cell = """
def f(X):
    bn.eval().train()
    bn.calls = getattr(bn, "calls", 0) + 1
    net.shift = net.shift + 1
    net.layers[0].bias.requires_grad_(False)
    params["new"] = params["W"] * 2
    log.append(bn(X).sum())
    return bn(X).sum() + net(X[0])
"""
    shift = names["net"].shift
    report = checked(cell, names)
    assert all(torch.equal(v, before[k]) for k, v in names["bn"].state_dict().items())
    assert names["bn"].training and not hasattr(names["bn"], "calls") and names["net"].shift is shift
    assert names["net"].layers[0].bias.requires_grad and list(names["params"]) == ["W", "b"] and names["log"] == []
    assert all(p.grad is None for p in names["net"].parameters())
    assert report["X"].code is None and "running statistics" in " ".join(n.text for n in report.notes)


def test_symbols_that_are_alike_withhold_the_formula() -> None:
    names = notebook()
    report = checked("def f(x, W_lin): return (lin(x) + W_lin @ x).sum()", names, shapes={"x": "3", "W_lin": "2,3"})
    assert report["x"].code is None
    assert any("W_lin and lin.weight are written alike" in note.text for note in report.notes)


def test_a_large_model_is_followed_at_its_own_sizes() -> None:
    names = {"te": nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), "torch": torch}
    report = checked("def f(X): return te(X[None]).sum()", names)
    assert report.shapes["X"] == "n,8" and report["X"].verdict.autograd_ok
