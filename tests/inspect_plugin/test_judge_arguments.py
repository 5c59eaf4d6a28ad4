"""Arguments as `-S` and `-T` write them: the types that the options of `ultrarm-eval` give."""

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai._util.config import parse_cli_args

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.inspect_plugin import preference, preference_scorer, reward
from ultrarm_eval.inspect_plugin.errors import RunRefusedError
from ultrarm_eval.inspect_plugin.judge_arguments import as_text, judge_settings


def read(*written):
    return judge_settings(None, None, parse_cli_args(written))


def test_every_setting_has_the_type_that_its_option_has():
    found = read(
        "dtype=bfloat16",
        "max_length=1024",
        "batch_size=8",
        "beta=1",
        "parallelize=true",
        "template=a,b.jinja",
        "device=cuda:0",
        "base_url=http://127.0.0.1:8000;http://127.0.0.1:8001",
        "revision=1234567",
        "temperature='0.5'",
        "not-ours=0.5",
    )
    assert found == {
        "dtype": "bfloat16",
        "max_length": 1024,
        "batch_size": "8",
        "beta": 1,
        "parallelize": True,
        "template": "a,b.jinja",
        "device": "cuda:0",
        "base_url": "http://127.0.0.1:8000;http://127.0.0.1:8001",
        "revision": "1234567",
        "temperature": 0.5,
        "not_ours": 0.5,
    }


def test_the_kind_and_settings_with_the_names_of_arguments():
    found = judge_settings("dpo", parse_cli_args(["x={reference: DIR, samples: 2}"])["x"], {})
    assert found == {"judge": "dpo", "reference": "DIR", "samples": 2}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("system=no", "system=False is not a string. YAML reads yes, no"),
        ("dtype={a: b}", "dtype="),
        ("max_length='many'", "max_length='many' is not a number"),
    ],
)
def test_values_of_another_type_are_refused(written, message):
    with pytest.raises(ConfigurationError, match=message):
        read(written)


def test_a_setting_is_given_once():
    with pytest.raises(ConfigurationError, match="kind and judge_args both set judge"):
        judge_settings("ultrarm", {"judge": "eurus"}, {})


def test_what_is_not_given_is_left_to_the_judge():
    assert judge_settings(None, {}, {"dtype": None}) == {}
    assert as_text("data", None) is None


@pytest.mark.parametrize("made", [reward, preference_scorer, preference])
def test_a_judge_that_is_not_given_is_said_without_a_traceback(made):
    with pytest.raises(RunRefusedError, match="No judge is named. Give judge=DIR"):
        made()


def test_data_that_are_not_given_are_said_without_a_traceback():
    with pytest.raises(RunRefusedError, match="No data is named. Give data=PATH"):
        preference(judge="demo")


@pytest.mark.parametrize(
    ("made", "misspelt", "meant"),
    [(reward, "referense", "reference"), (preference, "min_gapp", "min_gap")],
)
def test_a_misspelt_argument_is_told_from_a_setting_of_the_judge(made, misspelt, meant):
    message = f"Unknown argument {misspelt!r}. Did you mean {meant!r}.*or a setting of the judge"
    with pytest.raises(RunRefusedError, match=message):
        made(judge="demo", **{misspelt: "1"})
    with pytest.raises(RunRefusedError, match="Unknown setting of judge 'ultrarm': 'dtyp'"):
        made(judge="demo", dtyp="1")
