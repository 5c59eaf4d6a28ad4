"""A command's standard streams: closed, full, broken, or with a limited encoding."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.terminal import escape_what_cannot_be_encoded

# What the system says of an output that takes nothing more.
_NOT_WRITTEN = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EPIPE}
)


def prepare_streams() -> None:
    """Prepares the streams so that any text can be written."""
    # A file that the command opens would take a closed stream's number, and get its texts.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the end
    escape_what_cannot_be_encoded(sys.stdout)


def require_output() -> None:
    """Refuses a closed standard output before anything is computed for it.

    Raises:
        ConfigurationError: It is closed.
    """
    if sys.stdout is None:
        raise ConfigurationError(
            "standard output is closed (>&-), so the results cannot be written. Redirect it to a "
            "file or to /dev/null."
        )


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    # It takes no [TextIO] in Python 3.10.
    _StreamHandler = logging.StreamHandler


class _StderrHandler(_StreamHandler):
    """Writes to the current standard error."""

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """StreamHandler sets it once."""


def log_to_stderr() -> None:
    """Sends this package's log to the standard error, unless the user has configured logging."""
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    for name in ("ultrarm_eval", "lm_eval.ultrarm_eval"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False


def say(text: str) -> None:
    """Writes a line to the standard error, if possible."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def discard_output() -> None:
    """Discards the rest of the standard output's buffer, which would fail again at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, sys.stdout.fileno())
        finally:
            os.close(nowhere)


def spelled(error: OSError) -> str:
    """What failed, in words: writing the output, or a file by its name."""
    if error.filename is not None:
        return f"{error.filename}: {error.strerror or error}"
    if error.errno in _NOT_WRITTEN:
        return f"the output cannot be written: {error}"
    return f"{type(error).__name__}: {error}"
