"""PEFT adapters: found beside their base or alone; what cannot be read is refused by name."""

import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints.tiny_adapters import Q_PROJ, change, change_weights, judge_of, refusal
from ultrarm_eval.errors import CheckpointError, ConfigurationError

JUDGES = ("ultrarm", "auto", "sequence-classification", "likelihood", "critique", "eurus")


def test_it_is_read(adapter):
    rewards = judge_of(adapter).score(["one", "one"], ["two", "the sky"])
    assert rewards[0] != rewards[1]


@pytest.mark.parametrize("judge", JUDGES)
def test_a_base_that_cannot_be_had_is_named_with_the_way_out(adapter, judge):
    change(adapter, base_model_name_or_path="someone/base-7b")
    says = refusal(adapter, judge=judge)
    assert "trained on 'someone/base-7b', which cannot be found" in says
    assert f"pretrained=BASE,peft={adapter}" in says


def test_a_base_that_is_not_named(adapter):
    change(adapter, base_model_name_or_path=None)
    assert "names no base (base_model_name_or_path). Name the base" in refusal(adapter)


def test_two_folders_that_could_be_the_base(adapter, monkeypatch, tmp_path):
    elsewhere = tmp_path / "work"
    (elsewhere / "base").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    says = refusal(adapter)
    assert "two such folders" in says
    assert "pretrained=BASE,peft=" in says
    monkeypatch.chdir(adapter)
    judge_of(adapter)


def test_revisions_of_the_base_are_the_adapters(adapter):
    change(adapter, base_model_name_or_path="someone/base-7b", revision="v2")
    assert "someone/base-7b at revision 'v2'" in refusal(adapter)


def test_an_adapter_as_reference_of_dpo(adapter):
    change(adapter, task_type="CAUSAL_LM", modules_to_save=None)
    change_weights(adapter, **{"base_model.model.score.weight": None})
    base = adapter / "base"
    judge = judge_of(base, judge="dpo", reference=str(base), peft=str(adapter))
    (reward,) = judge.score(["one"], ["two"])
    other = judge_of(base, judge="dpo", reference=str(adapter))
    assert other.score(["one"], ["two"]) == pytest.approx([-reward], abs=1e-5)
    assert abs(reward) > 1e-3
    assert judge.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("judge", ["likelihood", "critique"])
def test_language_models_with_an_adapter(adapter, judge):
    change(adapter, task_type="CAUSAL_LM", modules_to_save=None)
    change_weights(adapter, **{"base_model.model.score.weight": None})
    limit = {"max_new_tokens": 8} if judge == "critique" else {}
    made = judge_of(adapter, judge=judge, **limit)
    assert made.settings()["base"] == str(adapter / "base")
    assert "language model" in refusal(adapter)


def test_ultrarms_head_stays_the_bases(checkpoint, adapter):
    """An adapter of a reward model with a head that transformers has not."""
    change(adapter, task_type=None, modules_to_save=None)
    change_weights(adapter, **{"base_model.model.score.weight": None})
    plain = judge_of(checkpoint).score(["one"], ["two"])
    judge = judge_of(checkpoint, peft=str(adapter))
    assert judge.name == "ultrarm"
    assert abs(judge.score(["one"], ["two"])[0] - plain[0]) > 1e-3
    network = judge.load()
    from ultrarm_eval import LlamaRewardModel

    by_hand = LlamaRewardModel.from_pretrained(checkpoint)
    weights = load_file(adapter / "adapter_model.safetensors")
    for layer in range(2):
        a, b = (weights[Q_PROJ.format(layer, part)] for part in "AB")
        by_hand.model.layers[layer].self_attn.q_proj.weight.data += 2.0 * b @ a
    ids = torch.tensor([[1, 5, 9, 4]])
    with torch.no_grad():
        assert network(ids) == pytest.approx(by_hand(ids), abs=1e-5)


