"""The folder of a converted checkpoint: written whole or not at all, and replaced when asked."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ultrarm_eval.errors import ConfigurationError

#: Says where a converted checkpoint is from; written last, so that it tells a finished one.
CONVERSION_FILE, CONVERSION_FORMAT = "conversion.json", "ultrarm_eval.conversion/1"
#: Room for what is written beside the weights.
_SMALL_FILES = 64 * 1024**2
_GIB = 1024**3


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds something, but for a finished conversion that is to be replaced.

    Args:
        folder: Where the checkpoint is to be.
        overwrite: Whether a finished conversion may be replaced.

    Raises:
        ConfigurationError: It holds something else, or is a file.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigurationError(
            f"{folder}: this is a file or a link, and no folder. Name a new folder with -o."
        )
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not _is_finished(folder):
        raise ConfigurationError(
            f"{folder}: there is something in this folder, and it is no finished conversion (it "
            f"has no {CONVERSION_FILE} of ultrarm-eval), so it is left as it is. Name a new folder "
            "with -o."
        )
    if not overwrite:
        raise ConfigurationError(
            f"{folder}: a converted checkpoint is there already. --overwrite replaces it; or name "
            "a new folder with -o."
        )


def _is_finished(folder: Path) -> bool:
    try:
        stated = json.loads((folder / CONVERSION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stated, dict) and stated.get("format") == CONVERSION_FORMAT


def require_room(folder: Path, needed: int) -> None:
    """Refuses to begin where the disk has too little room.

    Args:
        folder: Where the checkpoint is to be; it need not exist.
        needed: Bytes of its weights.

    Raises:
        ConfigurationError: There is too little.
    """
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed + _SMALL_FILES:
        raise ConfigurationError(
            f"{folder}: the converted weights take {needed / _GIB:.1f} GiB, and the disk has "
            f"{free / _GIB:.1f} GiB free. Name a folder on another disk with -o, or make room."
        )


@contextmanager
def whole_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Gives a folder beside the one that is meant, and puts it in its place at the end.

    What was there stays until then; where writing fails, nothing is left of it.

    Args:
        folder: Where the checkpoint is to be.
        overwrite: See `require_free`, which is asked again at the end.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=f".{folder.name}.converting-", dir=folder.parent)
    except OSError as error:
        raise _not_written(folder, error) from error
    temporary = Path(made)
    try:
        yield temporary
        # Others may read what mkdtemp gave to this user alone.
        temporary.chmod(folder.parent.stat().st_mode & 0o777)
        require_free(folder, overwrite=overwrite)
        _put(temporary, folder)
    except OSError as error:
        raise _not_written(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(temporary: Path, folder: Path) -> None:
    if folder.is_dir():
        replaced = temporary.with_name(f"{temporary.name}-replaced")
        folder.rename(replaced)
        try:
            temporary.rename(folder)
        except OSError:
            replaced.rename(folder)
            raise
        shutil.rmtree(replaced, ignore_errors=True)
        return
    temporary.rename(folder)


def _not_written(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{folder}: the converted checkpoint cannot be written there ({error.strerror or error}). "
        "Name a folder with -o that you may write to, on a disk with room."
    )
