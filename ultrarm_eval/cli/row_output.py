"""A file of rows that are written as they come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ultrarm_eval.errors import ConfigurationError


class RowOutput:
    """Opened before anything is computed; what was in the file stays until the first row comes."""

    def __init__(self, path: Path, inputs: Sequence[str]) -> None:
        """Opens the file; its folder is made where it is missing.

        Args:
            path: The file.
            inputs: Files that are read, and so not written.

        Raises:
            ConfigurationError: It cannot be written, or is read.
        """
        for given in inputs:
            if path.exists() and Path(given).exists() and path.samefile(given):
                raise ConfigurationError(
                    f"{path}: this file is read; name another one for the rewards."
                )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._is_new = not path.exists()
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the output cannot be written there ({error.strerror}). Name a file in a "
                "folder that you may write to with -o."
            ) from error
        self._path, self._has_begun = path, False

    def __enter__(self) -> RowOutput:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._is_new and not self._has_begun:
            self._path.unlink(missing_ok=True)

    def write(self, rows: str) -> None:
        """Writes rows."""
        if not self._has_begun and self._path.is_file():
            self._file.truncate(0)
        self._has_begun = True
        self._file.write(rows)

    def flush(self) -> None:
        """Hands what was written on, so that it survives this process."""
        self._file.flush()
