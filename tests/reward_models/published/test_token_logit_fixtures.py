"""The token-logit checkpoint is one that tells its reading from the wrong ones."""

from __future__ import annotations

import pytest

from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published import token_logit

PROMPT, ANSWERS = "What is blue?", ("The sky.", "Grass, of course.", "")
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def folder(request, tmp_path_factory):
    return token_logit.build(tmp_path_factory.mktemp("token-logit"), tied=request.param)


def test_the_logits_are_those_of_the_stock_causal_model(folder):
    import torch
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for answer in ANSWERS:
        ids = token_logit.text_ids(folder, PROMPT, answer)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        assert token_logit.reference(folder, ids).reward == pytest.approx(
            float(logits[-1, 0]), abs=1e-5
        )


def test_a_text_has_one_bos_and_ends_with_the_end_of_turn(folder):
    tokenizer = tokenizers.load(folder)
    ids = token_logit.text_ids(folder, TURNS, ANSWERS[0])
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids).endswith(
        "<|start_header_id|>assistant<|end_header_id|>\n\nThe sky.<|eot_id|>"
    )


def test_rewards_differ_between_texts(folder):
    def rewards(prompt):
        return [
            token_logit.reference(folder, token_logit.text_ids(folder, prompt, answer)).reward
            for answer in ANSWERS
        ]

    alone, with_system = rewards(PROMPT), rewards(TURNS)
    for found in (alone, with_system):
        assert min(abs(a - b) for i, a in enumerate(found) for b in found[:i]) > 0.1
    assert min(abs(a - b) for a, b in zip(alone, with_system, strict=True)) > 0.05


@pytest.mark.parametrize("name", token_logit.MUTATIONS)
def test_a_wrong_reading_is_seen(folder, name):
    rows = [token_logit.text_ids(folder, PROMPT, answer) for answer in ANSWERS]
    apart = [
        abs(token_logit.MUTATIONS[name](folder, row) - token_logit.reference(folder, row).reward)
        for row in rows
    ]
    tied = files.load_config(folder)["tie_word_embeddings"]
    without_effect = token_logit.WITHOUT_EFFECT["tied"] if tied else set()
    assert (max(apart) > 1e-3) == (name not in without_effect)


def test_the_contrast_reads_the_generation_prompt(folder):
    rewards = []
    for answer in ANSWERS:
        ids = token_logit.contrast_ids(folder, PROMPT, answer)
        rewards.append(token_logit.contrast_reference(folder, ids).reward)
        swapped = token_logit.contrast_reference(folder, ids, ("No", "Yes")).reward
        assert swapped == -rewards[-1]
        without = token_logit.text_ids(folder, PROMPT, answer)
        assert abs(token_logit.contrast_reference(folder, without).reward - rewards[-1]) > 1e-3
    assert min(abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]) > 0.1
