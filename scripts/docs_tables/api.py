"""The table of the public Python API: every name in `ultrarm_eval.__all__`."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import is_dataclass
from typing import Any

import ultrarm_eval
from docs_tables.markdown import code, sentence, table


def api_table() -> str:
    """A row for each public name: its signature, what it is, and how stable it is.

    Raises:
        ValueError: A name has no docstring, or nothing says how stable it is.
    """
    rows = []
    for name in ultrarm_eval.__all__:
        stability = ultrarm_eval.STABILITY.get(name)
        if not stability:
            raise ValueError(f"ultrarm_eval.STABILITY does not say how stable {name} is.")
        thing = getattr(ultrarm_eval, name)
        rows.append((code(_signature(name, thing)), _summary(name, thing), stability))
    return table(("name", "what it is", "stability"), rows)


def _signature(name: str, thing: Any) -> str:
    """A function or dataclass with its arguments, without types; of anything else the name."""
    has_arguments = inspect.isfunction(thing) or is_dataclass(thing)
    if not has_arguments:
        return name
    signature = inspect.signature(thing)
    named = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    shown = signature.replace(parameters=named, return_annotation=signature.empty)
    # A default that is made for each object has no source text.
    return f"{name}{shown}".replace("<factory>", "...")


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
