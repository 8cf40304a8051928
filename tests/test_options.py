"""Options: what their texts mean, and what is said of those that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from matmagic.errors import OptionError
from matmagic.options import PROPERTIES, Options, parse_assume, parse_names, parse_shapes

MEANT = [
    (parse_names, "", ()),
    (parse_names, "x", ("x",)),
    (parse_names, "x, A;b c,x", ("x", "A", "b", "c")),
    (parse_names, ["x", "net.weight"], ("x", "net.weight")),
    (parse_shapes, "", {}),
    (parse_shapes, "x=n,1 A=n,n t=()", {"x": "n,1", "A": "n,n", "t": "()"}),
    (parse_shapes, "x = (n, 1), A=[n n]; t=( )", {"x": "n,1", "A": "n,n", "t": "()"}),
    (parse_shapes, "x: 3, α=k", {"x": "3", "α": "k"}),
    (parse_shapes, {"x": "n 1", "t": "()", "s": ""}, {"x": "n,1", "t": "()", "s": "()"}),
    (parse_assume, "", ({}, ())),
    (parse_assume, "A=symmetric m>n", ({"A": "symmetric"}, ("m>n",))),
    (
        parse_assume,
        "A=positive_definite, B = Skew; m >= n, k==2",
        ({"A": "positive-definite", "B": "skew"}, ("m>=n", "k==2")),
    ),
    (parse_assume, "y=index<k m>k", ({"y": "index<k"}, ("m>k",))),
    (parse_assume, "y = index < 3", ({"y": "index<3"}, ())),
    (parse_assume, ["A=symmetric", "m>n"], ({"A": "symmetric"}, ("m>n",))),
    (
        parse_assume,
        {"A": "positive definite", "y": "index < K"},
        ({"A": "positive-definite", "y": "index<K"}, ()),
    ),
]


@pytest.mark.parametrize(("parse", "text", "meaning"), MEANT)
def test_meaning(parse: Callable[[Any], Any], text: Any, meaning: Any) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize("word", PROPERTIES)
def test_every_property_is_known(word: str) -> None:
    assert parse_assume(f"A={word}") == ({"A": word}, ())


REFUSED = [
    (parse_names, "x,-A", "'-A' is not a name\n  names are separated by commas: -w x,A"),
    (parse_shapes, "n,1", "shapes: can't read 'n,1'\n  shapes are written \"x=n,1 A=n,n t=()\""),
    (parse_shapes, "x=", "shapes: nothing follows x="),
    (parse_shapes, "x=n x=m", "shapes names x twice"),
    (
        parse_shapes,
        "x=n/2",
        "the shape of x can't be 'n/2': 'n/2' is not a size\n  sizes are n, 3, 2n, n+1, m+n: \"x=n,1\"",
    ),
    (parse_shapes, "x=0", "the shape of x can't be '0': '0' is not a size"),
    (
        parse_assume,
        "symmetric",
        "assume: can't read 'symmetric'\n  assumptions are written \"A=symmetric m>n\"",
    ),
    (
        parse_assume,
        "A=symetric",
        "A=symetric: no such property (did you mean symmetric?)\n  properties: symmetric, positive-definite",
    ),
    (parse_assume, "A=nice", "A=nice: no such property\n"),
    (parse_assume, "A=symmetric A=skew", "assume names A twice"),
    (parse_assume, "A=symmetric A=index<3", "assume names A twice"),
    (parse_assume, {"A": "nice"}, "A=nice: no such property\n"),
]


@pytest.mark.parametrize(("parse", "text", "message"), REFUSED)
def test_message(parse: Callable[[Any], Any], text: Any, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(text)
    assert str(caught.value).startswith("OptionError: " + message)


def test_numbers_in_range() -> None:
    assert Options() == Options(order=1, trials=6, seed=0)
    with pytest.raises(OptionError, match=r"order is 1 \(gradient, Jacobian\) or 2 \(Hessian\), not 3"):
        Options(order=3)
    with pytest.raises(OptionError, match="trials is at least 1, not 0"):
        Options(trials=0)
