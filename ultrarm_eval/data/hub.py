"""Data from the hub, and its cache."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import Rows
from ultrarm_eval.data.tables import DatasetRows
from ultrarm_eval.demo import OFFLINE_HELP
from ultrarm_eval.errors import DataError, first_line

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


def load_hub(dataset: str, split: str, revision: str | None, **options: Any) -> Rows:
    """Loads a split of a data set from the hub.

    Args:
        dataset: The data set's id.
        split: The split.
        revision: The hub revision.
        **options: Of `datasets.load_dataset`: a configuration's `name`, `data_dir`, ...

    Raises:
        DataError: It cannot be reached and is not cached, or has no such split.
    """
    import datasets

    try:
        table = datasets.load_dataset(dataset, split=split, revision=revision, **options)
    except Exception as error:
        if str(error).startswith("Unknown split"):
            raise DataError(f"{dataset}: {first_line(error)} Name one of them.") from error
        # datasets and its clients raise many unrelated classes here.
        at = f" at revision {revision!r}" if revision else ""
        why = _cache_problem(error) or first_line(error)
        raise DataError(
            f"The data set {dataset}{at} cannot be downloaded from the hub and is not "
            f"cached ({why}). Give the path of a local copy instead (in lm_eval: "
            f'--metadata \'{{"data": "PATH"}}\'). {OFFLINE_HELP}'
        ) from error
    return DatasetRows(table, dataset)


def fetch_file(dataset: str, name: str, revision: str | None, *, mend: str) -> Path:
    """Fetches a file of a data set of the hub, or finds it in the cache.

    Args:
        dataset: The data set's id.
        name: The file's name there.
        revision: The hub revision.
        mend: What to do if it is not available, a sentence for the message.

    Raises:
        DataError: The hub cannot be reached, and the file is not cached.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(dataset, name, repo_type="dataset", revision=revision))
    except Exception as error:
        # The hub's client raises its own, requests', httpx' and OS errors.
        raise DataError(
            f"{dataset}: {name} cannot be downloaded from the hub and is not cached "
            f"({_cache_problem(error) or first_line(error)}). {mend}"
        ) from error


def _cache_problem(error: BaseException) -> str | None:
    """The message for a failure of the cache.

    Args:
        error: What `datasets` or `huggingface_hub` raised.

    Returns:
        What failed and how to fix it; None for any other failure.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE:
            named = os.environ.get("HF_HOME")
            where = f"HF_HOME={named!r}" if named else "~/.cache/huggingface"
            return (
                f"the hub's cache ({where}) cannot be written: {first_line(cause)}. Set HF_HOME "
                "to a writable folder with enough space"
            )
        cause = cause.__cause__ or cause.__context__
    return None
