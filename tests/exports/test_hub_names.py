import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.exports.hub_names import is_hub_name, model_name

HOSTILE = [
    "../x",
    "org/../../x",
    "a/../b",
    "..",
    "",
    "/etc/x",
    "~/x",
    "org/name/more",
    "org\\name",
    "<script>alert(1)</script>",
    "org/na\nme",
    "org/name\n",
    "org/nam\u202ee",
    "org/na me",
    "-org/name",
    "org/.name",
    "org/a--b",
    "org/a..b",
    "x" * 97,
    "org/\x00",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_is_refused_wherever_it_comes_from(name):
    assert not is_hub_name(name)
    with pytest.raises(ConfigurationError, match="--model .*: a model's name is ORG/NAME"):
        model_name("org/judge", name)
    with pytest.raises(ConfigurationError, match="name it with --model ORG/NAME"):
        model_name(name, None)
    assert model_name(name, "org/judge") == "org/judge"


@pytest.mark.parametrize("name", ["org/judge", "demo", "openbmb/UltraRM-13b", "a", "_a/b_.9"])
def test_names_of_the_hub_are_taken(name):
    assert model_name(name, None) == model_name("/weights/mine", name) == name


def test_a_folder_of_this_name_is_a_path(tmp_path, monkeypatch):
    (tmp_path / "org" / "judge").mkdir(parents=True)
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="'org/judge', which is a path"):
        model_name("org/judge", None)
    # The bundled judge is meant by this word, whatever lies here.
    assert model_name("demo", None) == "demo"


def test_a_folder_of_this_name_where_the_run_was_made_is_a_path(tmp_path, monkeypatch):
    (tmp_path / "work" / "checkpoints" / "secret").mkdir(parents=True)
    results = tmp_path / "work" / "results" / "checkpoints__secret" / "results_x.json"
    monkeypatch.chdir(tmp_path)
    assert model_name("checkpoints/secret", None) == "checkpoints/secret"
    with pytest.raises(ConfigurationError, match="'checkpoints/secret', which is a path"):
        model_name("checkpoints/secret", None, results)


@given(st.text(alphabet="ab/.\\-_~:\n\x00 ", max_size=8))
def test_a_name_never_leaves_a_folder(name):
    if is_hub_name(name):
        parts = name.split("/")
        assert len(parts) <= 2
        assert all(part.strip(".-") == part != "" for part in parts)
