"""Places: text for tensors in objects, and back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from matmagic.places import held, is_inside, namespace, roots, spelled, steps
from matmagic.printers.names import latex_name, text_name


class Slotted:
    """No dict, but slots."""

    __slots__ = ("W",)

    def __init__(self) -> None:
        self.W = torch.ones(2)


class Kept:
    """Attributes and a property that must not be asked."""

    shared = torch.ones(1)

    def __init__(self) -> None:
        self.inner = Slotted()
        self.me = self

    @property
    def trap(self) -> Any:
        raise AssertionError("properties are not looked at")


WITHIN = [  # object, texts of its tensors
    (torch.ones(2), ["o"]),
    (nn.Linear(2, 3), ["o.weight", "o.bias"]),
    (nn.Linear(2, 3, bias=False), ["o.weight"]),
    (nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ["o[0].weight", "o[0].bias"]),
    (nn.ModuleDict({"in": nn.Linear(1, 1), "out": nn.ReLU()}), ['o["in"].weight', 'o["in"].bias']),
    (nn.ParameterList([torch.ones(1)]), ["o[0]"]),
    (nn.BatchNorm1d(2, affine=False), ["o.running_mean", "o.running_var", "o.num_batches_tracked"]),
    (nn.GRU(2, 2, bias=False), ["o.weight_ih_l0", "o.weight_hh_l0"]),
    ({"W": torch.ones(1), 3: [torch.ones(1)], "a]b": torch.ones(1), 1.5: torch.ones(1)}, ['o["W"]', "o[3][0]"]),
    (Kept(), ["o.shared", "o.inner.W"]),
    (Kept, ["o.shared"]),
    (nn.Linear(2, 3, bias=False).forward, ["o.__self__.weight"]),
    ([1, "text", None, torch, lambda x: x], []),
]


@pytest.mark.parametrize(("value", "texts"), WITHIN, ids=[str(t) for _, t in WITHIN])
def test_texts_evaluate_to_the_tensors(value: Any, texts: list[str]) -> None:
    found = {text: inner for text, inner in held({"o": value}) if isinstance(inner, torch.Tensor)}
    assert list(found) == texts
    assert all(eval(text, {"o": value}) is inner for text, inner in found.items())
    again = namespace(found)
    assert all(eval(text, {}, again) is inner for text, inner in found.items())


def test_each_tensor_has_one_text_the_shortest() -> None:
    lin = nn.Linear(2, 2)
    assert [t for t, v in held({"net": {"a": lin}, "w": lin.weight}) if isinstance(v, torch.Tensor)] == [
        "w",
        'net["a"].bias',
    ]


def test_it_ends() -> None:
    loop: list[Any] = [torch.ones(1)]
    loop.append(loop)
    assert len(list(held({"loop": loop, "numbers": list(range(10**5))}))) == 3


def test_what_a_stand_in_does_not_know() -> None:
    names = namespace({"lin.weight": 1, 'p["W"]': 2})
    with pytest.raises(AttributeError, match="bias"):
        eval("lin.bias", names)
    with pytest.raises(KeyError):
        eval("p[0]", names)


def test_reading_texts() -> None:
    assert steps('net.layers[1]["W"].a') == ["net", ".layers", "[1]", '["W"]', ".a"]
    assert (is_inside("x"), is_inside("lin.weight"), is_inside("p[0]")) == (False, True, True)
    assert roots(["x", "lin.weight", "lin.bias", "p[0]"]) == {"lin", "p"}
    assert spelled("p['a'][0][ b ].c") == 'p["a"][0]["b"].c'


SYMBOLS = {
    "lin.weight": ("W_lin", r"W_{\mathrm{lin}}"),
    "lin.bias": ("b_lin", r"b_{\mathrm{lin}}"),
    "m.weight": ("W_m", "W_{m}"),
    "model[0].weight": ("W_{model,0}", r"W_{\mathrm{model},0}"),
    "net.layers[1].bias": ("b_{net,layers,1}", r"b_{\mathrm{net},\mathrm{layers},1}"),
    'params["W"]': ("W_params", r"W_{\mathrm{params}}"),
    'params["W1"]': ("W_{1,params}", r"W_{1,\mathrm{params}}"),
    "W[0]": ("W₀", "W_{0}"),
    "layers[1][0]": ("layers_{1,0}", r"\mathrm{layers}_{1,0}"),
    "bn.running_mean": ("μ_bn", r"\mu_{bn}"),
    "rnn.weight_ih_l0": ("W_{ih,l0,rnn}", r"W_{ih,l0,\mathrm{rnn}}"),
    "net.scale": ("scale_net", r"\mathrm{scale}_{\mathrm{net}}"),
    "self.W": ("W", "W"),
}


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols(name: str) -> None:
    assert (text_name(name), latex_name(name)) == SYMBOLS[name]
