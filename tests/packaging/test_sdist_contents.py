"""The sdist builds the wheel that the checkout builds."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path


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


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}
