"""Heads that are missing, duplicated, of another shape or NaN are refused before loading."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints import model_loading
from ultrarm_eval.errors import CheckpointError

CLASSIFIER = "AutoModelForSequenceClassification"
#: By the judge: the family, the class that config.json names, and its head.
KINDS = {
    "ultrarm": ("llama", "LlamaRewardModel", "regression_head.weight"),
    "eurus": ("mistral", "EurusRewardModel", "regression_head.weight"),
    "sequence-classification": ("qwen2", "Qwen2ForSequenceClassification", "score.weight"),
    "another family": ("gemma2", "Gemma2ForSequenceClassification", "score.weight"),
}


@pytest.fixture(params=KINDS)
def refusal(request, write_model, monkeypatch):
    """Alters the weights of a checkpoint, and gives what the judge says; and its head's name."""
    family, name, head = KINDS[request.param]
    judge = "sequence-classification" if request.param == "another family" else request.param
    folder = write_model(CLASSIFIER, family, num_labels=1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": [name]}))
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights[head] = weights.pop("score.weight")

    def loads(*_, **__):
        pytest.fail("weights were loaded")

    def refused(alter):
        altered = {key: weight.clone() for key, weight in weights.items()}
        alter(altered)
        save_file(altered, path, metadata={"format": "pt"})
        monkeypatch.setattr(model_loading, "_loaded", loads)
        with pytest.raises(CheckpointError) as error:
            load_judge(str(folder), judge=judge, device="cpu")
        return str(error.value)

    return refused, head


def test_a_missing_head(refusal):
    refused, head = refusal
    assert f"lack {head!r}" in refused(lambda weights: weights.pop(head))


@pytest.mark.few(3)
@pytest.mark.parametrize("shape", [(1, 31), (2, 32)])
def test_a_head_of_another_shape(refusal, shape):
    refused, head = refusal
    said = refused(lambda weights: weights.update({head: torch.ones(shape)}))
    assert head in said
    assert str(list(shape)) in said


@pytest.mark.few(3)
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_head_with_a_number_that_is_none(refusal, value):
    refused, head = refusal

    def alter(weights):
        weights[head][0, 5] = value

    assert f"{head!r} is not finite: 1 of 32 numbers, the first at [0, 5]" in refused(alter)


@pytest.mark.few(4)
@pytest.mark.parametrize("second", ["v_head.weight", "value_head.weight", "gating.logit_scale"])
def test_two_heads(refusal, second):
    refused, head = refusal
    said = refused(lambda weights: weights.update({second: torch.ones(1, 32)}))
    assert f"{second!r} looks like a second head in addition to {head!r}" in said
