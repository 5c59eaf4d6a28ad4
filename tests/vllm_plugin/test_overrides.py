"""What vLLM is told about a checkpoint, and that it opens the same checkpoint by it."""

import json
from types import SimpleNamespace

import pytest
import torch

from tests.reward_models.published import (
    armorm,
    beaver,
    grm,
    internlm2_reward,
    ldl,
    openrlhf,
    qwen2_reward,
    sequence_classification,
    urm,
)
from ultrarm_eval.checkpoints.checkpoint import open_surveyed
from ultrarm_eval.checkpoints.converted_decoder import ConvertedDecoder
from ultrarm_eval.checkpoints.known_kinds import recognised
from ultrarm_eval.checkpoints.named_head import NamedHead
from ultrarm_eval.checkpoints.scalar_decoder import ULTRARM
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.reward_models.openrlhf import OpenRLHF
from ultrarm_eval.vllm_plugin.classes import KIND, REWARD_MODEL
from ultrarm_eval.vllm_plugin.overrides import overrides_for
from ultrarm_eval.vllm_plugin.served_checkpoint import opened_checkpoint
from ultrarm_eval.vllm_plugin.weight_stream import (
    HEAD,
    head_in_further_files,
    renamed_stream,
    weight_sources,
)

RAW = {"num_labels": 1, "problem_type": "regression"}


def opened(folder, kind=None):
    survey = Survey(str(folder))
    return open_surveyed(survey, kind or next(iter(recognised(survey).values())))


def as_told(folder, overrides):
    """The checkpoint as vLLM's processes open it, told by JSON."""
    told = json.loads(json.dumps(overrides))
    config = SimpleNamespace(
        model_type=json.loads((folder / "config.json").read_text())["model_type"], **told
    )
    return opened_checkpoint(
        SimpleNamespace(model=str(folder), revision=None, hf_config=config, hf_text_config=config)
    )


def test_ultrarm(checkpoint):
    told = overrides_for(opened(checkpoint, ULTRARM), "ultrarm")
    assert told == {"architectures": [REWARD_MODEL], KIND: {"judge": "ultrarm"}, **RAW}
    assert as_told(checkpoint, told).architecture is ULTRARM
    # A class that config.json names says it, too.
    assert as_told(checkpoint, {}).architecture is ULTRARM


def test_a_named_head_is_told_with_its_name(tmp_path):
    folder = grm.build(tmp_path / "grm")
    config = json.loads((folder / "config.json").read_text())
    for key in ("auto_map", "vhead_layer_type"):
        config.pop(key, None)
    (folder / "config.json").write_text(json.dumps(config))
    told = overrides_for(opened(folder, NamedHead("v_head")), "value-head")
    assert told[KIND] == {"judge": "value-head", "head": "v_head"}
    again = as_told(folder, told)
    assert again.weight_map == opened(folder, NamedHead("v_head")).weight_map


def test_settings_of_a_kind_are_told(tmp_path):
    folder = openrlhf.build(tmp_path / "openrlhf", **openrlhf.VARIANTS["older"])
    told = overrides_for(opened(folder, OpenRLHF(normalize=True)), "openrlhf")
    assert told[KIND] == {"judge": "openrlhf", "normalize": True}
    head = as_told(folder, told).network.reward_head
    assert type(head).__name__ == "NormalizedHead"
    assert KIND in overrides_for(opened(folder), "openrlhf")
    assert overrides_for(opened(folder), "openrlhf")[KIND] == {"judge": "openrlhf"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("grm", "must be an object such as"),
        ({"head": "v_head"}, "must be an object such as"),
        ({"judge": "ultrarn"}, "ultrarm"),
        ({"judge": "critic", "x": 1}, "critic"),
        ({"judge": "value-head", "name": "v_head"}, "does not accept name"),
    ],
)
def test_a_kind_that_is_said_wrong_is_refused(checkpoint, said, message):
    with pytest.raises(ConfigurationError, match=message):
        as_told(checkpoint, {KIND: said})


