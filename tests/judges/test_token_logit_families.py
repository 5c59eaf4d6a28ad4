"""A token's logit under families that run through their own forward pass."""

import pytest
import torch

from ultrarm_eval import load_judge

PROMPTS, ANSWERS = ["what is blue", "what is blue", None], ["the sky", "green", "a word"]


@pytest.mark.product
@pytest.mark.parametrize("family", ["gemma2", "gpt_neox"])
@pytest.mark.parametrize("contrast", [None, "9"])
def test_other_families_run_through_their_own_forward_pass(write_model, family, contrast):
    from transformers import AutoModelForCausalLM

    folder = write_model("AutoModelForCausalLM", family)
    judge = load_judge(str(folder), judge="token-logit", token=7, contrast=contrast, device="cpu")
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    found = judge.score(PROMPTS, ANSWERS)
    for prompt, answer, reward in zip(PROMPTS, ANSWERS, found, strict=True):
        ids = list(judge.encoded(prompt, answer))
        with torch.no_grad():
            last = model(input_ids=torch.tensor([ids])).logits[0, -1]
        expected = last[7] - (0 if contrast is None else last[9])
        assert reward == pytest.approx(float(expected), abs=1e-5)
    assert found == pytest.approx(judge.score_one_at_a_time(PROMPTS, ANSWERS), abs=1e-5)
