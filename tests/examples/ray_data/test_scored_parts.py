"""Files of rewards: whole or not there, known again, and counted to the last row."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet
from scored_parquet.columns import Columns
from scored_parquet.parts import open_parts
from scored_parquet.scored_parts import Counts, finished_parts, remove_temporary, write_scored

from tests.examples.ray_data.conftest import answers
from ultrarm_eval.errors import DataError

COLUMNS = Columns("prompt", "completion")


def with_made_rewards(part, lost=0):
    """A part's rows with rewards as `with_rewards` gives them; every third row is refused."""
    table = part.read().slice(lost)
    has = [row % 3 != 1 for row in range(table.num_rows)]
    added = {
        "row": pa.array(range(part.start + lost, part.stop), pa.int64()),
        "refused": pa.array([None if ok else "not_text: a: b" for ok in has], pa.string()),
        "truncated": pa.array([row == 0 if ok else None for row, ok in enumerate(has)], pa.bool_()),
        "reward": pa.array([0.5 * row if ok else None for row, ok in enumerate(has)], pa.float64()),
        "judge": pa.array(["j"] * len(has), pa.string()),
    }
    for name, values in added.items():
        table = table.append_column(name, values)
    return table


@pytest.fixture
def parts(write, data, output):
    write("a.parquet", answers(5))
    write("b.parquet", answers(2))
    return open_parts(data, output, 3)[1]


def test_what_is_written_is_known_again_with_its_counts(parts, output):
    assert finished_parts(parts, output, COLUMNS, "j") == {}
    counts = write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    assert counts == Counts(rows=3, scored=2, truncated=1, refused={"not_text": 1})
    assert finished_parts(parts, output, COLUMNS, "j") == {0: counts}
    table = parquet.read_table(parts[0].target.path)
    assert table.select(["id", "prompt", "completion"]).equals(parts[0].read())
    assert table.column("reward").to_pylist() == [0.0, None, 1.0]


def test_a_lost_row_is_not_written(parts, output):
    with pytest.raises(DataError, match=r"of 3 rows 2 were read.*have to agree"):
        write_scored(parts[0], with_made_rewards(parts[0], lost=1), COLUMNS, "j")
    assert finished_parts(parts, output, COLUMNS, "j") == {}


def test_what_a_killed_process_leaves_is_no_part_and_is_removed(parts, output, tmp_path):
    write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    half = tmp_path / "rewards" / ".a-000000000003.parquet.0123.part"
    half.write_bytes(b"PAR1")
    assert list(finished_parts(parts, output, COLUMNS, "j")) == [0]
    remove_temporary(output)
    assert not half.exists()
    assert list(finished_parts(parts, output, COLUMNS, "j")) == [0]


def test_until_a_file_is_whole_it_has_another_name(parts, tmp_path, monkeypatch):
    seen = []

    def write_table(table, path, filesystem):
        parquet_write(table, path, filesystem=filesystem)
        seen.extend(one.name for one in (tmp_path / "rewards").iterdir())

    parquet_write = parquet.write_table
    monkeypatch.setattr("scored_parquet.scored_parts.parquet.write_table", write_table)
    write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    (name,) = seen
    assert name.startswith(".a-000000000000.parquet.")
    assert [one.name for one in (tmp_path / "rewards").iterdir()] == ["a-000000000000.parquet"]


@pytest.mark.parametrize(
    ("judge", "columns", "message"),
    [
        ("other", COLUMNS, "made with another judge: j then, other now"),
        ("j", Columns("prompt", "completion", "x_"), "made with another columns"),
    ],
)
def test_rewards_of_another_run_are_refused(parts, output, judge, columns, message):
    write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    with pytest.raises(DataError, match=message):
        finished_parts(parts, output, columns, judge)


def test_rewards_of_data_that_changed_are_refused(parts, write, data, output):
    write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    write("a.parquet", answers(6))
    with pytest.raises(DataError, match="made with another bytes of the source"):
        finished_parts(open_parts(data, output, 3)[1], output, COLUMNS, "j")


def test_parts_of_another_size_are_refused(parts, data, output):
    write_scored(parts[1], with_made_rewards(parts[1]), COLUMNS, "j")
    with pytest.raises(DataError, match=r"a-000000000003.parquet is none of the parts"):
        finished_parts(open_parts(data, output, 4)[1], output, COLUMNS, "j")


def test_a_damaged_file_is_named(parts, output, tmp_path):
    write_scored(parts[0], with_made_rewards(parts[0]), COLUMNS, "j")
    path = tmp_path / "rewards" / "a-000000000000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=f"{path}: this is no file of rewards.*Remove it"):
        finished_parts(parts, output, COLUMNS, "j")


def test_counts_add_up_and_go_through_json():
    one = Counts(rows=3, scored=2, truncated=1, refused={"not_text": 1})
    one = Counts.from_json(json.loads(json.dumps(one.to_json())))
    both = Counts.total([one, Counts(rows=2, scored=1, refused=one.refused), Counts()])
    assert both.to_json() == {
        "rows": 5,
        "scored": 3,
        "truncated": 1,
        "refused": {"not_text": 2},
    }
    both.require_whole("all", 5)
    with pytest.raises(DataError, match="all: of 6 rows 5 were read"):
        both.require_whole("all", 6)
