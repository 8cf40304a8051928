"""The layout of the package: a module imports only modules above it, and `import matmagic` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import matmagic

PACKAGE = Path(matmagic.__file__).parent

# each imports only modules above it; a package stands for its modules
ORDER = """
errors cells places lengths options answers runs capture calling sampling
nodes expr definite walk matrix_functions functions evaluate torch_rows trace canonical loops sizes
matrix_rules property_rules named_rules term_rules slice_rules simplify differentiate
differential notation writing summing blocks rendering kronecker entries entry_values printers sized clashes naming legend
left_sides identities bound abstraction kinds twins match compositions state cuts watching patience containers hints messages
inference shapes autograd terms regularity drawing verify domains asked remarks effects bounds tensor_forms entry_forms identified
derivative trees reading
own_rows row_files claims reasons conditions counterexamples far grading checking remembering typeset static browsing
proving panel report magics
""".split()
INSIDE = {
    "torch_rows": """
        table chosen arithmetic indexing activations reductions shaping structure products constants linear_algebra losses
        layers aten
    """.split(),
    "reading": "tree tokens symbols cursor words scripts grammar fitting table shaped values code".split(),
    "printers": """
        names levels latex text grid sympy_functions sympy_form plans sharing torch_parts torch_forms torch_products
        torch_code index_code numpy_code
    """.split(),
}
HEAVY = "torch numpy sympy ipywidgets ziamath IPython networkx matplotlib".split()

FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    """The module's name below the package: expr, printers.text; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of the package that a file imports anywhere in it, with the line; not those that only types need."""
    package = list(path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text())
    for_types = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(inner) for block in for_types for inner in ast.walk(block)}
    for node in (n for n in ast.walk(tree) if id(n) not in skipped):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [[*base, *node.module.split(".")]] if node.module else [[*base, alias.name] for alias in node.names]
            for name in names:
                target = PACKAGE.joinpath(*name)
                yield (
                    ".".join(name if target.is_dir() or target.with_suffix(".py").exists() else name[:-1]),
                    node.lineno,
                )
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "matmagic":
            inner = node.module.partition(".")[2]
            yield from ((inner or alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                (a.name.partition(".")[2], node.lineno) for a in node.names if a.name.split(".")[0] == "matmagic"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda p: module_of(p) or "__init__")
def test_a_module_imports_only_modules_above_it(path: Path) -> None:
    own = module_of(path)
    if not own:
        return  # the package offers names of the lowest modules, late
    top, _, inner = own.partition(".")
    assert top in ORDER, f"{own} has no place in the order of this test"
    for name, line in imported(path):
        other, _, other_inner = name.partition(".")
        if other == top:
            if top in INSIDE and inner and other_inner:
                assert INSIDE[top].index(other_inner) < INSIDE[top].index(inner), f"{path.name}:{line} imports {name}"
            continue
        assert other in ORDER and ORDER.index(other) < ORDER.index(top), f"{path.name}:{line} imports {name}"


def test_the_order_names_every_module_and_nothing_else() -> None:
    tops = {module_of(path).partition(".")[0] for path in FILES} - {""}
    assert tops == set(ORDER)
    for package, modules in INSIDE.items():
        assert {p.stem for p in (PACKAGE / package).glob("*.py")} - {"__init__"} == set(modules)


@pytest.mark.parametrize("path", FILES, ids=lambda p: module_of(p) or "__init__")
def test_only_panel_imports_ipywidgets(path: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    assert "ipywidgets" not in names or module_of(path) == "panel"


def modules_after(code: str) -> set[str]:
    """What a fresh Python has imported after this code."""
    command = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.split())


def test_import_matmagic_is_light() -> None:
    assert not modules_after("import matmagic").intersection(HEAVY)


def test_import_of_the_pipeline_leaves_output_formats_for_later() -> None:
    assert not modules_after("import matmagic.report").intersection(
        {"sympy", "ipywidgets", "ziamath", "networkx", "matplotlib"}
    )


def test_identities_are_traced_on_first_use() -> None:
    assert "matmagic.identities.vectors" not in modules_after("import matmagic.match")


def test_no_module_has_the_name_of_a_public_function() -> None:
    public = {name for name in matmagic.__all__ if not name.startswith("_")}
    assert not public.intersection(module_of(path) for path in FILES)


def test_these_tests_can_fail(tmp_path: Path) -> None:
    """The reader of imports sees late, relative and absolute ones."""
    source = "def f():\n    from .match import match\n    import matmagic.report\nfrom . import trace\n"
    file = PACKAGE / "expr.py"
    tree = ast.parse(source)
    assert len([n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]) == 3
    probe = tmp_path / "probe.py"
    probe.write_text(source)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or a.name for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.partition(".")[2] for a in node.names}
    assert found == {"match", "report", "trace"} and not {name for name, _ in imported(file)}.intersection(found)
