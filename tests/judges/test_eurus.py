"""Eurus-RM's layout against a plain Mistral and its head."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.eurus import EurusJudge
from ultrarm_eval.text_format.template_lookup import get_template

PROMPTS = ["the question", "the question", "a word list"]
COMPLETIONS = ["the answer", "sky blue green " * 9, ""]


@pytest.fixture
def eurus(write_model):
    """A Mistral classifier whose head is renamed: Eurus-RM's names."""
    folder = write_model("AutoModelForSequenceClassification", "mistral", num_labels=1)
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["regression_head.weight"] = weights.pop("score.weight")
    save_file(weights, path, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["EurusRewardModel"]
    config["auto_map"] = {"AutoModel": "modeling_eurus_rm.EurusRewardModel"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def plain_rewards(folder, texts):
    """The backbone alone, and the head's product at the last token."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    head = weights.pop("regression_head.weight")
    model = transformers.MistralModel(transformers.MistralConfig.from_pretrained(folder)).eval()
    model.load_state_dict({key.removeprefix("model."): weight for key, weight in weights.items()})
    with torch.no_grad():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state for text in texts]
    return [(state[0, -1] @ head[0]).item() for state in states]


@pytest.mark.parametrize("batching", ["shared", "padded"])
def test_rewards_are_the_heads_products_at_the_last_token(eurus, batching):
    judge = EurusJudge(str(eurus), device="cpu", batching=batching, special_tokens="parse")
    pairs = zip(PROMPTS, COMPLETIONS, strict=True)
    texts = [f"[INST] {prompt} [/INST] {completion}" for prompt, completion in pairs]
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(plain_rewards(eurus, texts), abs=1e-5)


def test_the_templates_are_the_model_cards(eurus):
    messages = [{"role": "user", "content": "q"}]
    assert get_template("mistral").render(messages, "a") == "[INST] q [/INST] a"
    assert get_template("eurus-card").render(messages, "a") == r"[INST] q [\INST] a"
    assert EurusJudge(str(eurus)).settings()["template"] == "mistral"


def test_a_classifier_is_refused_and_its_judge_named(write_model):
    folder = write_model("AutoModelForSequenceClassification", "mistral", num_labels=1)
    with pytest.raises(CheckpointError, match=r"lack 'regression_head.weight'.*judge=sequence-cl"):
        EurusJudge(str(folder))
