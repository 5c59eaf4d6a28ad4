"""Tensors of an adapter: every one is read, or the adapter is refused with its name."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints.tiny_adapters import Q_PROJ, change_weights, judge_of, refusal

SCORE = "base_model.model.score.weight"
FILE = "adapter_model.safetensors"


def test_both_formats_and_names_of_adapters_within_names(adapter):
    rewards = judge_of(adapter).score(["one"], ["two"])
    weights = load_file(adapter / FILE)
    (adapter / FILE).unlink()
    torch.save(weights, adapter / "adapter_model.bin")
    assert judge_of(adapter).score(["one"], ["two"]) == rewards
    named = {
        key.replace("lora_A.", "lora_A.default.")
        .replace("lora_B.", "lora_B.default.")
        .replace("score.", "score.modules_to_save.default."): value
        for key, value in weights.items()
    }
    named["base_model.model.score.original_module.weight"] = torch.ones(1, 32)
    torch.save(named, adapter / "adapter_model.bin")
    assert judge_of(adapter).score(["one"], ["two"]) == rewards


def test_a_pickle_with_code_is_not_executed(adapter, tmp_path):
    (adapter / FILE).unlink()
    done = tmp_path / "done"

    class Code:
        def __reduce__(self):
            return (done.touch, ())

    torch.save({SCORE: Code()}, adapter / "adapter_model.bin")
    assert "code in checkpoints is never executed" in refusal(adapter)
    assert not done.exists()


def test_a_damaged_file(adapter):
    content = (adapter / FILE).read_bytes()
    (adapter / FILE).write_bytes(content[: len(content) // 2])
    assert "adapter_model.safetensors is damaged" in refusal(adapter)


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score.weight": torch.ones(1, 32)}, "'score.weight' does not begin with"),
        (
            {"base_model.model.model.norm.ia3_l": torch.ones(32)},
            "ia3_l' is of an unsupported type",
        ),
        (
            {Q_PROJ.format(0, "A").replace("weight", "bias"): torch.ones(2)},
            "lora_A.bias' is of an unsupported type",
        ),
        (
            {"base_model.model.model.norm.original_module.weight": torch.ones(32)},
            "is a module's original weight, but the trained one is missing",
        ),
        (
            {"base_model.model.score.modules_to_save.default.weight": torch.ones(1, 32)},
            "are the same weight",
        ),
        (
            {Q_PROJ.format(0, "A").replace("lora_A", "lora_A.default"): torch.ones(2, 32)},
            "are the same weight",
        ),
        ({SCORE: torch.full((1, 32), float("nan"))}, "'base_model.model.score.weight' contains NaN"),
        ({Q_PROJ.format(1, "B"): torch.full((32, 2), float("inf"))}, "contains NaN or infinity"),
        ({SCORE: torch.ones(1, 32, dtype=torch.int8)}, "stored as I8"),
        ({Q_PROJ.format(0, "A"): torch.ones(0)}, "[0]: it is empty, as if DeepSpeed"),
        ({Q_PROJ.format(0, "B"): None}, "LoRA needs two factors"),
        ({Q_PROJ.format(1, "A"): None, Q_PROJ.format(1, "B"): None}, "layers.1.self_attn.q_proj"),
    ],
)  # fmt: skip
def test_tensors_that_would_be_left_out_or_are_no_numbers(adapter, changes, says):
    change_weights(adapter, **changes)
    for judge in ("auto", "sequence-classification"):
        assert says in refusal(adapter, judge=judge)


def test_a_file_without_weights(adapter):
    save_file({}, adapter / FILE)
    assert "adapter_model.safetensors contains no weights" in refusal(adapter)
