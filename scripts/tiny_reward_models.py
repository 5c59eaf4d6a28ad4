"""Writes a tiny reward model with random weights in the layout of a published one.

    python scripts/tiny_reward_models.py --list
    python scripts/tiny_reward_models.py armorm -o FOLDER
    python scripts/tiny_reward_models.py grm:linear -o FOLDER

The builders are the tests' own, tests/reward_models/published: one module a kind.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = "tests.reward_models.published"


def main(arguments: list[str] | None = None) -> int:
    """Lists the kinds, or writes one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "kind", nargs="?", help="what to write; KIND:VARIANT for another form of it"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    parser.add_argument("--list", action="store_true", help="name the kinds and their variants")
    given = parser.parse_args(arguments)
    kinds = published_kinds()
    if given.list:
        for name, module in kinds.items():
            print(f"{name:24} {_first_line(module)}")
            for variant in _variants(module):
                print(f"  {name}:{variant}")
        return 0
    if given.kind is None or given.output is None:
        parser.error("give a KIND and -o FOLDER, or --list")
    kind, _, variant = given.kind.partition(":")
    if kind not in kinds:
        parser.error(f"unknown kind {kind!r}; allowed: {', '.join(kinds)}")
    variants = _variants(kinds[kind])
    if variant and variant not in variants:
        allowed = ", ".join(f"{kind}:{name}" for name in variants) or "none"
        parser.error(f"{kind} has no variant {variant!r}; allowed: {allowed}")
    if given.output.exists() and any(given.output.iterdir()):
        parser.error(f"{given.output} is not empty; give a new folder")
    print(kinds[kind].build(given.output, seed=given.seed, **variants.get(variant, {})))
    return 0


def published_kinds() -> dict[str, ModuleType]:
    """The modules that build a checkpoint, by the name of the kind."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    folder = ROOT.joinpath(*PUBLISHED.split("."))
    names = sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("test_"))
    modules = {name: importlib.import_module(f"{PUBLISHED}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "build")}


def _variants(module: ModuleType) -> dict[str, dict[str, Any]]:
    return dict(getattr(module, "VARIANTS", {}))


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    raise SystemExit(main())
