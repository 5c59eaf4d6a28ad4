"""Weights that a judge's network would not read, in every family."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.unread_weights import refuse_unread
from ultrarm_eval.errors import CheckpointError

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"
SMALL_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
FAMILIES = {"llama": {}, "gemma2": {}, "gpt2": SMALL_GPT2}
SMALL_NEO = {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]}
OTHERS = {
    "gpt_neo": SMALL_NEO,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "albert": {"embedding_size": 16},
    "modernbert": {"cls_token_id": 1, "sep_token_id": 2, "pad_token_id": 0},
}
#: Further weights, and what the refusal has to say beside their names.
UNREAD = {
    "score.bias": "does not use",
    "v_head.weight": "value head",
    "regression_layer.weight": "several objectives",
    "gating.layers.0.weight": "gate",
    "score2.weight": "does not use",
    "model.layers.0.self_attn.q_proj.lora_A.default.weight": "merge_and_unload",
    "score.modules_to_save.default.weight": r"'score\.modules_to_save\.default\.weight' is the tra",
}


def with_weights(folder, change):
    path = folder / "model.safetensors"
    weights = change(load_file(path))
    save_file(weights, path, metadata={"format": "pt"})
    return folder


def judge_of(folder, judge="sequence-classification", **settings):
    return load_judge(str(folder), judge=judge, device="cpu", **settings)


@pytest.mark.product
@pytest.mark.parametrize("key", list(UNREAD))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_classifier_with_unread_weights_is_refused(write_model, family, key):
    folder = write_model(CLASSIFIER, family, num_labels=1, **FAMILIES[family])
    with_weights(folder, lambda weights: {**weights, key: torch.ones(1, 32)})
    with pytest.raises(CheckpointError, match=UNREAD[key]) as error:
        judge_of(folder)
    assert key in str(error.value)


@pytest.mark.product
@pytest.mark.parametrize("judge", ["likelihood", "dpo", "critique"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_language_model_with_unread_weights_is_refused(write_model, family, judge):
    settings = {"reference": ""} if judge == "dpo" else {}
    folder = write_model(LANGUAGE_MODEL, family, **FAMILIES[family])
    sound = write_model(LANGUAGE_MODEL, family, name="sound", **FAMILIES[family])
    with_weights(folder, lambda weights: {**weights, "v_head.summary.weight": torch.ones(1, 32)})
    settings = {name: str(sound) for name in settings}
    with pytest.raises(CheckpointError, match=r"v_head\.summary\.weight"):
        judge_of(folder, judge, **settings)
    if judge == "dpo":
        with pytest.raises(CheckpointError, match=r"v_head\.summary\.weight"):
            judge_of(sound, judge, reference=str(folder))


def test_weights_under_other_names_are_known_once_they_are_loaded(write_model):
    # A body saved by itself: transformers puts its prefix before the names.
    folder = write_model(LANGUAGE_MODEL, "gpt2", **SMALL_GPT2)
    bare = lambda weights: {k.removeprefix("transformer."): w for k, w in weights.items()}  # noqa: E731
    expected = judge_of(folder, "likelihood").score(["q"], ["the sky"])
    with_weights(folder, bare)
    rewards = judge_of(folder, "likelihood").score(["q"], ["the sky"])
    assert rewards == pytest.approx(expected, abs=1e-5)
    with_weights(folder, lambda weights: {**weights, "second.weight": torch.ones(1, 32)})
    with pytest.raises(CheckpointError, match=r"does not use.*second\.weight"):
        judge_of(folder, "likelihood")


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"),
        ("llama", "lm_head.weight"),
        ("gemma2", "lm_head.weight"),
        ("gpt2", "transformer.h.0.attn.bias"),
        ("gpt2", "transformer.h.0.attn.masked_bias"),
        ("gpt_neo", "transformer.h.0.attn.attention.bias"),
        ("gpt_neox", "embed_out.weight"),
        ("bert", "bert.embeddings.token_type_ids"),
        ("bert", "cls.predictions.bias"),
        ("roberta", "roberta.pooler.dense.weight"),
        ("roberta", "lm_head.decoder.bias"),
        ("distilbert", "vocab_projector.bias"),
        ("albert", "sop_classifier.classifier.weight"),
        ("modernbert", "decoder.bias"),
    ],
)
def test_what_plays_no_part_in_a_reward_is_accepted(write_model, family, key):
    folder = write_model(CLASSIFIER, family, num_labels=1, **{**FAMILIES, **OTHERS}.get(family, {}))
    expected = judge_of(folder).score(["q"], ["the sky"])
    with_weights(folder, lambda weights: {**weights, key: torch.ones(4)})
    assert judge_of(folder).score(["q"], ["the sky"]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.product
@pytest.mark.parametrize(
    ("key", "shape"),
    [("lm_head.weight", (1, 32)), ("lm_head.weight", (19, 32)), ("lm_head.1.weight", (400, 32))],
)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_second_head_with_the_name_of_a_language_head_is_refused(write_model, family, key, shape):
    folder = write_model(CLASSIFIER, family, num_labels=1, **FAMILIES.get(family, {}))
    with_weights(folder, lambda weights: {**weights, key: torch.ones(shape)})
    with pytest.raises(CheckpointError, match="does not use") as error:
        judge_of(folder)
    assert f"'{key}'" in str(error.value)


@pytest.mark.parametrize("key", ["score.bias", "gating.weight", "second.weight"])
def test_a_quantised_checkpoint_is_no_way_around(key):
    keys = {"score.weight", "model.layers.0.mlp.up_proj.weight.absmax", "score.weight.absmax"}
    network = torch.nn.Module()
    network.base_model_prefix = "model"
    network.score = torch.nn.Linear(2, 1, bias=False)
    refuse_unread("NAME", network, keys, {}, is_quantized=True)
    with pytest.raises(CheckpointError, match=rf"does not use.*'{key}'"):
        refuse_unread("NAME", network, {*keys, key}, {}, is_quantized=True)


@pytest.mark.product
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("pickled", [False, True])
def test_a_head_that_is_no_real_number_is_refused(write_model, family, dtype, pickled):
    folder = write_model(CLASSIFIER, family, num_labels=1, **FAMILIES[family])
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = weights["score.weight"].to(dtype)
    (folder / "model.safetensors").unlink()
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        try:
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        except (KeyError, ValueError):
            pytest.skip("this version of safetensors writes no complex numbers")
    with pytest.raises(CheckpointError, match=r"score\.weight.*real floating-point"):
        judge_of(folder)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_head_of_another_size_is_named_with_both_shapes(write_model, family):
    folder = write_model(CLASSIFIER, family, num_labels=1, **FAMILIES[family])
    with_weights(folder, lambda weights: {**weights, "score.weight": torch.ones(5, 32)})
    with pytest.raises(CheckpointError, match=r"score\.weight.*\[5, 32\].*\[1, 32\]"):
        judge_of(folder)


def test_the_index_is_no_way_around(checkpoint, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    path = folder / "pytorch_model.bin.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["gating.weight"] = "pytorch_model-00001-of-00003.bin"
    path.write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"gating\.weight"):
        judge_of(folder, "ultrarm")
