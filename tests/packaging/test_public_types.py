"""Another project's mypy sees the types of the installed package, and refuses wrong uses."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONSUMER = Path(__file__).parent / "typed_consumer"
# Large libraries that no type of the public API is from: reading them takes minutes.
CONFIGURATION = """
[mypy]
strict = True
[mypy-torch.*,transformers.*,datasets.*,lm_eval.*,accelerate.*,pandas.*,matplotlib.*,scipy.*]
follow_imports = skip
"""


@pytest.fixture(scope="module")
def errors(environment: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """The errors of mypy, strict, by file and line: their codes and messages."""
    if not list(importlib.metadata.distributions(name="mypy")):
        pytest.skip("mypy, of the extra dev, is missing")
    # Outside the checkout, whose own configuration and sources would be found.
    project = tmp_path_factory.mktemp("project")
    for name in ("right.py", "wrong.py"):
        shutil.copy(CONSUMER / name, project / name)
    (project / "mypy.ini").write_text(CONFIGURATION, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty"]
    command += ["--python-executable", str(environment.python), "right.py", "wrong.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert not done.stderr
    found: dict[str, dict[int, str]] = {"right.py": {}, "wrong.py": {}}
    for line in done.stdout.splitlines():
        error = re.fullmatch(r"(\w+\.py):(\d+): error: (.*)  \[([\w-]+)\]", line)
        if error:
            name, number, message, code = error.groups()
            found[name][int(number)] = f"{code}: {message}"
        else:
            assert ": note: " in line, done.stdout
    return found


def test_the_types_of_the_public_names_are_seen(errors: dict[str, dict[int, str]]) -> None:
    assert errors["right.py"] == {}


def test_wrong_uses_are_refused(errors: dict[str, dict[int, str]]) -> None:
    lines = (CONSUMER / "wrong.py").read_text(encoding="utf-8").splitlines()
    expected = {
        number: line.partition("# refused: ")[2]
        for number, line in enumerate(lines, start=1)
        if "# refused: " in line
    }

    found = {number: message.partition(":")[0] for number, message in errors["wrong.py"].items()}
    assert found == expected
