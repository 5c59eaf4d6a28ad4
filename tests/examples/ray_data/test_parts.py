"""Parts of Parquet files: together they are the data, each row once."""

import pyarrow as pa
import pytest
from pyarrow import parquet
from scored_parquet.parts import open_parts
from scored_parquet.places import Place

from tests.examples.ray_data.conftest import answers
from ultrarm_eval.errors import DataError


@pytest.mark.parametrize("row_group_size", [1, 3, 7, 100])
@pytest.mark.parametrize("rows_per_part", [1, 4, 23, 100])
def test_parts_are_the_rows_of_a_file_in_order(write, data, output, row_group_size, rows_per_part):
    path = write("a.parquet", answers(23), row_group_size)
    _, parts = open_parts(data, output, rows_per_part)
    assert max(part.stop - part.start for part in parts) <= rows_per_part
    assert pa.concat_tables([part.read() for part in parts]).equals(parquet.read_table(path))


def test_names_of_outputs_are_those_of_the_data_and_the_first_row(write, data, output):
    write("b.parquet", answers(5))
    write("sub/a.parquet", answers(1))
    _, parts = open_parts(data, output, 3)
    names = [part.target.path.removeprefix(f"{output}/") for part in parts]
    assert names == [
        "b-000000000000.parquet",
        "b-000000000003.parquet",
        "sub/a-000000000000.parquet",
    ]


def test_a_single_file_and_one_without_rows_are_data(write, output):
    path = write("a.parquet", answers(2))
    _, (part,) = open_parts(Place.of(str(path)), output, 10)
    assert part.target.path == f"{output}/a-000000000000.parquet"
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    _, (part,) = open_parts(Place.of(str(path)), output, 10)
    assert part.read().num_rows == 0


def test_hidden_files_and_folders_are_none_of_the_data(write, data, output):
    write("a.parquet", answers(1))
    write("_logs/b.parquet", answers(1))
    write(".c.parquet", answers(1))
    _, parts = open_parts(data, output, 10)
    assert [part.source.name for part in parts] == ["a"]


def test_a_file_that_lacks_a_column_is_named(write, data, output):
    write("a.parquet", answers(1))
    other = write("b.parquet", [{"prompt": "x"}])
    with pytest.raises(DataError, match=f"{other}: the column 'completion' is missing"):
        open_parts(data, output, 10)


def test_a_file_that_is_no_parquet_file_is_named(write, data, output):
    path = write("a.parquet", answers(1))
    path.write_bytes(b"no")
    with pytest.raises(DataError, match=f"{path}: this is no Parquet file"):
        open_parts(data, output, 10)


def test_data_that_are_not_there_are_refused(data, output, tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        open_parts(data, output, 10)
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="no files that end in .parquet"):
        open_parts(data, output, 10)
    with pytest.raises(DataError, match="this is no path, and no address"):
        Place.of("what://is/this")


def test_rewards_do_not_go_where_the_data_are(write, data):
    write("a.parquet", answers(1))
    for output in (data, data / "rewards", Place.of(str(data).removesuffix("/data"))):
        with pytest.raises(DataError, match="one lies in the other"):
            open_parts(data, output, 10)


def test_a_file_that_changes_while_it_is_scored_is_refused(write, data, output):
    write("a.parquet", answers(4))
    _, (part,) = open_parts(data, output, 10)
    write("a.parquet", answers(5))
    with pytest.raises(DataError, match="has 5 rows now, and had 4"):
        part.read()
