"""A small data set in Parquet files, and the bundled judge."""

import pyarrow as pa
import pytest
from pyarrow import parquet
from scored_parquet.places import Place

from ultrarm_eval import load_judge


@pytest.fixture(scope="session")
def judge():
    return load_judge("demo", device="cpu")


@pytest.fixture
def write(tmp_path):
    """Writes rows as a Parquet file of the data set."""

    def written(name, rows, row_group_size=None):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=row_group_size)
        return path

    return written


@pytest.fixture
def data(tmp_path):
    return Place.of(str(tmp_path / "data"))


@pytest.fixture
def output(tmp_path):
    return Place.of(str(tmp_path / "rewards"))


def answers(count, start=0):
    """Rows of four answers to a prompt."""
    return [
        {"id": n, "prompt": f"What is {n // 4}?", "completion": f"It is {n}, or {n % 3}."}
        for n in range(start, start + count)
    ]
