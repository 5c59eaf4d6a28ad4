"""The cache in which the hub's clients keep what they fetch, where it cannot be written."""

from __future__ import annotations

import errno
import os

from ultrarm_eval.errors import first_line

_NOT_WRITABLE = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


def cache_problem(error: BaseException) -> str | None:
    """What to say where the cache is what fails.

    Args:
        error: What `datasets` or `huggingface_hub` raised.

    Returns:
        What failed and the way out; None for any other failure.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE:
            named = os.environ.get("HF_HOME")
            where = f"HF_HOME={named!r}" if named else "~/.cache/huggingface"
            return (
                f"the hub's cache ({where}) cannot be written: {first_line(cause)}. Set HF_HOME "
                "to a folder with room that can be written"
            )
        cause = cause.__cause__ or cause.__context__
    return None
