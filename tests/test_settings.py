"""Settings of judges: declared once, and the same wherever they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judge_settings import CritiqueSettings, LikelihoodSettings, PreferenceSettings
from ultrarm_eval.known_settings import SETTINGS_CLASSES, identifying, known_settings
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings, make_settings


def test_torch_is_not_needed():
    code = "import sys, ultrarm_eval.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_values_are_those_that_the_parts_know():
    from ultrarm_eval.checkpoints.checkpoint import DTYPES
    from ultrarm_eval.engine.kernels.choice import ATTN_IMPLEMENTATIONS

    settings = known_settings()
    assert set(settings["dtype"].choices) == {"auto", *DTYPES}
    assert set(settings["attn_implementation"].choices) == set(ATTN_IMPLEMENTATIONS)


def test_what_rewards_depend_on():
    assert identifying(given=True) == [
        "revision",
        "peft",
        "peft_revision",
        "template",
        "dtype",
        "special_tokens",
        "system",
        "max_length",
        "quantization",
        "parity",
        "reduction",
        "reference",
        "reference_revision",
        "beta",
        "samples",
        "temperature",
        "seed",
        "max_new_tokens",
        "layout",
        "aggregate",
        "separator",
        "normalize",
        "head",
        "token",
        "contrast",
        "position",
        "engine",
    ]
    assert set(identifying()) - set(identifying(given=True)) == {
        "judge",
        "base",
        "base_revision",
        "truncation",
        "appends_eos",
    }
    assert known_settings()["special_tokens"].option == "--special-tokens"


@pytest.mark.parametrize("settings_class", SETTINGS_CLASSES)
def test_every_setting_says_of_what_kind_it_is(settings_class):
    for name, setting in settings_in(settings_class).items():
        assert setting.name == name
        assert setting.kind in (str, int, float, bool)
        assert setting.label
        assert setting.help or setting.values or name in ("max_batch_tokens", "max_batch_size")


@pytest.mark.parametrize(
    ("settings_class", "given", "message"),
    [
        (CheckpointSettings, {"tempalte": "raw"}, "'tempalte'. Did you mean 'template'"),
        (CheckpointSettings, {"beta": 1}, "Unknown setting of judge 'j': 'beta'"),
        (CheckpointSettings, {"dtype": "float8"}, "Unknown dtype 'float8'"),
        (CheckpointSettings, {"special_tokens": "parsed"}, "Did you mean 'parse'"),
        (CheckpointSettings, {"system": "keep"}, "Unknown system 'keep'"),
        (CheckpointSettings, {"batching": "none"}, "Unknown batching 'none'"),
        (CheckpointSettings, {"quantization": "int4"}, "Unknown quantization 'int4'"),
        (CheckpointSettings, {"parity": "rewardbench2"}, "Unknown parity 'rewardbench2'"),
        (CheckpointSettings, {"parallelize": "yes"}, "parallelize is True or False, not 'yes'"),
        (CheckpointSettings, {"torch_compile": 1}, "torch_compile is True or False, not 1"),
        (CheckpointSettings, {"max_batch_tokens": 0}, "whole number of at least 1, not 0"),
        (CheckpointSettings, {"max_batch_size": True}, "whole number of at least 1, not True"),
        (LikelihoodSettings, {"reduction": "max"}, "Unknown reduction 'max'"),
        (PreferenceSettings, {}, "name it by the judge's setting reference=DIR"),
        (PreferenceSettings, {"reference": "r", "beta": 0}, "beta is a number above 0, not 0"),
        (PreferenceSettings, {"reference": "r", "beta": "x"}, "beta is a number above 0"),
        (CritiqueSettings, {"seed": -1}, "seed is a whole number of at least 0, not -1"),
        (CritiqueSettings, {"samples": 2, "temperature": 0}, "above 0 for several samples"),
        (CritiqueSettings, {"temperature": "inf"}, "at least 0"),
    ],
)
def test_what_is_not_allowed_is_said_by_name(settings_class, given, message):
    with pytest.raises(ConfigurationError, match=message):
        make_settings(settings_class, given, "j")


def test_values_are_made_what_they_stand_for():
    given = make_settings(
        CheckpointSettings, {"dtype": "torch.float16", "max_batch_tokens": "64"}, "j"
    )
    assert (given.dtype, given.max_batch_tokens) == ("float16", 64)
    written = make_settings(CritiqueSettings, {"samples": "3", "seed": "7"}, "j")
    assert (written.samples, written.seed, written.temperature) == (3, 7, 1.0)
    assert make_settings(CritiqueSettings, {}, "j").temperature == 0.0
    assert make_settings(PreferenceSettings, {"reference": "r", "beta": "0.1"}, "j").beta == 0.1


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({}, None),
        ({"batch_size": 1}, None),
        ({"batch_size": "auto:4"}, None),
        ({"batch_size": "8"}, 8),
        ({"batch_size": 8, "max_batch_size": 4}, 4),
        ({"max_batch_size": "4"}, 4),
        ({"batch_size": 1, "max_batch_size": 1}, 1),
    ],
)
def test_the_most_texts_of_a_batch(given, most):
    assert CheckpointSettings(**given).max_texts == most


def test_a_batch_size_is_a_number():
    with pytest.raises(ConfigurationError, match="batch_size is a whole number"):
        _ = CheckpointSettings(batch_size="many").max_texts


@pytest.mark.parametrize("twice", ["http://a:1;http://a:1/v1", "http://a:1/v1/;http://a:1/"])
def test_a_server_is_named_once(twice):
    with pytest.raises(ConfigurationError, match="http://a:1 twice"):
        CheckpointSettings(engine="server", base_url=twice)


def test_none_is_what_is_usual():
    given = CheckpointSettings(engine=None, protocol=None, num_concurrent=None)
    assert given == CheckpointSettings()
    assert given.computed_by == "torch"


@pytest.mark.parametrize(
    ("engine", "name", "value"),
    [
        ("torch", "base_url", "http://127.0.0.1:8000"),
        ("auto", "tensor_parallel_size", 2),
        ("vllm", "base_url", "http://127.0.0.1:8000"),
        ("vllm", "batching", "padded"),
        ("server", "gpu_memory_utilization", 0.5),
        ("server", "quantization", "int8"),
    ],
)
def test_a_setting_of_another_engine_is_refused(engine, name, value):
    given = {"base_url": "http://127.0.0.1:8000"} if engine == "server" else {}
    with pytest.raises(ConfigurationError, match=rf"\b{name}\b"):
        make_settings(CheckpointSettings, {**given, "engine": engine, name: value}, "ultrarm")
