"""1,000 real pairs through the harness equal the published tutorial's loop."""

import json

import pytest
import torch

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer


def tutorials_rewards(folder, texts):
    """One text at a time, with the tokenizer's own ids."""
    tokenizer = load_tokenizer(open_checkpoint(str(folder))).tokenizer
    tokenizer.truncation_side = "left"
    model = LlamaRewardModel.from_pretrained(folder).eval()
    rewards = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            rewards.append(model(**inputs).item())
    return rewards


@pytest.mark.slow
@pytest.mark.parametrize("template", ["raw", "ultrarm"])
def test_rewards_agree_and_the_accuracy_is_the_same(run, checkpoint, real_pairs, template):
    rows = [json.loads(line) for line in real_pairs.read_text(encoding="utf-8").splitlines()]
    texts = []
    for row in rows:
        for side in ("chosen", "rejected"):
            answer = row[side][-1]["content"]
            texts.append(
                answer if template == "raw" else f"Human: {row['prompt']}\n\nAssistant: {answer}"
            )
    naive = tutorials_rewards(checkpoint, texts)
    pairs = list(zip(rows, naive[::2], naive[1::2], strict=True))
    counted = [
        (chosen, rejected)
        for row, chosen, rejected in pairs
        if row["score_chosen"] != row["score_rejected"]
        and row["chosen"][-1]["content"] != row["rejected"][-1]["content"]
    ]
    results = run(
        "ultrarm",
        ["ultrafeedback_binarized"],
        {"data": str(real_pairs)},
        model_args={
            "pretrained": str(checkpoint),
            "template": template,
            "special_tokens": "parse",
        },
    )
    samples = results["samples"]["ultrafeedback_binarized"]
    scored = [(float(s["filtered_resps"][0][0]), float(s["filtered_resps"][1][0])) for s in samples]
    assert len(scored) == len(counted) > 850
    difference = max(
        abs(a - b) for ours, theirs in zip(scored, counted, strict=True) for a, b in zip(ours, theirs, strict=True)
    )  # fmt: skip
    assert difference <= 5e-5
    accuracy = sum(c > r for c, r in counted) / len(counted)
    assert results["results"]["ultrafeedback_binarized"]["acc,none"] == accuracy
