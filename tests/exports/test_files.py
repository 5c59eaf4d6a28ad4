import pytest

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.exports.files import write_files, write_texts
from ultrarm_eval.exports.hub_names import Source, assignments


def test_files_stand_where_they_are_named(tmp_path):
    paths = write_texts(tmp_path / "out", {"a/b.txt": "ä\n", "c.txt": ""})
    assert paths == [tmp_path / "out" / "a" / "b.txt", tmp_path / "out" / "c.txt"]
    assert paths[0].read_bytes() == "ä\n".encode()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "c.txt"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_no_file_is_written_outside(tmp_path, name):
    with pytest.raises(DataError, match="would be written outside"):
        write_texts(tmp_path / "out", {"fine": "", name: "bad"})
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "x").exists()


def test_a_link_does_not_lead_outside(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(DataError, match="would be written outside"):
        write_texts(tmp_path / "out", {"link/x": "bad"})
    assert not (tmp_path / "x").exists()


def test_all_files_are_written_or_none(tmp_path):
    def fill(made):
        (made / "first").write_text("new")
        raise DataError("the second cannot be made")

    (tmp_path / "first").write_text("old")
    with pytest.raises(DataError, match="the second"):
        write_files(tmp_path, fill)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("first", "old")]


def test_a_value_is_for_one_task_or_for_all():
    assert assignments(["a=x/y", "z/w"], "--dataset") == {"a": "x/y", None: "z/w"}
    assert assignments(["a (ties=wrong)=x"], "--task-id") == {"a (ties=wrong)": "x"}
    for bad in (["a="], ["=x"], ["x", "y"], ["a=x", "a=y"], [""]):
        with pytest.raises(ConfigurationError, match="give TASK=VALUE once per task"):
            assignments(bad, "--dataset")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "x", "https://", "https://a b", "file:///x", "ftp://host/x"]
)
def test_a_source_is_a_page(url):
    with pytest.raises(ConfigurationError, match="give the address of a page"):
        Source(url)


def test_a_name_needs_an_address():
    with pytest.raises(ConfigurationError, match="give both"):
        Source(None, "logs")
    assert Source("https://example.org/logs", "logs").url == "https://example.org/logs"