def test_a_whole_model_and_an_adapter_in_one_folder(adapter):
    for path in (adapter / "base").iterdir():
        shutil.copy(path, adapter / path.name)
    says = refusal(adapter)
    assert "whether they are merged already" in says
    assert f"pretrained={adapter},peft={adapter}" in says
    both = judge_of(adapter, peft=str(adapter)).score(["one"], ["two"])
    assert both == judge_of(adapter / "base", peft=str(adapter)).score(["one"], ["two"])
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(CheckpointError, match="language model"):
        judge_of(adapter)


def test_an_adapter_on_an_adapter(adapter, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(adapter, other)
    assert "an adapter on an adapter is not supported" in refusal(adapter, peft=str(other))


def test_the_adapter_given_twice_is_given_once(adapter):
    judge = judge_of(adapter, peft=str(adapter))
    assert judge.fingerprint() == judge_of(adapter).fingerprint()


def test_what_is_named_as_adapter_and_is_none(adapter):
    base = adapter / "base"
    says = refusal(base, peft=str(base))
    assert "no adapter_config.json" in says
    assert "pretrained=DIR" in says


def test_a_revision_of_no_adapter(adapter):
    with pytest.raises(ConfigurationError, match="peft is not set.*revision=v1"):
        judge_of(adapter / "base", peft_revision="v1")


@pytest.mark.parametrize("raw", ["[]", "5", "{", "[" * 200_000, '{"base_model_name_or_path": [5]}'])
def test_a_broken_adapter_config(adapter, raw):
    (adapter / "adapter_config.json").write_text(raw)
    refusal(adapter)


def test_an_adapters_weights_alone(adapter):
    (adapter / "adapter_config.json").unlink()
    assert "its adapter_config.json, which contains their scaling, is missing" in refusal(
        adapter, judge="ultrarm"
    )


def test_an_adapters_settings_alone(adapter):
    (adapter / "adapter_model.safetensors").unlink()
    assert "no adapter weights; looked for adapter_model.safetensors" in refusal(adapter)


def test_a_full_save_that_was_not_merged_names_the_trained_head(write_model):
    folder = write_model("AutoModelForSequenceClassification", "gemma2", num_labels=1)
    path = folder / "model.safetensors"
    weights = load_file(path)
    head = weights.pop("score.weight")
    weights["score.modules_to_save.default.weight"] = head
    weights["score.original_module.weight"] = head.clone()
    save_file(weights, path, metadata={"format": "pt"})
    for judge in ("sequence-classification", "auto"):
        says = refusal(folder, judge=judge)
        assert "'score.modules_to_save.default.weight' is the trained head" in says
        assert "merge_and_unload" in says


def test_a_hub_id_that_cannot_be_had_as_adapter(adapter):
    assert "someone/adapter" in refusal(adapter / "base", peft="someone/adapter")


def test_adapter_and_base_from_the_hubs_cache(adapter, tmp_path, monkeypatch):
    """Both are hub ids whose files are cached; the hub cannot be reached."""
    rewards = judge_of(adapter).score(["one"], ["two"])
    cache = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(cache))
    # transformers 4 has read the variable when it was imported.
    monkeypatch.setattr("transformers.utils.hub.TRANSFORMERS_CACHE", str(cache), raising=False)
    into_cache(cache, "someone/base-7b", adapter / "base", commit="b" * 40)
    shutil.rmtree(adapter / "base")
    change(adapter, base_model_name_or_path="someone/base-7b")
    into_cache(cache, "someone/adapter", adapter, commit="a" * 40)
    judge = judge_of("someone/adapter")
    assert judge.score(["one"], ["two"]) == pytest.approx(rewards, abs=1e-5)
    found = judge.settings()
    assert (found["revision"], found["base_revision"]) == ("a" * 40, "b" * 40)
    apart = judge_of("someone/base-7b", peft="someone/adapter").settings()
    assert (apart["revision"], apart["peft_revision"]) == ("b" * 40, "a" * 40)


def into_cache(cache, name, folder, commit):
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        if path.is_file():
            os.link(path, snapshot / path.name)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
