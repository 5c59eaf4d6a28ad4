"""Refusals name a judge only where that judge takes the checkpoint."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"
JUDGES = (
    "ultrarm",
    "eurus",
    "sequence-classification",
    "likelihood",
    "dpo",
    "critique",
    "openrlhf",
    "athene",
    "beaver",
    "qwen2-reward",
    "token-logit",
    "auto",
)
#: What is written, its family, the class of its config.json, and what becomes of its weights.
CASES = {
    "openrlhf": (CLASSIFIER, "llama", "RewardModel", {}),
    "openrlhf value head": (CLASSIFIER, "llama", "RewardModel", {"score": "value_head"}),
    "athene": (
        CLASSIFIER,
        "llama",
        "CustomAutoModelForSequenceClassification",
        {"score": "v_head"},
    ),
    "beaver": (CLASSIFIER, "llama", "LlamaForScore", {"score": "score_head"}),
    "armo": (CLASSIFIER, "llama", "LlamaForRewardModelWithGating", {"score": "regression_layer"}),
    "qwen math": (CLASSIFIER, "qwen2", "Qwen2ForRewardModel", {"score": "score.0"}),
    "unknown class": (CLASSIFIER, "llama", "SomethingElse", {}),
    "unknown class of a family": (CLASSIFIER, "gemma2", "Gemma2ForQuality", {}),
    "language model": (LANGUAGE_MODEL, "llama", "LlamaForCausalLM", {}),
    "language model called reward": (LANGUAGE_MODEL, "llama", "LlamaForCausalLM", {}),
    "classifier": (CLASSIFIER, "qwen2", "Qwen2ForSequenceClassification", {}),
    "classifier without a class": (CLASSIFIER, "qwen2", None, {}),
    "ultrarm": (CLASSIFIER, "llama", "LlamaRewardModel", {"score": "regression_head"}),
    "eurus": (CLASSIFIER, "mistral", "EurusRewardModel", {"score": "regression_head"}),
    "regression head elsewhere": (CLASSIFIER, "gemma2", None, {"score": "regression_head"}),
}


@pytest.fixture
def make(write_model):
    def write(case):
        auto, family, name, renamed = CASES[case]
        called = "llama-reward" if "called reward" in case else "model"
        folder = write_model(auto, family, num_labels=1, name=called)
        path = folder / "config.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text()), "architectures": name and [name]})
        )
        path = folder / "model.safetensors"
        weights = load_file(path)
        for old, new in renamed.items():
            weights[f"{new}.weight"] = weights.pop(f"{old}.weight")
        if case.startswith("openrlhf"):
            weights |= {"mean": torch.zeros(1), "std": torch.ones(1)}
        save_file(weights, path, metadata={"format": "pt"})
        return folder

    return write


def refusal(folder, judge):
    """What a judge says instead of taking a checkpoint; None where it takes it."""
    settings = {"reference": str(folder)} if judge == "dpo" else {}
    settings |= {"max_new_tokens": 8} if judge == "critique" else {}
    try:
        load_judge(str(folder), judge=judge, device="cpu", **settings)
    except CheckpointError as error:
        return str(error)
    return None


#: One that a judge of its own reads, one that only a class of transformers does, and none.
QUICK = ("openrlhf", "classifier", "unknown class")


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES]
)
def test_following_the_advice_leads_to_a_judge_and_not_back(make, case):
    folder = make(case)
    said = {judge: refusal(folder, judge) for judge in JUDGES}
    for judge, message in said.items():
        # "judge=auto does not" speaks of it and does not advise it.
        advised = re.findall(r"judge=([a-z-]+)(?! does)\b", message or "")
        for other in {one for one in advised if one not in ("auto", judge)}:
            assert said[other] is None, (judge, message, other, said[other])
    takers = [judge for judge, message in said.items() if message is None]
    if not takers:
        assert all("No judge of this package" in m or "no judge here" in m or "would be" in m for m in said.values()), said  # fmt: skip
    elif case != "language model called reward":
        assert all(m is None or "judge=" in m for m in said.values()), said


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("armo", "ArmoRM"),
        ("qwen math", r"lack 'score.0.bias', 'score.2.bias', 'score.2.weight'"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(make, case, said):
    folder = make(case)
    for judge in ("auto", "sequence-classification", "likelihood"):
        message = refusal(folder, judge)
        assert re.search(said, message), (judge, message)
        assert "judge=likelihood" not in message


def test_a_language_model_called_a_reward_model_is_not_sent_to_likelihood(make):
    message = refusal(make("language model called reward"), "auto")
    assert "judge=token-logit" in message
    assert "judge=likelihood" not in message
