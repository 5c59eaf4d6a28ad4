"""Builds the package, and installs it into environments of its own."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
THIRD_PARTY = ROOT / "tests" / "fixtures" / "third_party"
SOURCES = (
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "pyproject.toml",
    "setup.py",
    "tasks",
    "ultrarm_eval",
    "ultrarm_eval_bridge.pth",
)
#: Variables of the developer's shell that would change what an environment does.
_CLEARED = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "ULTRARM_EVAL_BRIDGE", "VIRTUAL_ENV")
_HOOK = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.packaging)
            # Each builds an environment or starts interpreters in one.
            item.add_marker(pytest.mark.slow)


def declared_tasks() -> list[str]:
    """Names of the tasks, groups and tags in our task files and the third party's, sorted."""
    names = {"third_party_task"}
    for path in (ROOT / "tasks").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"^(?:task|group|tag): (\w+)$", text, re.MULTILINE))
    return sorted(names)


def clean_variables(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _CLEARED}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **offline, **variables}


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees the dependencies, and nothing else, of the running one."""

    folder: Path
    cwd: Path = field(repr=False)

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / "python"

    @property
    def site_packages(self) -> Path:
        names = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", vars=names))

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            cwd=self.cwd,
            env=clean_variables(**variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def probe(self, script: str, *arguments: str | Path, **variables: str) -> Probe:
        """Runs a script that prints one JSON value as its last line."""
        finished = self.run("-c", script, *arguments, **variables)
        assert finished.returncode == 0, finished.stderr
        return Probe(json.loads(finished.stdout.splitlines()[-1]), finished.stderr)

    def install(self, *arguments: str | Path) -> None:
        options = ("--no-deps", "--no-index", "--no-build-isolation")
        self._pip("install", *options, *map(str, arguments))

    def uninstall(self, name: str) -> None:
        self._pip("uninstall", "--yes", name)

    def _pip(self, *arguments: str) -> None:
        _run([sys.executable, "-m", "pip", "--python", str(self.python), *arguments], self.cwd)


@dataclass(frozen=True)
class Probe:
    """What a script found, and what it said on the way."""

    value: Any
    stderr: str


def _run(command: list[str], cwd: Path) -> str:
    finished = subprocess.run(
        command, cwd=cwd, env=clean_variables(), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="session", autouse=True)
def _need_tools() -> None:
    for tool in ("pip", "setuptools"):
        # Not imported, nor looked for as a module: setuptools' own finder would replace a part of
        # the standard library that another test has imported.
        if not list(importlib.metadata.distributions(name=tool)):
            pytest.skip(f"the packaging tests build and install with {tool}, which is missing")


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package is built from, as it is now. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("snapshot")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        elif (ROOT / name).is_file():
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def source_tree(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes copies of the snapshot, each to build one thing in."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("sources") / "source"
        shutil.copytree(snapshot, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """Calls a hook of the build backend (`build_wheel`, `build_sdist`, `build_editable`)."""

    def call(hook: str, source: Path) -> Path:
        made = tmp_path_factory.mktemp("built")
        name = _run([sys.executable, "-c", _HOOK, hook, str(made)], source).splitlines()[-1]
        return made / name

    return call


@pytest.fixture(scope="session")
def wheel(build: Callable[[str, Path], Path], source_tree: Callable[[], Path]) -> Path:
    return build("build_wheel", source_tree())


@pytest.fixture(scope="session")
def third_party_wheel(
    build: Callable[[str, Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    source = tmp_path_factory.mktemp("third_party") / "source"
    shutil.copytree(THIRD_PARTY, source, ignore=shutil.ignore_patterns("__pycache__"))
    return build("build_wheel", source)


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Links to what is installed in the running environment, without this project.

    Naming the running site-packages itself would show its ultrarm-eval, through its metadata, to
    environments that have none or have removed theirs.
    """
    # dill, with which datasets hashes, tells installed modules by the name of this folder.
    folder = tmp_path_factory.mktemp("dependencies") / "site-packages"
    folder.mkdir()
    for site_packages in site.getsitepackages():
        for entry in Path(site_packages).glob("*"):
            ours = entry.name.startswith(("ultrarm_eval", "tests_third_party", "__editable__"))
            if not ours and entry.suffix != ".pth" and entry.name != "__pycache__":
                link = folder / entry.name
                if not link.exists():
                    link.symlink_to(entry, target_is_directory=entry.is_dir())
    return folder


@pytest.fixture(scope="session")
def make_environment(
    dependencies: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Makes an environment and installs wheels into it."""

    def make(*wheels: Path) -> Environment:
        environment = Environment(
            tmp_path_factory.mktemp("environment") / "venv", tmp_path_factory.mktemp("cwd")
        )
        _run(
            [sys.executable, "-m", "venv", "--without-pip", str(environment.folder)],
            environment.cwd,
        )
        # site takes a path from a .pth file, and runs no .pth files in that path.
        (environment.site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
        if wheels:
            environment.install(*wheels)
        return environment

    return make


@pytest.fixture(scope="session")
def environment(
    make_environment: Callable[..., Environment], wheel: Path, third_party_wheel: Path
) -> Environment:
    """The wheels of this project and of the third party, installed. Not to be changed by a test."""
    return make_environment(wheel, third_party_wheel)


@pytest.fixture(scope="session")
def editable_environment(
    make_environment: Callable[..., Environment],
    source_tree: Callable[[], Path],
    third_party_wheel: Path,
) -> Environment:
    """As `environment`, with this project installed by `pip install -e`."""
    made = make_environment(third_party_wheel)
    made.install("-e", source_tree())
    return made


@pytest.fixture(params=["wheel", "editable"])
def either_environment(request: pytest.FixtureRequest) -> Environment:
    name = "environment" if request.param == "wheel" else "editable_environment"
    made: Environment = request.getfixturevalue(name)
    return made
