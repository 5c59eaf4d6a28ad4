"""The entries themselves: enough of them, complete, and written as they say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from tests.reward_models.config_entries.bodies import HEAD, HEADS, HIDDEN, KEY_HEADS
from tests.reward_models.config_entries.classifiers import CLASSIFIERS
from tests.reward_models.config_entries.process_models import PROCESS_MODELS
from tests.reward_models.config_entries.refused_models import LANGUAGE_MODEL, REFUSED_MODELS
from tests.reward_models.config_entries.scalar_heads import SCALAR_HEADS
from tests.reward_models.config_entries.stored_otherwise import STORED_OTHERWISE
from tests.reward_models.config_entries.trained_classifiers import TRAINED_CLASSIFIERS
from tests.reward_models.configs import CONFIGS, PublishedConfig, write

JUDGES = {
    *("ultrarm", "eurus", "sequence-classification", "openrlhf", "token-logit", "armorm", "qrm"),
    *("urm", "inf-orm", "ldl", "athene", "starling", "grm", "beaver", "internlm2-reward"),
    *("qwen2-reward", "process"),
}
BY_ID = {entry.hub_id: entry for entry in CONFIGS}


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path)


def named(entries: Any) -> list[Any]:
    return [pytest.param(entry, id=entry.hub_id) for entry in entries]


def loaded(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, weights_only=True)


def family_is_here(entry: PublishedConfig) -> bool:
    return (entry.config or {}).get("model_type") in CLASSES


def test_there_are_enough_and_each_is_there_once() -> None:
    assert len(BY_ID) == len(CONFIGS)
    assert len([one for one in CONFIGS if not one.hub_id.startswith("made-up/")]) >= 60


def test_every_judge_has_an_entry_and_every_other_is_refused() -> None:
    assert {one.expected for one in CONFIGS if not one.is_refused} == JUDGES


@pytest.mark.parametrize("entry", named(one for one in CONFIGS if one.is_refused))
def test_a_reason_is_no_part_of_the_name(entry: PublishedConfig) -> None:
    assert entry.reason
    assert entry.reason not in entry.hub_id


@pytest.mark.parametrize(
    "entry", named(filter(family_is_here, (*CLASSIFIERS, *TRAINED_CLASSIFIERS)))
)
def test_transformers_loads_every_weight_of_its_own_classes(
    entry: PublishedConfig, parent: Path
) -> None:
    folder = write(entry, parent / entry.name)
    path = folder / "config.json"
    # transformers 5 refuses one of the entries for it; what loads the weights takes it out.
    path.write_text(json.dumps({**json.loads(path.read_text()), "problem_type": None}))
    model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True, num_labels=1
    )
    assert entry.config is not None
    assert [type(model).__name__] == entry.config["architectures"]
    assert not info["missing_keys"]
    assert not info["mismatched_keys"]
    assert set(info["unexpected_keys"]) <= {"lm_head.weight"}


@pytest.mark.parametrize(
    "entry",
    named(
        one
        for one in (*PROCESS_MODELS, *REFUSED_MODELS)
        if one.expected in ("process", LANGUAGE_MODEL)
        and str((one.config or {})["architectures"][0]).endswith("ForCausalLM")
    ),
)
def test_transformers_loads_every_weight_of_a_language_model(
    entry: PublishedConfig, parent: Path
) -> None:
    folder = write(entry, parent / entry.name)
    _, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]


HEADS_ALONE = {
    "openbmb/UltraRM-13b": {"regression_head.weight"},
    "openbmb/Eurus-RM-7b": {"regression_head.weight"},
    "OpenRLHF/Llama-3-8b-rm-mixture": {"score.weight"},
    "Nexusflow/Athene-RM-8B": {"v_head.weight"},
    "Ray2333/GRM-Gemma2-2B-sftreg": {"v_head.summary.weight", "v_head.summary.bias"},
    "infly/INF-ORM-Llama3.1-70B": {
        f"score.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")
    },
    "Qwen/WorldPM-72B": {
        "lm_head.weight",
        *(f"score.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")),
    },
    "ShikaiChen/LDL-Reward-Gemma-2-27B-v0.1": set(),
}


@pytest.mark.parametrize("hub_id", HEADS_ALONE)
def test_a_body_is_complete_and_the_head_is_all_that_is_left(hub_id: str, parent: Path) -> None:
    folder = write(BY_ID[hub_id], parent / "checkpoint")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    # The body alone: no class, and no code, of the checkpoint's.
    path.write_text(json.dumps({**config, "architectures": None, "auto_map": {}}))
    _, info = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert set(info["unexpected_keys"]) == HEADS_ALONE[hub_id]


def test_queries_keys_and_values_of_internlm2_are_fused() -> None:
    (fused,) = {
        entry.weights["model.layers.0.attention.wqkv.weight"]
        for entry in SCALAR_HEADS
        if entry.expected == "internlm2-reward"
    }
    assert fused == ((HEADS // KEY_HEADS + 2) * KEY_HEADS * HEAD, HIDDEN)


WRITTEN = (
    "openbmb/UltraRM-13b",
    "nicolinho/QRM-Gemma-2-27B",
    "ShikaiChen/LDL-Reward-Gemma-2-27B-v0.1",
    "trl-lib/Qwen2-0.5B-Reward-LoRA",
    *(one.hub_id for one in STORED_OTHERWISE if "Skywork-Reward-Llama" in one.hub_id),
)


@pytest.mark.parametrize("hub_id", WRITTEN)
def test_a_folder_holds_what_its_entry_says(hub_id: str, parent: Path) -> None:
    entry = BY_ID[hub_id]
    folder = write(entry, parent / entry.name)
    for file, shapes in {entry.weight_file: entry.weights, **entry.more_weights}.items():
        if not shapes:
            assert not (folder / file).exists()
            continue
        weights = loaded(folder / file)
        assert {key: tuple(weight.shape) for key, weight in weights.items()} == shapes
        for key, weight in weights.items():
            assert weight.float().isfinite().all(), key
            assert weight.numel() == 0 or weight.float().abs().sum() > 0, key
    if entry.config is not None:
        assert json.loads((folder / "config.json").read_text()) == entry.config
    if entry.base is not None:
        stated = json.loads((folder / "adapter_config.json").read_text())
        assert (Path(stated["base_model_name_or_path"]) / "model.safetensors").is_file()


def test_quantised_weights_are_stored_as_their_formats_store_them(parent: Path) -> None:
    stored = {}
    for kind in ("AWQ", "GPTQ", "bnb-4bit", "FP8-dynamic"):
        entry = BY_ID[f"made-up/Skywork-Reward-Llama-3.1-8B-{kind}"]
        weights = loaded(write(entry, parent / entry.name) / entry.weight_file)
        layer = "model.layers.0.mlp.up_proj"
        name = f"{layer}.weight" if f"{layer}.weight" in weights else f"{layer}.qweight"
        stored[kind] = weights[name].dtype
        assert weights["score.weight"].dtype == torch.bfloat16
    assert stored == {
        "AWQ": torch.int32,
        "GPTQ": torch.int32,
        "bnb-4bit": torch.uint8,
        "FP8-dynamic": torch.float8_e4m3fn,
    }


@pytest.mark.parametrize(
    "hub_id",
    [
        "openbmb/UltraRM-13b",
        "sfairXC/FsfairX-LLaMA3-RM-v0.1",
        "Qwen/Qwen2.5-Math-PRM-7B",
        "Skywork/Skywork-Reward-Gemma-2-27B-v0.2",
        "OpenAssistant/reward-model-deberta-v3-large-v2",
        "made-up/ModernBERT-base-reward",
        "Ray2333/gpt2-large-harmless-reward_model",
        "cleanrl/EleutherAI_pythia-1b-deduped__reward__tldr",
        "made-up/Qwen3.5-4B-reward",
    ],
)
def test_special_tokens_have_their_published_ids(hub_id: str, parent: Path) -> None:
    entry = BY_ID[hub_id]
    folder = write(entry, parent / "checkpoint")
    assert entry.tokenizer_config is not None
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    for number, token in entry.tokenizer_config["added_tokens_decoder"].items():
        assert tokenizer.convert_tokens_to_ids(token["content"]) == int(number)
    if "chat_template" in entry.tokenizer_config:
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        assert text.index("user") < text.index("q") < text.index("assistant")
