"""PEFT adapters in place of checkpoints: recognised, and what to do with them said."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError, ConfigurationError

JUDGES = ("ultrarm", "auto", "sequence-classification", "likelihood", "critique", "eurus")
CONFIG = {
    "peft_type": "LORA",
    "base_model_name_or_path": "someone/base-7b",
    "task_type": "SEQ_CLS",
    "modules_to_save": ["score"],
}


@pytest.fixture
def adapter(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    weights = {
        "base_model.model.score.weight": torch.ones(1, 32),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 32),
    }
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


@pytest.mark.parametrize("judge", JUDGES)
def test_an_adapter_is_named_with_its_base_and_the_way_out(adapter, judge):
    with pytest.raises(CheckpointError) as error:
        load_judge(str(adapter), judge=judge, device="cpu")
    for part in ("LORA", "someone/base-7b", "merge_and_unload", "pretrained=DIR"):
        assert part in str(error.value)


def test_an_adapter_as_reference(adapter, write_model):
    model = write_model("AutoModelForCausalLM", "llama")
    with pytest.raises(CheckpointError, match=r"someone/base-7b.*merge_and_unload"):
        load_judge(str(model), judge="dpo", reference=str(adapter), device="cpu")


def test_an_adapter_beside_a_whole_model_is_not_left_out_in_silence(adapter, write_model):
    folder = write_model("AutoModelForSequenceClassification", "llama", num_labels=1)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(CheckpointError, match="merge_and_unload"):
        load_judge(str(folder), judge="sequence-classification", device="cpu")


@pytest.mark.parametrize("raw", ["[]", "5", "{", "[" * 200_000, '{"base_model_name_or_path": [5]}'])
def test_a_broken_adapter_config(adapter, raw):
    (adapter / "adapter_config.json").write_text(raw)
    with pytest.raises(CheckpointError):
        load_judge(str(adapter), judge="auto", device="cpu")


def test_an_adapters_weights_alone(adapter):
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors.*merge_and_unload"):
        load_judge(str(adapter), judge="ultrarm", device="cpu")


def test_a_full_save_that_was_not_merged_names_the_trained_head(write_model):
    folder = write_model("AutoModelForSequenceClassification", "gemma2", num_labels=1)
    path = folder / "model.safetensors"
    weights = load_file(path)
    head = weights.pop("score.weight")
    weights["score.modules_to_save.default.weight"] = head
    weights["score.original_module.weight"] = head.clone()
    save_file(weights, path, metadata={"format": "pt"})
    for judge in ("sequence-classification", "auto"):
        with pytest.raises(CheckpointError) as error:
            load_judge(str(folder), judge=judge, device="cpu")
        assert "'score.modules_to_save.default.weight' is the trained head" in str(error.value)
        assert "merge_and_unload" in str(error.value)


@pytest.mark.parametrize("judge", JUDGES)
def test_the_setting_peft_is_answered(judge, checkpoint):
    with pytest.raises(ConfigurationError, match=r"peft=DIR.*merge_and_unload"):
        load_judge(str(checkpoint), judge=judge, peft="adapter")
