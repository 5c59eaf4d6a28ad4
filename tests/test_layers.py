"""Which part of the package imports which: data flow one way, and the harness is an edge."""

import ast
import functools
from collections import defaultdict
from pathlib import Path

import pytest

import ultrarm_eval

ROOT = Path(ultrarm_eval.__file__).parent
#: Finds what is registered by name, when it is asked for: everyone may import it.
REGISTRY = {"plugins", "builtin_plugin"}
#: Parts beside the plugin that import the harness. The set may only shrink.
KNOWN_IMPORTERS = {"cli"}


def part(path):
    """A folder of the package, or a module beside the folders."""
    inner = path.relative_to(ROOT)
    return inner.parts[0] if len(inner.parts) > 1 else inner.stem


@functools.cache
def imported(path):
    """The modules that a file imports, also within a function but for the registry."""
    return tuple(_imported(path))


def _imported(path):
    is_registry = path.parent == ROOT and path.stem in REGISTRY
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if is_registry and isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))
        nodes.extend(ast.iter_child_nodes(node))


@functools.cache
def imports_of_parts():
    """Which other parts each part imports."""
    found = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        for module in imported(path):
            package, *inner = module.split(".")
            if package == "ultrarm_eval" and inner:
                found[part(path)].add(inner[0])
    return {name: others - {name} for name, others in found.items()}


def reached(start, imports):
    """What a part imports, directly or through others."""
    seen, waiting = set(), [start]
    while waiting:
        for other in imports.get(waiting.pop(), set()) - seen:
            seen.add(other)
            waiting.append(other)
    return seen


def test_parts_import_each_other_in_no_circle():
    imports = imports_of_parts()
    everything = {name: reached(name, imports) for name in imports}
    circles = {
        frozenset(other for other in everything[name] if name in everything.get(other, set()))
        for name in imports
        if name in everything[name]
    }
    assert not circles


def test_the_harness_is_imported_by_its_plugin_alone():
    importers = {
        part(path)
        for path in ROOT.rglob("*.py")
        if any(module.split(".")[0] == "lm_eval" for module in imported(path))
    }
    assert importers == {"lm_eval_plugin", *KNOWN_IMPORTERS}


#: What each part of the way from a file to its documents may import, from the first on.
WAY = ("data", "sources", "documents", "inspection")


@pytest.mark.parametrize("name", WAY)
def test_data_flow_one_way(name):
    later = WAY[WAY.index(name) + 1 :]
    assert not reached(name, imports_of_parts()) & {*later, "lm_eval_plugin", "cli"}


#: The part for each other harness, which alone imports it.
EDGES = {"inspect_ai": "inspect_plugin", "lighteval": "lighteval"}


@pytest.mark.parametrize(("harness", "edge"), EDGES.items())
def test_another_harness_is_imported_by_its_edge_alone(harness, edge):
    importers = {
        part(path)
        for path in ROOT.rglob("*.py")
        if any(module.split(".")[0] == harness for module in imported(path))
    }
    assert importers == {edge}


@pytest.mark.parametrize("edge", [*EDGES.values(), "lm_eval_plugin"])
def test_an_edge_needs_nothing_of_another(edge):
    others = {*EDGES.values(), "lm_eval_plugin", "cli"} - {edge}
    assert not reached(edge, imports_of_parts()) & others


@pytest.mark.parametrize("edge", EDGES.values())
def test_nothing_imports_another_harnesss_edge(edge):
    assert not {name for name, imports in imports_of_parts().items() if edge in imports}


def test_a_count_with_its_noun_is_written_in_one_place():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}
    places = [
        path.relative_to(ROOT).as_posix()
        for path, tree in trees.items()
        if any(isinstance(n, ast.FunctionDef) and n.name == "counted" for n in ast.walk(tree))
    ]
    assert places == ["data/counts.py"]