def test_what_vllm_cannot_serve_is_refused(tmp_path):
    folder = armorm.build(tmp_path / "armorm")
    with pytest.raises(CheckpointError, match="a gate at the end of the prompt"):
        overrides_for(opened(folder), "armorm")
    with pytest.raises(CheckpointError, match="a gate at the end of the prompt"):
        as_told(folder, {KIND: {"judge": "armorm"}})
    other = internlm2_reward.build(tmp_path / "internlm2")
    with pytest.raises(
        CheckpointError, match="'internlm2' model, which this package treats as 'llama'"
    ):
        overrides_for(opened(other), "internlm2-reward")


BUILT = {
    "beaver": (beaver, {}),
    "grm": (grm, {}),
    "ldl": (ldl, {}),
    "openrlhf": (openrlhf, {}),
    "qwen2-reward": (qwen2_reward, {}),
    "urm": (urm, {}),
}


def stored_of(checkpoint):
    """The stored weights as a loader hands them out, the files' own names; not further files."""
    reader = checkpoint.reader()
    for key in sorted(checkpoint.weights.keys - checkpoint.weights.further.keys()):
        yield key, reader.stored(key)


@pytest.mark.few(3)
@pytest.mark.parametrize("judge", BUILT)
def test_body_and_head_are_named_as_transformers_and_the_head_name_them(judge, tmp_path):
    from transformers import AutoModelForCausalLM

    module, how = BUILT[judge]
    folder = module.build(tmp_path / judge, **how)
    checkpoint = as_told(folder, overrides_for(opened(folder), judge))
    found = dict(renamed_stream(stored_of(checkpoint), weight_sources(checkpoint)))
    body = {name: weight for name, weight in found.items() if not name.startswith(HEAD)}
    with torch.device("meta"):
        causal = AutoModelForCausalLM.from_config(checkpoint.config)
    wanted = {
        name: weight.shape
        for name, weight in causal.named_parameters()
        if not name.startswith("lm_head")
    }
    assert {name: weight.shape for name, weight in body.items()} == wanted

    head = checkpoint.network.reward_head.to_empty(device="cpu")
    own = {name.removeprefix(HEAD): w for name, w in found.items() if name.startswith(HEAD)}
    own |= head_in_further_files(checkpoint)
    head.load_state_dict(own, strict=True)
    hidden = torch.randn(3, checkpoint.config.hidden_size)
    rewards = checkpoint.architecture.at_last_token(head)(hidden)
    assert rewards.shape == (3, 1)
    if judge in ("urm", "ldl"):
        shown, weighed, weights = head(hidden).unflatten(-1, (3, -1)).unbind(1)
        assert torch.equal(shown, weighed)
        torch.testing.assert_close(rewards[:, 0], torch.einsum("ti,ti->t", weighed, weights))
    else:
        assert torch.equal(rewards, head(hidden))


def test_a_checkpoint_of_no_kind_is_refused_with_what_to_say(tmp_path):
    folder = grm.build(tmp_path / "grm")
    config = json.loads((folder / "config.json").read_text())
    for key in ("auto_map", "vhead_layer_type"):
        config.pop(key, None)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="no supported type of reward model.*--hf-overrides"):
        as_told(folder, {})


def test_what_vllm_has_itself_is_told_to_be_raw_alone(tmp_path):
    folder = sequence_classification.build(tmp_path / "classifier")
    assert overrides_for(opened(folder), "sequence-classification") == RAW
    converted = opened(folder, ConvertedDecoder())
    assert overrides_for(converted, "sequence-classification") == RAW


@pytest.mark.skipif(
    "gemma3" not in sequence_classification.VARIANTS, reason="transformers 4 has no gemma3_text"
)
def test_a_part_of_a_model_of_texts_and_images_is_refused(tmp_path):
    how = sequence_classification.VARIANTS["gemma3"]
    folder = sequence_classification.build(tmp_path / "gemma3", **how)
    with pytest.raises(ConfigurationError, match="a multimodal model whose text part scores"):
        overrides_for(opened(folder), "sequence-classification")
