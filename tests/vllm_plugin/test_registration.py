"""What the plugin changes in vLLM, whatever vLLM has become; vLLM is a stand-in here."""

import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.conftest import write_sharded_pickles
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.vllm_plugin import register
from ultrarm_eval.vllm_plugin.classes import KIND, REWARD_MODEL, SERVED_CLASSES

MODELS = "vllm.model_executor.models"
NATIVE = {"LlamaForCausalLM": "native", "Qwen2ForRewardModel": "native"}


class Registry:
    """What the plugin uses of vLLM's registry of models."""

    def __init__(self):
        self.models = dict(NATIVE)

    def get_supported_archs(self):
        return self.models.keys()

    def register_model(self, name, path):
        self.models[name] = path


class VerifyAndUpdateConfig:
    """What vLLM's own classes for `MODELS_CONFIG_MAP` derive from."""

    @staticmethod
    def verify_and_update_config(vllm_config):
        return None


@pytest.fixture
def vllm(monkeypatch):
    """The parts of a vLLM that is as the plugin knows it, by module."""
    parts = {
        "vllm": {},
        "vllm.model_executor": {},
        MODELS: {},
        f"{MODELS}.registry": {"ModelRegistry": Registry()},
        f"{MODELS}.adapters": {"as_seq_cls_model": lambda body: body},
        f"{MODELS}.config": {
            "MODELS_CONFIG_MAP": {"LlamaForCausalLM": "native"},
            "VerifyAndUpdateConfig": VerifyAndUpdateConfig,
        },
    }
    modules = {}
    for name, members in parts.items():
        modules[name] = ModuleType(name)
        vars(modules[name]).update(members)
        monkeypatch.setitem(sys.modules, name, modules[name])
    return modules


def registered(vllm):
    return vllm[f"{MODELS}.registry"].ModelRegistry.models


def settings(vllm):
    return vllm[f"{MODELS}.config"].MODELS_CONFIG_MAP


def test_every_class_is_registered_as_a_path_and_with_its_settings(vllm, caplog):
    register()
    new = registered(vllm).keys() - NATIVE
    assert new == {REWARD_MODEL, *SERVED_CLASSES} - NATIVE.keys()
    assert {registered(vllm)[name] for name in new} == {
        "ultrarm_eval.vllm_plugin.reward_model:RewardModel"
    }
    assert settings(vllm).keys() - {"LlamaForCausalLM"} == new
    assert not caplog.records


def test_what_vllm_has_itself_stays(vllm):
    register()
    assert NATIVE.items() <= registered(vllm).items()
    assert settings(vllm)["LlamaForCausalLM"] == "native"
    assert "Qwen2ForRewardModel" not in settings(vllm)


def test_a_second_call_changes_nothing(vllm, caplog):
    register()
    before = dict(registered(vllm)), dict(settings(vllm))
    register()
    assert (registered(vllm), settings(vllm)) == before
    assert not caplog.records


def without(module, name):
    return lambda vllm, _: delattr(vllm[f"{MODELS}.{module}"], name)


def no_module(name):
    def remove(vllm, monkeypatch):
        for one in vllm:
            if one.startswith(name):
                monkeypatch.setitem(sys.modules, one, None)

    return remove


def fails_halfway(vllm, monkeypatch):
    def register_model(name, path):
        if name == SERVED_CLASSES[3]:
            raise TypeError("another signature")
        registered(vllm)[name] = path

    monkeypatch.setattr(vllm[f"{MODELS}.registry"].ModelRegistry, "register_model", register_model)


@pytest.mark.parametrize(
    "broken",
    [
        no_module("vllm"),
        no_module(f"{MODELS}.registry"),
        no_module(f"{MODELS}.adapters"),
        no_module(f"{MODELS}.config"),
        without("adapters", "as_seq_cls_model"),
        without("config", "MODELS_CONFIG_MAP"),
        without("config", "VerifyAndUpdateConfig"),
        fails_halfway,
    ],
)
def test_another_vllm_stays_as_it_was_with_one_warning(vllm, monkeypatch, caplog, broken):
    models, config_map = registered(vllm), settings(vllm)
    broken(vllm, monkeypatch)
    with caplog.at_level(logging.DEBUG):
        register()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "could not register its reward models" in record.getMessage()
    assert models == NATIVE
    assert config_map == {"LlamaForCausalLM": "native"}


def model_config(folder, **values):
    """What the plugin reads of vLLM's configuration of a model."""
    config = SimpleNamespace(model_type="llama", num_labels=2, problem_type=None, **values)
    return SimpleNamespace(
        model=str(folder), revision=None, hf_config=config, hf_text_config=config
    )


def test_a_reward_model_is_set_to_one_raw_number(vllm, checkpoint):
    register()
    served = model_config(checkpoint, bias=True)
    settings(vllm)["LlamaRewardModel"].verify_and_update_model_config(served)
    assert (served.hf_config.num_labels, served.hf_config.problem_type) == (1, "regression")
    # Which vLLM takes for the attention's.
    assert served.hf_config.bias is False
    assert settings(vllm)["LlamaRewardModel"].verify_and_update_config(served) is None


def test_a_missing_head_is_refused_before_anything_is_loaded(vllm, reward_model, tmp_path):
    class Headless:
        config = reward_model.config

        @staticmethod
        def state_dict():
            state = dict(reward_model.state_dict())
            del state["regression_head.weight"]
            return state

    write_sharded_pickles(tmp_path, Headless)
    register()
    with pytest.raises(CheckpointError, match="lack 'regression_head.weight'"):
        settings(vllm)["LlamaRewardModel"].verify_and_update_model_config(model_config(tmp_path))
    named = model_config(tmp_path, **{KIND: {"judge": "ultrarm"}})
    with pytest.raises(CheckpointError, match="lack 'regression_head.weight'"):
        settings(vllm)[REWARD_MODEL].verify_and_update_model_config(named)
