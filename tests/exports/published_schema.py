"""Where the package every-eval-ever is: installed, or unpacked in a folder that is named.

It wants Python 3.12 and an older huggingface_hub than the rest, so the tests read an unpacked
wheel as well: ULTRARM_EVAL_EVERY_EVAL_EVER names the folder that holds `every_eval_ever`.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "ULTRARM_EVAL_EVERY_EVAL_EVER"


def package_folder() -> Path:
    """The folder of the package; skips the test where it is not there."""
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named) / "every_eval_ever"
        if not folder.is_dir():
            pytest.fail(f"{VARIABLE}={named}: there is no every_eval_ever in this folder")
        return folder
    spec = importlib.util.find_spec("every_eval_ever")
    if spec is None or spec.origin is None:
        pytest.skip(f"every-eval-ever is not installed, and {VARIABLE} names no unpacked wheel")
    return Path(spec.origin).parent


def schema(name: str) -> Any:
    """A validator of a published schema."""
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads((package_folder() / "schemas" / name).read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(content)


def problems_of(paths: list[Path]) -> list[str]:
    """What the published schemas find wrong with exported files."""
    whole, line = schema("eval.schema.json"), schema("instance_level_eval.schema.json")
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            found += [error.message for error in whole.iter_errors(json.loads(text))]
        else:
            lines = [json.loads(one) for one in text.splitlines()]
            found += [error.message for one in lines for error in line.iter_errors(one)]
    return found
