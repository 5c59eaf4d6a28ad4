"""The table of the public Python API, as the package's docstring declares it.

The docstring has paragraphs that begin with `**Public` and `**Provisional`, each with a list of
modules; the names of those are in their `__all__`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import ultrarm_eval
from docs_tables.markdown import code, codes, sentence, table

STABLE, PROVISIONAL = "stable", "provisional"
PACKAGE = Path(ultrarm_eval.__file__).parent
_BEGINNINGS = {"**Public": STABLE, "**Provisional": PROVISIONAL}
#: An entry of a list: modules, separated by commas, and what they have.
_ENTRY = re.compile(r"(?ms)^- ((?:`[\w.]+`,?\s+)*`[\w.]+`):\s(.*?)(?=^- |\Z)")
_FUNCTION = re.compile(r"<function (\w+) at 0x[0-9a-f]+>")


def api_table() -> str:
    """A row for each name of the package, and one for each further public module.

    Raises:
        ValueError: A name has no docstring, or a module has no names.
    """
    names = (
        (code(_signature(name, thing)), _summary(name, thing), STABLE)
        for name in ultrarm_eval.__all__
        for thing in [getattr(ultrarm_eval, name)]
    )
    modules = (
        (f"{code(module)}: {codes(_names(module))}", sentence(about), stability)
        for module, about, stability in public_modules(ultrarm_eval.__doc__ or "")
    )
    return table(("name", "what it is", "stability"), [*names, *modules])


def public_modules(docstring: str) -> Iterator[tuple[str, str, str]]:
    """The modules that a docstring declares, what they have, and how stable they are."""
    stability = None
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        if paragraph.startswith("**"):
            stability = _BEGINNINGS.get(paragraph.split()[0])
        elif stability is not None:
            for modules, about in _ENTRY.findall(paragraph):
                for module in re.findall(r"`(.*?)`", modules):
                    yield module, about, stability


def _names(module: str) -> list[str]:
    """The names in a module's `__all__`, without importing it: some need other packages.

    Raises:
        ValueError: It has none.
    """
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise ValueError(f"{module} is public and has no __all__.")


def _signature(name: str, thing: Any) -> str:
    """A function or dataclass with its arguments, without types; of anything else the name."""
    has_arguments = inspect.isfunction(thing) or is_dataclass(thing)
    if not has_arguments:
        return name
    signature = inspect.signature(thing)
    named = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    shown = signature.replace(parameters=named, return_annotation=signature.empty)
    # A default that is made for each object has no source text, and a function has its address.
    return _FUNCTION.sub(r"\1", f"{name}{shown}".replace("<factory>", "..."))


def _summary(name: str, thing: Any) -> str:
    """The first paragraph of its docstring; of an object, the comment above it."""
    if inspect.isclass(thing) or inspect.isfunction(thing):
        text = inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0]
    else:
        module = importlib.import_module(ultrarm_eval._LAZY[name])
        above = re.search(rf"((?:^#: .*\n)+){name} = ", inspect.getsource(module), re.MULTILINE)
        text = above[1].replace("#: ", "") if above else ""
    if not text:
        raise ValueError(f"{name} has no docstring, and no comment with #: above it.")
    return sentence(text)
