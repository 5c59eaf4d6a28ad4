"""The files of a checkpoint: in a folder, or on the hub and its cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.demo import OFFLINE_HELP
from ultrarm_eval.errors import CheckpointError, first_line

#: Maps a file's name to its path; None where the checkpoint has no such file.
Fetch: TypeAlias = Callable[[str], Path | None]

# Every repository has one of them: if it is cached, other files that are not cached do not exist.
_ANCHORS = ("config.json", "adapter_config.json")
_LOCAL_HELP = "For local weights, set pretrained=DIR (or judge=DIR) to their folder."


def fetcher(name: str, revision: str | None) -> Fetch:
    """How to get the files of a folder or a hub id.

    Raises:
        CheckpointError: When called, if the name is a path that does not exist; the function
            returned raises it where the hub cannot be reached and nothing is cached.
    """
    folder = Path(name).expanduser()
    return _folder_fetcher(folder) if folder.is_dir() else _hub_fetcher(name, revision)


def _folder_fetcher(folder: Path) -> Fetch:
    def fetch(file: str) -> Path | None:
        path = folder / file
        return path if path.is_file() else None

    return fetch


def _hub_fetcher(name: str, revision: str | None) -> Fetch:
    # A hub id is NAME or OWNER/NAME, so anything longer was meant as a path.
    if Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise CheckpointError(f"{name}: there is no such folder. {_LOCAL_HELP} {OFFLINE_HELP}")

    def fetch(file: str) -> Path | None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        try:
            return Path(hf_hub_download(name, file, revision=revision))
        except LocalEntryNotFoundError as error:
            if _is_cached(name, revision, others_than=file):
                return None
            raise _unreachable(name, revision, error) from error
        except EntryNotFoundError:
            return None
        except Exception as error:
            # The hub's client raises its own, requests', httpx' and OS errors.
            raise _unreachable(name, revision, error) from error

    return fetch


def own_name(name: str) -> str:
    """A checkpoint's short name: the last part of its folder's path or of its hub id."""
    return re.split(r"[\\/]", name.rstrip("\\/"))[-1]


def exists(name: str, file: str, revision: str | None) -> bool:
    """Whether a checkpoint has a file; does not download it.

    Args:
        name: A folder, or a hub id.
        file: The file's name.
        revision: The hub revision.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return (folder / file).is_file()
    from huggingface_hub import file_exists, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, file, revision=revision), str):
        return True
    try:
        return file_exists(name, file, revision=revision)
    except Exception:
        # The hub cannot be reached: use the cache.
        return False


def _is_cached(name: str, revision: str | None, *, others_than: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = (file for file in _ANCHORS if file != others_than)
    paths = (try_to_load_from_cache(name, file, revision=revision) for file in files)
    return any(isinstance(path, str) for path in paths)


def _unreachable(name: str, revision: str | None, error: Exception) -> CheckpointError:
    at = f" at revision {revision!r}" if revision else ""
    # A single word may be the name of a judge whose package is not installed.
    as_judge = (
        ""
        if "/" in name
        else f"If {name!r} is meant to be a judge: `ultrarm-eval plugins` lists all judges. "
    )
    return CheckpointError(
        f"{name}{at}: this is not a local folder, is not cached, and cannot be downloaded from "
        f"the hub ({first_line(error)}). {as_judge}{_LOCAL_HELP} {OFFLINE_HELP}"
    )


def hub_commit(config_path: Path) -> str | None:
    """The commit of a file in the hub's cache; None for any other file."""
    # The hub's cache lays files out as snapshots/COMMIT/FILE.
    parent = config_path.parent
    return parent.name if parent.parent.name == "snapshots" else None


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object of a checkpoint."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        # Python refuses numbers of more than 4,300 digits, and deeply nested brackets.
        raise CheckpointError(f"{path}: this is not valid JSON: {brief(error)}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: this is not a JSON object.")
    return values
