import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.errors import CheckpointError

IDS = torch.tensor([[5, 9, 33, 7, 8]])


def naive_reward(model, ids):
    """The model card's computation, written with the backbone alone."""
    with torch.no_grad():
        hidden = model.model(ids).last_hidden_state
    return (hidden[0, -1].double() @ model.regression_head.weight[0].double()).item()


def test_the_reward_is_the_heads_product_at_the_last_token(reward_model):
    with torch.no_grad():
        reward = reward_model(IDS)
    assert reward.shape == (1, 1)
    assert reward.item() == pytest.approx(naive_reward(reward_model, IDS), abs=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(reward_model, side):
    padding, ones = torch.zeros(1, 3, dtype=torch.long), torch.ones_like(IDS)
    parts = [(padding, padding), (IDS, ones)]
    ordered = parts if side == "left" else parts[::-1]
    with torch.no_grad():
        padded = reward_model(
            torch.cat([ids for ids, _ in ordered], 1), torch.cat([mask for _, mask in ordered], 1)
        )
    assert padded.item() == pytest.approx(naive_reward(reward_model, IDS), abs=5e-5)


def test_token_type_ids_which_llama_does_not_have_are_dropped(reward_model):
    with torch.no_grad():
        assert reward_model(IDS, token_type_ids=torch.zeros_like(IDS)) == reward_model(IDS)


def test_it_loads_what_it_saves(reward_model, tmp_path):
    reward_model.save_pretrained(tmp_path)
    loaded = LlamaRewardModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert loaded(IDS) == reward_model(IDS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rewards_are_float32_in_every_body_dtype(reward_model, tmp_path, dtype):
    reward_model.save_pretrained(tmp_path)
    loaded = LlamaRewardModel.from_pretrained(tmp_path, dtype=dtype).eval()
    with torch.no_grad():
        rewards = loaded(IDS.repeat(2, 1))
    assert rewards.dtype == torch.float32
    # A float32 head does not round to the body's dtype.
    assert rewards[0].to(dtype).float() != rewards[0]


def test_another_architecture_is_refused(reward_model, tmp_path):
    reward_model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}))
    with pytest.raises(CheckpointError, match="describes a 'mistral' model"):
        LlamaRewardModel.from_pretrained(tmp_path)


def test_a_checkpoint_without_the_head_is_refused_and_not_filled_at_random(reward_model, tmp_path):
    reward_model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["regression_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError,
        match=r"1 weights are missing and would be random, such as 'regression_head.weight'",
    ):
        LlamaRewardModel.from_pretrained(tmp_path)
