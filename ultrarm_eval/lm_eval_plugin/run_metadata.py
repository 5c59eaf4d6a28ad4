"""A run's `--metadata`, separated from the model arguments that the harness merges into it.

The harness gives every task the metadata of its task manager, so it also carries what a task has to
know about the manager: the folders of the user's own task files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class RunMetadata(dict[str, Any]):
    """The harness's merge of `--model_args` and `--metadata`, for all tasks of a run.

    It contains what the harness would pass on. Tasks of this package use `own`, so that a judge's
    argument (`judge`, `reference`) is never mistaken for a task's option.
    """

    def __init__(
        self,
        merged: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        of_model: frozenset[str] = frozenset(),
        in_file: Mapping[str, Any] | None = None,
        folders: tuple[Path, ...] = (),
    ) -> None:
        """Records which keys are only model arguments.

        Args:
            merged: The metadata as the harness merges it.
            of_model: Keys that are only model arguments.
            in_file: The values of these keys in a task's file.
            folders: Folders that the harness scans for the user's own tasks.
        """
        super().__init__(merged)
        self._of_model, self._in_file = of_model, dict(in_file or {})
        self.folders = folders

    @classmethod
    def of_run(cls, model_args: Any, given: Any) -> RunMetadata:
        """Merges as the harness does.

        Args:
            model_args: The model's arguments, if there are any.
            given: The user's own metadata, if there is any.
        """
        model_args = model_args if isinstance(model_args, Mapping) else {}
        given = given if isinstance(given, Mapping) else {}
        of_model = frozenset(map(str, model_args)) - set(map(str, given))
        return cls({**model_args, **given}, of_model=of_model)

    @classmethod
    def of_manager(cls, metadata: Mapping[str, Any], included: Iterable[object]) -> RunMetadata:
        """The metadata of a task manager, with the folders that it scans.

        Args:
            metadata: The manager's metadata.
            included: Its `include_path`.
        """
        folders = tuple(Path(str(path)).expanduser() for path in included)
        if not isinstance(metadata, RunMetadata):
            return cls(metadata, folders=folders)
        of_model, in_file = metadata._of_model, metadata._in_file
        return cls(metadata, of_model=of_model, in_file=in_file, folders=folders)

    def __ror__(self, in_file: Any) -> Any:
        """A task file's metadata, overridden by the run's metadata."""
        said = {name: in_file[name] for name in self._of_model if name in in_file}
        return RunMetadata(
            {**in_file, **self}, of_model=self._of_model, in_file=said, folders=self.folders
        )

    def own(self) -> dict[str, Any]:
        """The task's own metadata: from its file and the run's `--metadata`."""
        return {k: v for k, v in self.items() if k not in self._of_model} | self._in_file


def own_metadata(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata meant for a task.

    Args:
        config: The task's YAML, with the run's metadata merged in.
    """
    metadata = (config or {}).get("metadata") or {}
    return metadata.own() if isinstance(metadata, RunMetadata) else dict(metadata)


def task_folders(config: Mapping[str, Any] | None) -> tuple[Path, ...]:
    """The folders of the user's own task files.

    Args:
        config: A task's YAML, with the run's metadata merged in.
    """
    metadata = (config or {}).get("metadata")
    return metadata.folders if isinstance(metadata, RunMetadata) else ()
