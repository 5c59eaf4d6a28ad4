"""`--model reward-model --model_args judge=NAME,pretrained=DIR` with every judge."""

import json
import shutil

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval.lm_eval_plugin.reward_lm import AnyRewardModelLM, RewardModelLM

CLASSIFIER, LANGUAGE_MODEL = "AutoModelForSequenceClassification", "AutoModelForCausalLM"


@pytest.fixture
def pairs(tmp_path):
    rows = [raw_row(instruction=f"p{i}", answers=(("the sky", 5), (f"{i}", 1))) for i in range(6)]
    return str(write_jsonl(tmp_path / "pairs.jsonl", rows))


def evaluated(run, pairs, **model_args):
    results = run(
        "reward-model", ["ultrafeedback_pairs"], {"data": pairs}, model_args=dict(model_args)
    )
    assert 0 <= results["results"]["ultrafeedback_pairs"]["acc,none"] <= 1
    return json.loads(json.dumps(results["config"], default=str))


def test_sequence_classification_and_auto(run, pairs, write_model):  # noqa: F811
    folder = str(write_model(CLASSIFIER, "qwen2", num_labels=1))
    for judge in ("sequence-classification", "auto"):
        config = evaluated(run, pairs, judge=judge, pretrained=folder)
        assert (config["judge"], config["template"]) == ("sequence-classification", "chat")


def test_likelihood_and_dpo(run, pairs, write_model):  # noqa: F811
    model = str(write_model(LANGUAGE_MODEL, "llama"))
    config = evaluated(run, pairs, judge="likelihood", pretrained=model, reduction="sum")
    assert (config["judge"], config["reduction"]) == ("likelihood", "sum")
    config = evaluated(run, pairs, judge="dpo", pretrained=model, reference=model, beta=0.1)
    assert (config["judge"], config["reference"], config["beta"]) == ("dpo", model, 0.1)


def test_eurus(run, pairs, checkpoint, tmp_path):
    folder = tmp_path / "eurus"
    shutil.copytree(checkpoint, folder)
    # The layouts differ in the backbone alone, and this Llama's fits a Mistral without a window.
    values = json.loads((folder / "config.json").read_text())
    values |= {"model_type": "mistral", "sliding_window": None, "architectures": ["EurusRM"]}
    (folder / "config.json").write_text(json.dumps(values))
    for judge in ("eurus", "auto"):
        config = evaluated(run, pairs, judge=judge, pretrained=str(folder))
        assert (config["judge"], config["template"]) == ("eurus", "mistral")


def test_critique(run, pairs, write_model, monkeypatch):  # noqa: F811
    from ultrarm_eval.engine.generation_runner import GenerationRunner

    def longer_is_better(self, text):
        return (f"{min(10.0, len(text) / 100)}",)

    monkeypatch.setattr(GenerationRunner, "write", longer_is_better)
    model = str(write_model(LANGUAGE_MODEL, "llama", max_position_embeddings=2048))
    config = evaluated(run, pairs, judge="critique", pretrained=model, samples=2)
    assert (config["judge"], config["samples"], config["temperature"]) == ("critique", 2, 1.0)


def test_a_misspelt_setting_of_a_judge_is_named(write_model):  # noqa: F811
    from ultrarm_eval.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"'refrence'. Did you mean 'reference'.*template"):
        RewardModelLM(judge="dpo", pretrained="x", refrence="y")


def test_a_judge_without_a_checkpoint_is_told_so(write_model):  # noqa: F811
    from ultrarm_eval.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="pretrained=DIR"):
        RewardModelLM(judge="likelihood")


def test_without_a_judge_reward_model_looks_at_the_checkpoint_and_ultrarm_does_not(
    write_model,  # noqa: F811
    checkpoint,
):
    from ultrarm_eval.errors import CheckpointError

    folder = str(write_model(CLASSIFIER, "llama", num_labels=1))
    assert AnyRewardModelLM(pretrained=folder, device="cpu").judge_name == "sequence-classification"
    assert AnyRewardModelLM(pretrained=str(checkpoint), device="cpu").judge_name == "ultrarm"
    with pytest.raises(CheckpointError, match="lack 'regression_head.weight'"):
        RewardModelLM(pretrained=folder, device="cpu")
    with pytest.raises(CheckpointError, match="not a local folder"):
        AnyRewardModelLM(pretrained="nobody/nothing-here", device="cpu")


def test_completions_without_a_readable_critique_are_left_out_and_counted(
    run,
    tmp_path,
    write_model,  # noqa: F811
    monkeypatch,
):
    from ultrarm_eval.engine.generation_runner import GenerationRunner

    rows = [
        raw_row(instruction=f"p{i}", answers=((f"good {i}", 5), (f"fair {i}", 3), (f"bad {i}", 1)))
        for i in range(3)
    ]
    path = write_jsonl(tmp_path / "data.jsonl", rows)
    model = str(write_model(LANGUAGE_MODEL, "llama", max_position_embeddings=2048))
    args = {"judge": "critique", "pretrained": model}

    def write(self, tokens):
        # The prompt ends in the answer: which of them it is decides.
        text = self._tokenizer.decode(list(tokens))
        scores = {
            "good 0": 9.0,
            "fair 0": None,
            "bad 0": 2.0,
            "good 1": None,
            "fair 1": 3.0,
            "bad 1": None,
        }
        score = next((s for name, s in scores.items() if name in text), 5.0)
        return (f"{score}",)

    monkeypatch.setattr(GenerationRunner, "write", write)
    results = run("reward-model", ["ultrafeedback_pairs"], {"data": str(path)}, model_args=args)
    first, second, third = results["samples"]["ultrafeedback_pairs"]
    # Good against bad alone; one completion is no pair; equal scores are ties.
    assert (first["acc"], first["acc_pairs"]) == (1.0, (1.0, 1))
    assert second["acc"] is None
    assert (third["acc"], third["tie_rate"]) == (0.5, 1.0)
    assert results["results"]["ultrafeedback_pairs"]["acc,none"] == 0.75
    metadata = results["configs"]["ultrafeedback_pairs"]["metadata"]
    assert (metadata["completions_without_score"], metadata["documents_without_score"]) == (3, 1)
    assert results["config"]["judge_counts"]["unreadable"] == 3
    assert first["judged"] == [
        {"reward": 9.0, "critiques": ["9.0"], "scores": [9.0]},
        {"reward": None, "critiques": ["None"], "scores": [None]},
        {"reward": 2.0, "critiques": ["2.0"], "scores": [2.0]},
    ]
