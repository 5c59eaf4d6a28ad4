import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions, read_options


def test_our_keys_are_read_and_the_harnesss_left_alone():
    metadata = {
        "version": 1.0,
        "pretrained": "x",
        "revision": "main",
        "dtype": "auto",
        "template": "raw",
        "parallelize": True,
        "config_source": "file",
        "max_length": 5,
        "data": "demo",
    }
    assert read_options(metadata) == TaskOptions("demo", None)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("dta", "data"),
        ("dat", "data"),
        ("datas", "data"),
        ("Data", "data"),
        ("dataset", "data"),
        ("data_path", "data"),
        ("data-revision", "data_revision"),
        ("data_revison", "data_revision"),
        ("dataset_revision", "data_revision"),
        ("preferences", "preference"),
        ("shard_id", "shard"),
        ("judge_kwargs", "judge_args"),
        ("judge_model_args", "judge_args"),
        ("reference_file", "reference"),
        ("num_samples", "n"),
    ],
)
def test_a_near_miss_names_what_was_meant(key, meant):
    with pytest.raises(ConfigurationError, match=f"'{key}'; did you mean '{meant}'"):
        read_options({key: "x"})


@pytest.mark.parametrize("value", [3, "", "  ", ["a"]])
def test_data_has_to_be_a_text(value):
    with pytest.raises(ConfigurationError, match="give a file, a folder or a source's name"):
        read_options({"data": value})


def test_a_revision_of_local_data_has_no_meaning():
    with pytest.raises(ConfigurationError, match="a revision is only for"):
        read_options({"data": "x.jsonl", "data_revision": "main"})
