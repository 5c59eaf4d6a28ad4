"""GRM: a value head of one or more layers beside a language model."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.reward_models.as_published import (
    TEXTS,
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    variants,
)
from tests.reward_models.published import grm
from tests.reward_models.tiny.weights import below, hidden_states, read_config, read_weights
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.auto import recognise

VARIANTS = variants(grm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return grm.build(tmp_path_factory.mktemp("grm"), **VARIANTS[request.param])


class TestGRM(AsPublished):
    module, judge, head = grm, "grm", "v_head.summary.2.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = grm, "grm", "v_head.summary.2.weight", "value_head.weight"


class TestLinearHead(HeadRefusals):
    """The bias of a linear head is one of its weights."""

    module = SimpleNamespace(build=lambda folder: grm.build(folder, head="linear"))
    judge, head, second = "grm", "v_head.summary.weight", "value_head.weight"


def trained_on(folder, **changed):
    """What GRM-*-rewardmodel-ft are: a classifier whose files keep the value head from before."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights |= {"score.weight": torch.randn(1, 16, generator=torch.Generator().manual_seed(3))}
    save_file(weights | changed, path, metadata={"format": "pt"})
    path = folder / "config.json"
    said = json.loads(path.read_text())
    said |= {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    said.pop("auto_map")
    path.write_text(json.dumps(said))
    return folder


def test_a_model_that_was_trained_on_is_read_by_its_classifier(tmp_path):
    folder = trained_on(grm.build(tmp_path / "checkpoint"))
    assert recognise(str(folder)) == "sequence-classification"
    prompts, completions = map(list, zip(*TEXTS, strict=True))
    tensors = read_weights(folder)
    states = [
        hidden_states(
            read_config(folder), below("model.", tensors), grm.text_ids(folder, prompt, completion)
        )
        for prompt, completion in TEXTS
    ]
    expected = [float(tensors["score.weight"][0] @ one[-1]) for one in states]
    assert judge_of(folder).score(prompts, completions) == [equal(one) for one in expected]


def test_another_head_beside_a_classifier_is_no_remainder(tmp_path):
    folder = trained_on(grm.build(tmp_path / "checkpoint"), **{"v_head.weight": torch.ones(1, 16)})
    with pytest.raises(CheckpointError, match=r"v_head\.weight"):
        judge_of(folder)


def test_a_value_head_without_a_classifier_is_no_remainder(tmp_path):
    folder = trained_on(grm.build(tmp_path / "checkpoint"))
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["score.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"score\.weight"):
        judge_of(folder, "sequence-classification")
