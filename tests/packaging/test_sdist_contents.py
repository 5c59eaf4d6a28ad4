"""The sdist builds the wheel that the checkout builds."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT


def test_sdist_builds_the_same_wheel(
    build: Callable[[str, Path], Path],
    source_tree: Callable[[], Path],
    wheel: Path,
    tmp_path: Path,
) -> None:
    sdist = build("build_sdist", source_tree())
    with tarfile.open(sdist) as archive:
        # Only archives of unknown origin need the filter that Python 3.10.11 does not have.
        archive.extractall(tmp_path)
    (unpacked,) = tmp_path.iterdir()

    rebuilt = build("build_wheel", unpacked)

    assert _contents(rebuilt) == _contents(wheel)


@pytest.fixture(scope="module")
def names(build: Callable[[str, Path], Path], tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What is in the sdist of the checkout: first parts of paths, and whole ones."""
    checkout = tmp_path_factory.mktemp("checkout") / "source"
    # As a clean clone has it: without environments, caches and what was built before.
    left = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "out")
    shutil.copytree(
        ROOT,
        checkout,
        ignore=lambda at, found: left(at, found) if Path(at) == ROOT else ["__pycache__"],
    )
    with tarfile.open(build("build_sdist", checkout)) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.parametrize(
    "name",
    [
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "constraints.txt",
        "mkdocs.yml",
        "pyproject.toml",
        "setup.py",
        "ultrarm_eval_bridge.pth",
    ],
)
def test_a_file_of_the_checkout_is_in_the_sdist(names: set[str], name: str) -> None:
    if not (ROOT / name).exists():
        pytest.skip(f"this checkout has no {name}")
    assert name in names


@pytest.mark.parametrize(
    "folder", ["benchmarks", "docs", "examples", "results", "scripts", "tasks", "tests"]
)
def test_a_folder_of_the_checkout_is_in_the_sdist(names: set[str], folder: str) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
    }

    assert here
    assert here - names == set()


def test_nothing_that_a_run_leaves_behind_is_in_the_sdist(names: set[str]) -> None:
    assert not [name for name in names if name.endswith((".pyc", "__pycache__"))]
    assert not [name for name in names if name.startswith((".venv", "build/", "dist/", "out/"))]


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}
