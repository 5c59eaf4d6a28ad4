"""The folder of a converted checkpoint: written atomically, and replaced on request."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ultrarm_eval.errors import ConfigurationError

#: Contains the source of a converted checkpoint; written last, so that it marks a finished one.
CONVERSION_FILE, CONVERSION_FORMAT = "conversion.json", "ultrarm_eval.conversion/1"
#: Space for files other than the weights.
_SMALL_FILES = 64 * 1024**2
_GIB = 1024**3


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Rejects a folder that is not empty, except a finished conversion that may be replaced.

    Args:
        folder: The target folder.
        overwrite: Whether a finished conversion may be replaced.

    Raises:
        ConfigurationError: It contains something else, or is a file.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigurationError(
            f"{folder}: this is a file or a link, not a folder. Name a new folder with -o."
        )
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not _is_finished(folder):
        raise ConfigurationError(
            f"{folder}: this folder is not empty, and not a finished conversion (it has no "
            f"{CONVERSION_FILE} of ultrarm-eval), so it was not changed. Name a new folder with "
            "-o."
        )
    if not overwrite:
        raise ConfigurationError(
            f"{folder}: there is already a converted checkpoint. Use --overwrite to replace it, "
            "or name a new folder with -o."
        )


def _is_finished(folder: Path) -> bool:
    try:
        stated = json.loads((folder / CONVERSION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stated, dict) and stated.get("format") == CONVERSION_FORMAT


def require_room(folder: Path, needed: int) -> None:
    """Checks that the disk has enough space.

    Args:
        folder: The target folder; it need not exist.
        needed: Bytes of its weights.

    Raises:
        ConfigurationError: There is too little.
    """
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed + _SMALL_FILES:
        raise ConfigurationError(
            f"{folder}: the converted weights need {needed / _GIB:.1f} GiB, but only "
            f"{free / _GIB:.1f} GiB of the disk are free. Name a folder on another disk with -o, "
            "or free some space."
        )


@contextmanager
def whole_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary folder that replaces the target at the end.

    An existing target stays until then; if writing fails, the temporary folder is deleted.

    Args:
        folder: The target folder.
        overwrite: See `require_free`, which is called again at the end.

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
        # mkdtemp gives access to this user alone: use the parent folder's permissions.
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
        "Name a writable folder with -o, on a disk with free space."
    )
