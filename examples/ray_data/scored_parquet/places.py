"""Where files lie: paths of this machine, and addresses such as s3://BUCKET/FOLDER."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyarrow import ArrowException, fs

from ultrarm_eval.errors import DataError

_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Place:
    """A file or a folder.

    Attributes:
        system: The file system that it is in.
        path: Its path there.
    """

    system: fs.FileSystem
    path: str

    @classmethod
    def of(cls, given: str) -> Place:
        """A place as a user writes it.

        Args:
            given: A path, or an address of a file system that pyarrow knows (s3://, gs://, hdfs://).

        Raises:
            DataError: There is no such file system.
        """
        address = given if "://" in given else str(Path(given).expanduser().absolute())
        try:
            return cls(*fs.FileSystem.from_uri(address))
        except (ArrowException, OSError) as error:
            raise DataError(
                f"{given}: this is no path, and no address that pyarrow opens (s3://, gs://, "
                f"hdfs://, file://): {error}"
            ) from error

    def __truediv__(self, name: str) -> Place:
        """A file or a folder in this folder."""
        return Place(self.system, f"{self.path.rstrip('/')}/{name}")

    def __str__(self) -> str:
        """Its path."""
        return self.path

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder that exists."""
        return bool(self._kind() == fs.FileType.Directory)

    @property
    def is_file(self) -> bool:
        """Whether it is a file that exists."""
        return bool(self._kind() == fs.FileType.File)

    def holds(self, other: Place) -> bool:
        """Whether another place is this one or inside it."""
        mine, its = PurePosixPath(self.path), PurePosixPath(other.path)
        return self.system.equals(other.system) and (mine == its or mine in its.parents)

    def parquet_files(self) -> dict[str, tuple[Place, int]]:
        """The Parquet files in this folder and those in it, in the order of their names.

        Files and folders whose names begin with `.` or `_` are none of the data, as for other
        readers.

        Returns:
            Place and size in bytes, by the path from this folder on, without its ending.
        """
        return {
            name.removesuffix(_SUFFIX): (self / name, size)
            for name, size in sorted(self._files())
            if name.endswith(_SUFFIX) and not _is_hidden(name)
        }

    def temporary_files(self, ending: str) -> list[Place]:
        """Files that are being written, or were when a process was killed."""
        return [self / name for name, _ in self._files() if name.endswith(ending)]

    def _files(self) -> Iterator[tuple[str, int]]:
        root = self.path.rstrip("/") + "/"
        selector = fs.FileSelector(self.path, recursive=True, allow_not_found=True)
        for found in self.system.get_file_info(selector):
            if found.type == fs.FileType.File:
                yield found.path.removeprefix(root), int(found.size)

    def _kind(self) -> fs.FileType:
        return self.system.get_file_info(self.path).type


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)
