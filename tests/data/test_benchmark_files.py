"""Rows of a benchmark: a file, a saved folder, or a folder with a file for each part."""

import datasets
import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.data.benchmark_files import is_called, open_rows
from ultrarm_eval.errors import DataError


def rows(*numbers):
    return [{"n": n} for n in numbers]


def numbers(opened):
    return [row["n"] for row in opened]


@pytest.fixture
def saved(tmp_path):
    def save(**splits):
        folder = tmp_path / "saved"
        tables = {name: datasets.Dataset.from_list(rows(*of)) for name, of in splits.items()}
        datasets.DatasetDict(tables).save_to_disk(str(folder))
        return str(folder)

    return save


@pytest.mark.parametrize(
    ("splits", "found"),
    [
        ({"gpt": [1, 2], "claude": [3]}, [1, 2, 3]),
        ({"gpt": [1, 2]}, [1, 2]),
        ({"claude": [3], "more": [4]}, [3]),
        ({"other": [5]}, [5]),
    ],
)
def test_several_splits_are_read_once_each(saved, splits, found):
    opened = open_rows(saved(**splits), "gpt+claude", ["judgebench"], is_part=False)
    assert numbers(opened) == found


def test_a_split_called_as_the_part_comes_before_the_hubs_name(saved):
    folder = saved(natural=[1], neighbor=[2, 3], filtered=[4])
    assert numbers(open_rows(folder, "filtered", ["neighbor"], is_part=True)) == [2, 3]


def test_a_copy_of_the_hubs_repository_is_read(tmp_path):
    for split, n in (("filtered", 1), ("raw", 2)):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        datasets.Dataset.from_list(rows(n)).to_parquet(str(path))
    (tmp_path / "dataset_infos.json").write_text("{}")
    assert numbers(open_rows(str(tmp_path), "filtered", ["x", "filtered"], is_part=False)) == [1]


def test_the_one_file_of_a_folder_may_have_any_name_but_not_as_a_part(tmp_path):
    write_jsonl(tmp_path / "mine.jsonl", rows(7))
    assert numbers(open_rows(str(tmp_path), "test", ["rm_bench"], is_part=False)) == [7]
    with pytest.raises(DataError, match=r"there is no file named shp .*Its files: mine.jsonl"):
        open_rows(str(tmp_path), "test", ["shp"], is_part=True)


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("Adversarial/Neighbor/dataset.json", True),
        ("neighbor.jsonl", True),
        ("NEIGHBOR-00000-of-00002.parquet", True),
        ("neighbor/shp.jsonl", False),
        ("dataset.json", False),
    ],
)
def test_a_files_own_name_comes_before_its_folders(tmp_path, path, called):
    assert is_called(tmp_path / path, ["neighbor"]) is called


@pytest.mark.parametrize("data", ["nowhere", "x" * 5000, "nowhere.jsonl"])
def test_data_that_are_not_there_are_named(data):
    with pytest.raises(DataError, match=rf"^data='{data}': no such file or folder"):
        open_rows(data, "test", ["a"], is_part=False)


def test_an_empty_file_is_named(tmp_path):
    path = write_jsonl(tmp_path / "empty.jsonl", [])
    with pytest.raises(DataError, match="empty.jsonl: the file has no rows"):
        open_rows(str(path), "test", ["empty"], is_part=False)
