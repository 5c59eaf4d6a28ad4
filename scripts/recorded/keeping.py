"""Writes a recording small and without what says where it was made, to be kept with a project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .comparison import Recording


def keep(recording: Path, output: Path, patterns: Sequence[str]) -> None:
    """Writes the commands of some names anew.

    Args:
        recording: What `record` wrote.
        output: Folder to write to; what it has of these commands is replaced.
        patterns: Names, or patterns with `*`.
    """
    output.mkdir(parents=True, exist_ok=True)
    (output / "about.json").write_text("{}\n", encoding="utf-8")
    source = Recording(recording)
    for name in source.names:
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        folder = output / name
        shutil.rmtree(folder, ignore_errors=True)
        contents = source.contents(name)
        (folder / "files").mkdir(parents=True)
        code = contents.pop("exit code")
        told = json.loads((recording / name / "command.json").read_text(encoding="utf-8"))
        _write(
            folder / "command.json",
            json.dumps({"line": told["line"], "exit_code": int(str(code))}, indent=1) + "\n",
        )
        for stream in ("stdout", "stderr"):
            _write(folder / stream, contents.pop(stream))
        for file, content in contents.items():
            _write(folder / "files" / file, content)


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8", newline="")
