"""The user's own identities: remembered from a check, saved, loaded; what a file must not do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty
from traitlets.config import Config

import matmagic
import matmagic.identities as registry
from matmagic import kinds
from matmagic.errors import IdentityError
from matmagic.own_rows import OwnRow, enter, own_rows
from matmagic.row_files import MOST_BYTES, MOST_ROWS, Loaded, written

HEADER = "[[identity]]\n"


@pytest.fixture(autouse=True)
def registry_as_before() -> Iterator[None]:
    yield
    for row in own_rows():
        registry.forget(row.name)


def note_of(report: Any) -> str:
    return next(note.text for note in report.notes if "remembered" in note.text)


def steep(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    return (a @ x) ** 3 * torch.exp(a @ x)


STEEP = "3 * (a @ x) ** 2 * torch.exp(a @ x) * a + (a @ x) ** 3 * torch.exp(a @ x) * a"


# ---- remembering --------------------------------------------------------------------------------------------------


def test_a_verified_claim_is_matched_by_its_name_from_then_on() -> None:
    report = matmagic.gradcheck(steep, wrt="x", claim=STEEP, remember="steep")
    assert report.passed and note_of(report) == "remembered as steep; %identities steep shows it"
    spellings = [
        (steep, {}),
        (lambda y, b: (y * b).sum() ** 3 * (b @ y).exp(), {}),
        (lambda x, a: torch.exp(a.T @ x) * (x.T @ a) ** 3, {"shapes": "x=n,1 a=n,1"}),
        (lambda x, B, c: torch.exp(x @ (B @ c)) * torch.einsum("i,ij,j", x, B, c) ** 3, {}),
    ]
    for function, options in spellings:
        found = matmagic.gradcheck(function, wrt=function.__code__.co_varnames[0], **options)  # type: ignore[attr-defined]
        names = [derivative.identity and derivative.identity.name for derivative in found]
        assert names == ["steep"], (found, found.notes)
    inputs = {"x": torch.rand(4, dtype=torch.float64), "a": torch.rand(4, dtype=torch.float64)}
    own = matmagic.gradcheck(steep, wrt="x")["x"].identity.statement
    assert torch.allclose(eval(own, {"torch": torch}, inputs), steep(**inputs))


def test_without_a_claim_every_derivative_is_kept() -> None:
    matmagic.gradcheck(steep, remember="steep")
    assert [row.name for row in own_rows()] == ["steep by x"]  # the other one is the same function of the other letter


FORMS = {  # function, options: every kind of derivative that a row can hold
    "columns": ("lambda x, A, b: torch.exp(x.T @ A @ x) * (b.T @ x)", {"shapes": "x=n,1 A=n,n b=n,1", "wrt": "x"}),
    "a matrix": ("lambda X, a, b: torch.sin(a @ X @ b) ** 3", {"wrt": "X"}),
    "a scalar": ("lambda t, x, y: torch.tanh(t * (x @ y)) * t ** 3", {"wrt": "t", "shapes": "t=()"}),
    "a Jacobian": ("lambda x, A, c: torch.sin(A @ x) * torch.exp(c @ x)", {"wrt": "x"}),
    "a Hessian": ("lambda x, a, b: torch.exp(a @ x) * (b @ x) ** 3", {"wrt": "x", "order": 2}),
    "a property": ("lambda x, S: torch.logdet(S) * torch.exp(x @ S @ x)", {"wrt": "x", "assume": "S=positive-definite"}),
    "fixed sizes": ("lambda x, A: torch.exp(x @ A @ x) * x[1]", {"wrt": "x", "shapes": "x=3 A=3,3"}),
    "a condition on sizes": (
        "lambda X: torch.logdet(X.T @ X) * torch.trace(X.T @ X) ** 3", {"assume": "m>n", "shapes": "X=m,n", "wrt": "X"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_every_form_is_kept_and_comes_back_from_a_file(case: str, tmp_path: Path) -> None:
    code, options = FORMS[case]
    function = eval(code, {"torch": torch})
    assert note_of(matmagic.gradcheck(function, remember="own", **options)).startswith("remembered as own")
    (row,) = own_rows()
    registry.save(tmp_path / "own.toml")
    registry.forget("own")
    assert matmagic.gradcheck(function, **options)[options["wrt"]].identity is None or (
        matmagic.gradcheck(function, **options)[options["wrt"]].identity.name != "own"
    )
    assert registry.load(tmp_path / "own.toml").names == ("own",)
    assert replace(own_rows()[0], place="") == replace(row, place="")
    assert matmagic.gradcheck(function, **options)[options["wrt"]].identity.name == "own"


NOT_KEPT: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a wrong claim": (steep, {"wrt": "x", "claim": "a"}, "the answer a is wrong"),
    "a claim that needs a condition": (
        lambda x, A: torch.exp(x @ A @ x), {"wrt": "x", "claim": "2 * torch.exp(x @ A @ x) * A @ x"},
        "is right only under a condition",
    ),
    "a known row": (lambda y, B: y @ B @ y, {"wrt": "y"}, "this is the quadratic form, which is known already"),
    "a known row in other words": (
        lambda x: torch.log(torch.exp(x).sum()), {"wrt": "x"}, "this is the .*, which is known already"
    ),
    "a name of matmagic": (steep, {"wrt": "x", "remember": "quadratic form"}, "the name of an identity of matmagic"),
    "an empty name": (steep, {"wrt": "x", "remember": " "}, "the name is empty"),
    "markup for a name": (steep, {"wrt": "x", "remember": "<b>x</b>"}, "markup or control characters"),
    "a long name": (steep, {"wrt": "x", "remember": "x" * 99}, "99 characters"),
    "a function that detaches its argument": (lambda x: sum(map(float, x.detach())) + (x ** 2).sum(), {}, "not confirmed"),
    "three axes": (lambda X, t: (X ** 2).sum() * t, {"shapes": "X=n,m,k t=()", "wrt": "t"}, "three axes"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_KEPT)
def test_what_is_not_kept_says_why(case: str) -> None:
    function, options, reason = NOT_KEPT[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = matmagic.gradcheck(function, **{"remember": "own", **options})
    assert own_rows() == ()
    said = note_of(report)
    assert said.startswith("not remembered: ") and re.search(reason, said)


def test_a_second_name_for_a_remembered_function_is_refused_by_the_first() -> None:
    matmagic.gradcheck(steep, wrt="x", remember="steep")
    again = matmagic.gradcheck(lambda y, b: (b @ y) ** 3 * torch.exp(b @ y), wrt="y", remember="other")
    assert "this is the steep, which is known already" in note_of(again)


def test_a_cell_that_is_run_again_replaces_its_identity() -> None:
    def other(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return (a @ x) ** 5 * torch.exp(a @ x)

    for _ in range(2):
        matmagic.gradcheck(steep, wrt="x", remember="steep")
    assert matmagic.gradcheck(steep, wrt="x")["x"].identity.name == "steep"
    assert note_of(matmagic.gradcheck(other, wrt="x", remember="steep")).startswith("remembered as steep")
    assert len(own_rows()) == 1
    assert matmagic.gradcheck(other, wrt="x")["x"].identity.name == "steep"
    assert matmagic.gradcheck(steep, wrt="x")["x"].identity is None
    assert list(kinds.clashes()) == []


def test_forget_takes_back_own_rows_only() -> None:
    matmagic.gradcheck(steep, wrt="x", remember="steep")
    registry.forget("steep")
    assert matmagic.gradcheck(steep, wrt="x")["x"].identity is None
    for name in ("steep", "quadratic form"):
        with pytest.raises(IdentityError, match="no identity of your own"):
            registry.forget(name)


def test_the_cell_of_the_readme() -> None:
    (cell,) = re.findall(r"```ipython\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL)
    main, hook = sys.modules["__main__"], sys.displayhook
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    shell.extension_manager.load_extension("matmagic")
    try:
        shell.run_cell("import torch").raise_error()
        result = shell.run_cell(cell)
        result.raise_error()
    finally:
        shell.extension_manager.unload_extension("matmagic")
        empty(shell)
        sys.modules["__main__"], sys.displayhook = main, hook
    assert note_of(result.result).startswith("remembered as exponential cube") and result.result.passed


def test_the_registry_is_there_before_anything_is_checked() -> None:
    code = "import matmagic; print(matmagic.identities.load, matmagic.identities.save, matmagic.identities.forget)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


# ---- files --------------------------------------------------------------------------------------------------------

GOOD = {
    "name": "cubic of a form",
    "function": "torch.exp(a.T @ x) * (a.T @ x) ** 3",
    "wrt": "x",
    "gradient": "torch.exp(a.T @ x) * ((a.T @ x) ** 3 + 3 * (a.T @ x) ** 2) * a",
    "shapes": "x: n, a: n",
    "source": "own",
}


def toml(**changed: Any) -> str:
    """The good row with other fields; None leaves one out; a text in `raw` is written as it is."""
    raw = changed.pop("raw", "")
    fields = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    lines = [f"{name} = {value if not isinstance(value, str) else quoted(value)}" for name, value in fields.items()]
    return HEADER + "\n".join(lines) + f"\n{raw}\n"


def quoted(text: str) -> str:
    return '"' + "".join(c if c >= " " and c not in '"\\' else f"\\u{ord(c):04x}" for c in text) + '"'


def loaded(tmp_path: Path, content: str | bytes) -> Loaded:
    path = tmp_path / "rows.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result: Loaded = registry.load(path)
    return result


KRON = "torch.kron(torch.kron(x @ a.T, x @ a.T), torch.kron(x @ a.T, x @ a.T)).sum()"
EINSUM = "torch.einsum('ab,cd,ef,gh,ij,kl->abcdefghijkl', " + "x @ a.T, " * 5 + "x @ a.T).sum()"

HOSTILE: dict[str, tuple[str | bytes, str]] = {
    # code that isn't an expression over the symbols
    "an import": (toml(function="__import__('os').system('touch pwned')"), "can't stand in a row"),
    "a dunder attribute": (toml(function="x.__class__.__mro__[1].__subclasses__()"), "can't stand in a row"),
    "a way out through torch": (toml(function="torch.serialization.os.system('touch pwned')"), "can't stand in a row"),
    "a load from disk": (toml(function="torch.load('pwned')"), "torch.load can't stand in a row"),
    "a compiler": (toml(function="torch.compile(x)"), "torch.compile can't stand in a row"),
    "a method that calls": (toml(function="x.apply_(print)"), "can't stand in a row"),
    "a method that writes": (toml(function="x.add_(1).sum() + a.sum()"), "can't stand in a row"),
    "a hook": (toml(function="x.register_hook(print)"), "can't stand in a row"),
    "numpy": (toml(function="x.numpy().tofile('pwned')"), "can't stand in a row"),
    "exec": (toml(gradient="exec('import os')"), "can be called"),
    "a lambda": (toml(gradient="(lambda: a)()"), "can't stand in a row|can be called"),
    "a comprehension": (toml(gradient="[a for _ in x][0]"), "can't stand in a row"),
    "an assignment": (toml(gradient="(y := a)"), "can't stand in a row"),
    "a statement": (toml(function="import os"), "not a Python expression"),
    "two lines": (toml(function="x.T @ a\nimport os"), "one line"),
    "an f-string": (toml(gradient="f'{x.__class__}'"), "can't stand in a row"),
    "stars": (toml(function="torch.add(*[x, a]).sum()"), "can't stand in a row"),
    "an output argument": (toml(function="torch.exp(x, out=a).sum()"), "can't stand in a row"),
    "code in a condition's form": (toml(raw='simpler = {"a positive" = "__import__(\'os\').getcwd()"}'), "can't stand in a row"),
    "code in a structure's form": (
        toml(
            raw='structured = {"symmetric" = "open(1)"}',
            function="torch.exp(a.T @ x @ a)",
            shapes="x: n n, a: n",
            gradient="torch.exp(a.T @ x @ a) * (a @ a.T)",
        ),
        "can be called",
    ),
    # too much
    "a huge power": (toml(function="(a.T @ x) ** (10 ** 9)"), "power|large"),
    "a tower of powers": (toml(function="x.sum() + a.sum() + 9 ** 9 ** 9 ** 9"), "power|large"),
    "a huge number": (toml(function="(a.T @ x) * 1e300"), "too large"),
    "huge ones": (toml(function="torch.ones(100000, 100000).sum() * (a.T @ x)"), "too large|entries"),
    "a huge diagonal": (toml(function="torch.diag(torch.ones(90000)).sum() * (a.T @ x)"), "entries"),
    "huge outer products": (toml(function=KRON), "entries|large"),
    "a huge einsum": (toml(function=EINSUM), "entries|large"),
    "a huge repetition": (toml(function="(x.repeat(3000, 3000).sum() * a.sum())"), "too large|entries"),
    "a huge shape": (toml(shapes="x: 1000000, a: 1000000"), "is no size"),
    "a huge number for a shape": (toml(shapes="x: " + "9" * 400 + ", a: n"), "is no size"),
    "many axes": (toml(shapes="x: n n n n n, a: n"), "axes"),
    "many sizes": (toml(shapes="x: n, a: n, b: m k, c: p q, d: r s"), "more than 5 sizes"),
    "many symbols": (toml(shapes=", ".join(f"x{k}: n" for k in range(40))), "40 symbols"),
    "deep parentheses": (toml(function="(" * 150 + "a.T @ x" + ")" * 150), "derivative of "),
    "parentheses without end": (toml(function="(" * 400 + "a.T @ x" + ")" * 400), "not a Python expression"),
    "deep nesting": (toml(function="torch.exp(" * 80 + "a.T @ x" + ")" * 80), "nested too deeply"),
    "a long sum": (toml(function="a.T @ x" + " + x.sum()" * 95), "nested too deeply|too long"),
    "a product of many equal parts": (toml(function="*".join(["(a.T @ x)"] * 55)), "too long|not traced"),
    "long code": (toml(function="a.T @ x" + " + 1" * 600), "one line of at most"),
    "a long name": (toml(name="n" * 200), "200 characters"),
    "an enormous file": ("#" * (MOST_BYTES + 1), "bytes"),
    "an enormous line": ("# " + "x" * 10_000 + "\n" + toml(), "line 1 has more than"),
    "too many rows": (HEADER * (MOST_ROWS + 1), "at most 500"),
    "deep tables": ("a = " + "[" * 2000 + "]" * 2000, "nested too deeply|not TOML"),
    "deep keys": ("a" + ".a" * 2000 + " = 1", "no table of identities"),
    # broken text
    "no UTF-8": (toml().encode() + b"\xff\xfe", "not UTF-8: byte"),
    "UTF-16": (toml().encode("utf-16"), "not UTF-8"),
    "null bytes": (b"\x00" * 50, "not TOML"),
    "no TOML": ("import os\n", "not TOML"),
    "nothing": ("", "no table"),
    "duplicate keys": (toml(raw='name = "other"'), "not TOML.*overwrite"),
    "a control character in a name": (toml(name="a\x1b[31mred"), "control characters"),
    "a line in a name": (toml(name="a\nb"), "control characters"),
    "text from right to left": (toml(name="safe\u202egnp"), "control characters"),
    "HTML in a name": (toml(name="<img src=x onerror=alert(1)>"), "markup"),
    "HTML in the source": (toml(source="<script>alert(1)</script>"), "markup"),
    "HTML in the note": (toml(note="<script>alert(1)</script>"), "markup"),
    "LaTeX in a name": (toml(name="$\\href{javascript:1}{x}$"), "markup"),
    "HTML in a condition": (toml(raw='conditions = ["<b> x"]'), "no condition"),
    "HTML in a symbol": (toml(shapes="x: n, <b>: n"), "the name of a symbol"),
    "HTML in a size": (toml(shapes="x: <b>, a: n"), "is no size"),
    # other types and fields
    "a number for a name": (toml(name=3), "name is a text, not int"),
    "NaN for a name": (toml(name="x", raw="").replace('"x"', "nan", 1), "name is a text, not float"),
    "a boolean": (toml(function=True).replace("True", "true"), "function is a text, not bool"),
    "a list for code": (toml(gradient=["a"]), "gradient is a text, not list"),
    "a date": (toml(source=None, raw="source = 1979-05-27"), "source is a text, not date"),
    "structure of a vector": (toml(raw='structured = {"symmetric" = "a"}'), "x is no matrix"),
    "a table for conditions": (toml(raw="conditions = {}"), "conditions are a list"),
    "numbers for conditions": (toml(raw="conditions = [1, nan]"), "conditions are a list"),
    "a text for forms": (toml(raw='simpler = "a"'), "simpler is a table"),
    "a field that is not there": (toml(gradeint="a"), "no field 'gradeint' .did you mean gradient"),
    "a place of its own": (toml(place="/etc/passwd:1"), "no field 'place'"),
    "a word list": (toml(raw='each = [{f = "torch.load"}]'), "no field 'each'"),
    "another table": (toml() + "\n[tool]\nx = 1\n", "'tool' is no table of identities"),
    "one table": ("[identity]\nname = 1\n", "no table"),
    "no gradient": (toml(gradient=None), "needs a gradient"),
    "no name": (toml(name=None), "name is missing"),
    "both derivatives": (toml(hessian="a"), "needs a gradient or a hessian"),
    "an empty gradient": (toml(gradient=""), "code is one line"),
    "a shape twice": (toml(shapes="x: n, a: n, x: m"), "each symbol once"),
    "the module for a symbol": (toml(shapes="x: n, torch: n", function="x.T @ torch"), "the name of a symbol"),
    "a keyword for a symbol": (toml(shapes="x: n, lambda: n"), "the name of a symbol"),
    "a dunder for a symbol": (toml(shapes="x: n, __builtins__: n"), "the name of a symbol"),
    "a variable that is not there": (toml(wrt="z"), "wrt is 'z'"),
    # what is not right
    "a wrong gradient": (toml(gradient="a"), "is not a"),
    "a transposed gradient": (toml(function="x.T @ a @ a.T @ x * x.sum()", gradient="a.T"), "is not a.T"),
    "NaN": (toml(function="(a.T @ x) * torch.log(-torch.exp(x)).sum()", gradient="a"), "is not a|nan|evaluated"),
    "infinity": (toml(function="(a.T @ x) * torch.inf"), "is not|evaluated|isn't|inf"),
    "a constant": (toml(function="a.T @ a", gradient="0 * x"), "doesn't depend on x"),
    "a random function": (toml(function="(a.T @ torch.rand_like(x)).sum()"), "can't stand in a row"),
    "shapes that clash": (toml(shapes="x: n, a: m"), "evaluated|shape|size"),
    "a false condition": (toml(raw='simpler = {"x positive" = "2 * a"}'), "under x positive"),
    "a known function": (toml(function="x.T @ a", gradient="a"), "this is the linear form, which is known already"),
    "a name of matmagic": (toml(name="quadratic form"), "the name of an identity of matmagic"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_and_has_no_effect(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, reason = HOSTILE[case]
    monkeypatch.chdir(tmp_path)
    before = dict(registry._rows), dict(os.environ), torch.get_rng_state()
    start = time.perf_counter()
    with pytest.raises(IdentityError, match=reason) as caught:
        loaded(tmp_path, content)
    assert time.perf_counter() - start < 30
    said = str(caught.value)
    assert (
        2 <= len(said.splitlines()) <= 7
        and max(map(len, said.splitlines())) < 400
        and said.replace("\n", "").isprintable()
    )
    assert (
        registry._rows == before[0] and dict(os.environ) == before[1] and torch.equal(torch.get_rng_state(), before[2])
    )
    assert [file.name for file in tmp_path.iterdir()] == ["rows.toml"]


def test_the_good_row_is_right(tmp_path: Path) -> None:
    """The hostile files differ from it in what they are named for."""
    result = loaded(tmp_path, toml())
    assert result.names == ("cubic of a form",) and not result.refused
    assert str(result) == "1 of 1 identities of rows.toml entered\n✓ cubic of a form"
    assert own_rows()[0].place == "rows.toml:1"


def test_a_row_that_fails_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    bad = toml(name="bad", gradient="a").replace(HEADER, HEADER + "# a comment\n")
    second = toml(
        name="second",
        function="torch.sin(a.T @ x) ** 3",
        gradient="3 * torch.sin(a.T @ x) ** 2 * torch.cos(a.T @ x) * a",
    )
    with pytest.warns(UserWarning, match=r"refused: 'bad': the derivative of .* is not a; in rows\.toml:10"):
        result = loaded(tmp_path, f"{toml()}\n{bad}\n{second}")
    assert result.names == ("cubic of a form", "second")
    assert list(result.refused) == ["'bad' (rows.toml:10)"]
    assert "✗ 'bad': the derivative" in str(result) and str(result).startswith("2 of 3 identities")


def test_a_name_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="the file has this name twice"):
        assert (
            len(loaded(tmp_path, toml() + toml(function="(a.T @ x) ** 7", gradient="7 * (a.T @ x) ** 6 * a")).names)
            == 1
        )


@pytest.mark.parametrize("path", ["none.toml", ".", "/dev/zero", "/dev/null"])
def test_what_is_no_file(path: str, tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="no file"):
        registry.load(tmp_path / path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.toml"
    with pytest.raises(IdentityError, match="no identity of your own to save"):
        registry.save(path)
    enter(row_of(GOOD))
    path.write_text("as before")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("matmagic.row_files.os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        registry.save(path)
    assert path.read_text() == "as before" and len(list(tmp_path.iterdir())) == 1
    registry.save(path)
    assert tomllib.loads(path.read_text())["identity"] == [GOOD]


def row_of(fields: dict[str, str], **more: Any) -> OwnRow:
    shapes = {"x": ("n",), "a": ("n",)}
    return OwnRow(**{**fields, "shapes": shapes, "place": "this session", **more})


@pytest.mark.parametrize(
    "text", ['say "A"', "back\\slash", "tab\tnew\nline", "\x00\x1f\x7f", "‖x‖² ≤ ∞ 𝟏", "", "'''", '"""']
)
def test_every_text_comes_back_from_toml(text: str) -> None:
    row = row_of({**GOOD, "name": text, "note": text}, conditions=(text,), simpler={text: text})
    (table,) = tomllib.loads(written(row))["identity"]
    assert table["name"] == text and table["conditions"] == [text] and table["simpler"] == {text: text}
    assert table.get("note", "") == text
