"""Tiny sequence classifiers of every family: equal to the stock model, wrong readings are seen."""

from __future__ import annotations

import pytest
import torch

from tests.reward_models import tiny_weights as files
from tests.reward_models.published import sequence_classification as kind

CASES = {"": {}, **kind.VARIANTS}


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name or "gemma2")
def built(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "checkpoint"
    return request.param, kind.build(folder, **CASES[request.param])


@pytest.fixture(scope="module")
def rows(built):
    return [kind.text_ids(built[1], *text) for text in kind.TEXTS]


@pytest.fixture(scope="module")
def rewards(built, rows):
    return [kind.reference(built[1], row).reward for row in rows]


def test_rewards_differ(rewards):
    assert min(abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]) > 0.1


def test_the_stock_classifier_gives_the_same(built, rows, rewards):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    # transformers 5 raises for one label with the loss of several; it changes no logit.
    written = files.load_config(built[1]) | {"problem_type": None, "num_labels": 1}
    config = AutoConfig.for_model(**written)
    model = AutoModelForSequenceClassification.from_pretrained(
        built[1], config=config, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    for row, reward in zip(rows, rewards, strict=True):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row])).logits
        assert reward == pytest.approx(float(logits[0, 0]), abs=1e-5)


def test_every_wrong_reading_is_seen_where_it_is_wrong(built, rows, rewards):
    apart = {
        name: max(abs(wrong(built[1], r) - right) for r, right in zip(rows, rewards, strict=True))
        for name, wrong in kind.MUTATIONS.items()
    }
    assert {n for n, by in apart.items() if by <= 1e-3} == kind.WITHOUT_EFFECT[built[0]], apart


def test_config_and_head_are_those_of_one_label(built):
    name, folder = built
    config, weights = files.load_config(folder), files.load_weights(folder)
    head = (
        "classifier.weight"
        if kind.FAMILIES[config["model_type"].replace("-", "_")].encoder
        else "score.weight"
    )
    assert weights[head].shape == (1, 32)
    assert (config.get("id2label") == {"0": "LABEL_0"}) == (name != "no_labels")
    assert config["architectures"][0].endswith("ForSequenceClassification")


def test_auto_tokenizer_reads_the_config_first(built, rows):
    from transformers import AutoTokenizer, __version__

    if built[0] == "problem_type" and not __version__.startswith("4."):
        with pytest.raises(ValueError, match="problem_type"):
            AutoTokenizer.from_pretrained(built[1])
        return
    tokenizer = AutoTokenizer.from_pretrained(built[1])
    for row in rows:
        assert tokenizer(tokenizer.decode(row), add_special_tokens=False)["input_ids"] == row


@pytest.mark.skipif("gemma3" not in kind.VARIANTS, reason="transformers 4 has no gemma3_text")
def test_composites_carry_their_vision_weights(tmp_path):
    for family, prefix in (("gemma3", "vision_tower."), ("qwen3_5", "model.visual.")):
        weights = files.load_weights(kind.build(tmp_path / family, family=family))
        assert any(name.startswith(prefix) for name in weights), list(weights)
