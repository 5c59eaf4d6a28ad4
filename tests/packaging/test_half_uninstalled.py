"""Whatever is left of the package, Python starts, and the harness goes on without us."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Missing, no Python, Python that fails, an old version without our functions, and no text at all.
DAMAGES: dict[str, bytes | None] = {
    "missing": None,
    "syntax": b"def broken(:\n",
    "raising": b"raise RuntimeError('half uninstalled')\n",
    "empty": b"",
    "binary": b"\x00\xff\x00",
}
FILES = (
    "__init__.py",
    "_startup.py",
    "lm_eval_plugin/__init__.py",
    "lm_eval_plugin/bridge/__init__.py",
    "lm_eval_plugin/bridge/command_line.py",
    "lm_eval_plugin/bridge/entry_points.py",
    "lm_eval_plugin/bridge/evaluation.py",
    "lm_eval_plugin/bridge/registries.py",
    "lm_eval_plugin/bridge/run_check.py",
    "lm_eval_plugin/bridge/task_index.py",
)
HARNESS = """
import argparse, json
from lm_eval.api.registry import get_model
from lm_eval.config.evaluate_config import EvaluatorConfig
config = EvaluatorConfig.from_cli(argparse.Namespace(tasks=["hellaswag"]))
print(json.dumps([get_model("dummy").__name__, config.model]))
"""


@pytest.fixture(scope="module")
def own_environment(make_environment: Any, wheel: Path) -> Any:
    return make_environment(wheel)


@pytest.fixture
def damage(own_environment: Any) -> Iterator[Callable[[str, bytes | None], None]]:
    """Removes or overwrites files of the installed package until the end of the test."""
    kept: dict[Path, bytes] = {}

    def change(name: str, content: bytes | None) -> None:
        path = own_environment.site_packages / "ultrarm_eval" / name
        kept.setdefault(path, path.read_bytes())
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    yield change
    for path, content in kept.items():
        path.write_bytes(content)


def _starts_in_silence(environment: Any) -> bool:
    finished = environment.run("-c", "pass")
    return (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize(
    "name", ["__init__.py", "_startup.py", "lm_eval_plugin/bridge/__init__.py"]
)
def test_python_starts_in_silence(
    own_environment: Any, damage: Callable[[str, bytes | None], None], name: str, kind: str
) -> None:
    damage(name, DAMAGES[kind])

    assert _starts_in_silence(own_environment)


@pytest.mark.parametrize("seed", range(5))
def test_python_starts_in_silence_with_any_part_of_the_package(
    own_environment: Any, damage: Callable[[str, bytes | None], None], seed: int
) -> None:
    draw = random.Random(seed)
    package = own_environment.site_packages / "ultrarm_eval"
    modules = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    for name in draw.sample(modules, draw.randint(1, len(modules))):
        damage(name, DAMAGES[draw.choice(sorted(DAMAGES))])

    assert _starts_in_silence(own_environment)


def test_python_starts_in_silence_without_the_package(make_environment: Any, wheel: Path) -> None:
    emptied = make_environment(wheel)
    (emptied.site_packages / "ultrarm_eval").rename(emptied.folder / "elsewhere")

    assert _starts_in_silence(emptied)
    assert emptied.probe(HARNESS).value == ["DummyLM", "hf"]


@pytest.mark.parametrize("kind", ["missing", "syntax"])
@pytest.mark.parametrize("name", FILES)
def test_harness_works_and_says_at_most_what_to_do(
    own_environment: Any, damage: Callable[[str, bytes | None], None], name: str, kind: str
) -> None:
    damage(name, DAMAGES[kind])

    found = own_environment.probe(HARNESS)

    assert found.value == ["DummyLM", "hf"]
    assert "Traceback" not in found.stderr
    assert all("is disabled" in line or "is skipped" in line for line in found.stderr.splitlines())


def test_a_broken_package_says_nothing_when_it_is_switched_off(
    own_environment: Any, damage: Callable[[str, bytes | None], None]
) -> None:
    damage("_startup.py", DAMAGES["syntax"])

    assert own_environment.probe(HARNESS, ULTRARM_EVAL_BRIDGE="0").stderr == ""
    assert "ULTRARM_EVAL_BRIDGE=0" in own_environment.probe(HARNESS).stderr


def test_uninstalling_leaves_nothing_behind(make_environment: Any, wheel: Path) -> None:
    environment = make_environment()
    before = {path.name for path in environment.site_packages.iterdir()}
    environment.install(wheel)
    assert {path.name for path in environment.site_packages.iterdir()} > before

    environment.uninstall("ultrarm-eval")

    assert {path.name for path in environment.site_packages.iterdir()} == before
