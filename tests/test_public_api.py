"""What users may import is declared once, and everything that we tell them to import is in it."""

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

import ultrarm_eval

ROOT = Path(__file__).parents[1]
PACKAGE = Path(ultrarm_eval.__file__).parent
#: What another package has to be installed for, or which is imported by that package alone.
NEEDS = {"ultrarm_eval.inspect_plugin": "inspect_ai", "ultrarm_eval.lighteval": "lighteval"}
#: Modules that the docstring of the package declares.
DECLARED = re.findall(r"`(ultrarm_eval\.\w[\w.]*)`", ultrarm_eval.__doc__)


def file_of(module):
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def names_of(module):
    """The names in `__all__` of a module, read without importing it."""
    for node in ast.parse(file_of(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def test_every_public_name_is_loaded_lazily_and_known_to_type_checkers():
    tree = ast.parse(Path(ultrarm_eval.__file__).read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in checked.body for name in node.names}

    assert seen == ultrarm_eval._LAZY
    assert set(ultrarm_eval.__all__) == set(ultrarm_eval._LAZY)
    assert len(ultrarm_eval.__all__) == len(set(ultrarm_eval.__all__))


@pytest.mark.parametrize("name", ultrarm_eval.__all__)
def test_a_name_that_another_module_declares_is_public_there_as_well(name):
    module = ultrarm_eval._LAZY[name]
    if module in DECLARED:
        assert name in names_of(module)


def test_a_star_import_has_the_public_names():
    found = {}
    exec("from ultrarm_eval import *", found)
    assert set(found) - {"__builtins__"} == set(ultrarm_eval.__all__)


@pytest.mark.parametrize("module", DECLARED)
def test_a_declared_module_has_the_names_it_declares(module):
    names = names_of(module)
    assert names, f"{module} has no __all__"
    assert len(names) == len(set(names))
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    found = importlib.import_module(module)
    assert [name for name in names if not hasattr(found, name)] == []


def test_every_error_that_is_ours_is_public():
    found = importlib.import_module("ultrarm_eval.errors")
    ours = {
        name
        for name, value in vars(found).items()
        if isinstance(value, type) and issubclass(value, ultrarm_eval.UltrarmEvalError)
    }
    assert set(found.__all__) == ours


#: What users read and copy.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *(ROOT / "tasks").rglob("*.md")]
#: Its scripts run at the scale of a cluster, by modules that no promise is made of.
INTERNAL = ROOT / "examples" / "ray_data"
CODE = [
    *(path for path in (ROOT / "examples").rglob("*.py") if INTERNAL not in path.parents),
    *(ROOT / "tests" / "fixtures").rglob("*.py"),
    *(ROOT / "tasks").rglob("*.py"),
]


def imports_of(path):
    """Names that a page, a notebook or a module imports from this package, by their modules."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from ((node.module, name.name) for name in node.names)
        return
    line = r"from (ultrarm_eval[\w.]*) import \(?([\w, \n]+)"
    for module, names in re.findall(line, text.replace("\\n", "\n")):
        first = names if "(" in names else names.split("\n")[0]
        yield from ((module, name.strip()) for name in first.split(",") if name.strip())


@pytest.mark.parametrize(
    "path",
    [*PAGES, *CODE, *(ROOT / "examples").glob("*.ipynb")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_what_users_are_told_to_import_is_public(path):
    public = {"ultrarm_eval": ultrarm_eval.__all__} | {m: names_of(m) for m in DECLARED}
    used = [
        (module, name)
        for module, name in imports_of(path)
        if module.split(".")[0] == "ultrarm_eval" and not module.startswith("ultrarm_eval.tasks")
    ]
    assert [f"{m}: {n}" for m, n in used if n not in public.get(m, ())] == []
