"""A base's weights with an adapter on them: what does not fit, or is read by nothing, is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints.tiny_adapters import Q_PROJ, change, change_weights, judge_of, refusal

PREFIX = "base_model.model."
SCORE = f"{PREFIX}score.weight"
BASE_FILE = "model.safetensors"


def lora(module, outputs, inputs):
    random = torch.Generator().manual_seed(1)
    return {
        f"{PREFIX}{module}.lora_A.weight": torch.randn(2, inputs, generator=random),
        f"{PREFIX}{module}.lora_B.weight": torch.randn(outputs, 2, generator=random),
    }


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (lora("model.layers.7.self_attn.q_proj", 32, 32), "has no weight of that name"),
        (lora("model.layers.0.self_attn.nothing", 32, 32), "has no weight of that name"),
        (lora("model.layers.0.self_attn.k_proj", 32, 32), "does not fit the base"),
        (lora("model.layers.0.self_attn.k_proj", 16, 8), "does not fit the base"),
        (lora("model.norm", 32, 32), "does not fit the base"),
        (lora("lm_head", 400, 32), "'lm_head.weight', which this model"),
        (lora("score", 1, 32), "is the complete weight of score, and there is also LoRA on it"),
        ({f"{PREFIX}model.norm.bias": torch.ones(32)}, "has no weight of that name"),
        ({f"{PREFIX}model.norm.weight": torch.ones(16)}, "does not fit the base"),
        ({f"{PREFIX}score.bias": torch.ones(1)}, "score.bias"),
        ({SCORE: torch.ones(1, 16)}, "does not fit the base"),
        ({SCORE: torch.ones(2, 32)}, "2 labels"),
        ({Q_PROJ.format(0, "A"): torch.ones(4, 32)}, "the rank 2 (r, rank_pattern)"),
        ({Q_PROJ.format(0, "B"): torch.ones(32, 4)}, "does not fit the base"),
        ({Q_PROJ.format(0, "A"): torch.ones(2, 32, 1, 1)}, "only LoRA on linear layers"),
        (
            {f"{PREFIX}model.layers.0.self_attn.q_proj.lora_magnitude_vector": torch.ones(32)},
            "without magnitudes",
        ),
        (
            {Q_PROJ.format(0, "B").replace("weight", "bias"): torch.ones(32)},
            "q_proj.bias', but the base",
        ),
    ],
)
def test_changes_that_do_not_fit_are_refused_before_weights_are_loaded(adapter, changes, says):
    change_weights(adapter, **changes)
    found = refusal(adapter)
    assert says in found
    assert str(adapter) in found


def test_the_scaling_depends_on_the_config(adapter):
    rewards = {judge_of(adapter).score(["one"], ["two"])[0]}
    for values in ({"lora_alpha": 8}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 1}}):
        change(adapter, **values)
        rewards.add(judge_of(adapter).score(["one"], ["two"])[0])
    assert len(rewards) == 4


def test_magnitudes_that_are_missing(adapter):
    change(adapter, use_dora=True)
    assert "with magnitudes (use_dora)" in refusal(adapter)


def test_a_merge_that_gives_no_numbers(adapter):
    change_weights(adapter, **{Q_PROJ.format(0, "B"): torch.full((32, 2), 3e38)})
    judge = judge_of(adapter)
    with pytest.raises(Exception, match="q_proj.weight' contains NaN or infinity"):
        judge.load()


def test_a_quantised_base_is_refused_with_the_way_out(adapter):
    path = adapter / "base" / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    path.write_text(json.dumps(config))
    says = refusal(adapter)
    assert "stored quantized" in says
    assert "full precision: pretrained=BASE,peft=" in says


def test_a_base_of_another_size(adapter, write_model):
    other = write_model("AutoModelForCausalLM", "llama", name="wide", hidden_size=64)
    assert "does not fit the base" in refusal(other, peft=str(adapter))


def test_a_base_whose_files_leave_out_the_bodys_name(adapter):
    """As `openai-community/gpt2` is published: `h.0…`, and not `transformer.h.0…`."""
    rewards = judge_of(adapter, batching="padded").score(["one"], ["two"])
    path = adapter / "base" / BASE_FILE
    stored = load_file(path).items()
    weights = {key.removeprefix("model."): value.clone() for key, value in stored}
    save_file(weights, path, metadata={"format": "pt"})
    assert judge_of(adapter, batching="padded").score(["one"], ["two"]) == pytest.approx(
        rewards, abs=1e-5
    )


def test_trained_rows_need_their_places(adapter):
    rows = {f"{PREFIX}model.embed_tokens.token_adapter.trainable_tokens_delta": torch.ones(2, 32)}
    change_weights(adapter, **rows)
    assert "does not name them (trainable_token_indices)" in refusal(adapter)
    change(adapter, trainable_token_indices=[1, 2, 3])
    assert "for 3 trained rows" in refusal(adapter)
    change(adapter, trainable_token_indices={"embed_tokens": [1, 400]})
    assert "row 400 of 400" in refusal(adapter)
    change(adapter, trainable_token_indices={"embed_tokens": [1, 2]})
    weight = judge_of(adapter).load().model.embed_tokens.weight
    assert weight[1:3].eq(1).all()
    assert not weight[3].eq(1).any()


def test_layers_that_an_adapter_leaves_out_on_purpose(adapter):
    change_weights(adapter, **{Q_PROJ.format(1, "A"): None, Q_PROJ.format(1, "B"): None})
    assert "Some of its weights are missing" in refusal(adapter)
    change(adapter, layers_to_transform=[0])
    judge_of(adapter)
    change(adapter, layers_to_transform=None, target_modules=r".*layers\.0\..*q_proj")
    judge_of(adapter)
