"""LoRA adapters over a decoder: equal to peft where it is installed, and wrong readings are seen."""

from __future__ import annotations

import json

import pytest

from tests.reward_models import tiny_weights as files
from tests.reward_models.published import peft_reward

TEXTS = (("What is 7 times 8?", "It is 56."), ("What is 7 times 8?", "It is 54, I think."))


@pytest.fixture(scope="module", params=["seq_cls", *peft_reward.VARIANTS])
def built(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "adapter"
    return request.param, peft_reward.build(folder, variant=request.param)


@pytest.fixture(scope="module")
def rows(built):
    return [peft_reward.text_ids(built[1], *text) for text in TEXTS]


def test_rewards_differ(built, rows):
    first, second = (peft_reward.reference(built[1], row).reward for row in rows)
    assert abs(first - second) > 0.1


def test_every_wrong_reading_is_seen_where_it_is_wrong(built, rows):
    variant, folder = built
    right = [peft_reward.reference(folder, row).reward for row in rows]
    apart = {
        name: max(abs(wrong(folder, row) - value) for row, value in zip(rows, right, strict=True))
        for name, wrong in peft_reward.MUTATIONS.items()
    }
    without_effect = peft_reward.WITHOUT_EFFECT["" if variant == "seq_cls" else variant]
    assert {name for name, by in apart.items() if by <= 1e-3} == without_effect, apart


def test_peft_computes_the_same(built, rows):
    pytest.importorskip("peft", reason="peft is compared where it is installed")
    for row in rows:
        expected = peft_reward.peft_forward(built[1], row)
        assert peft_reward.reference(built[1], row).reward == pytest.approx(expected, abs=1e-5)


def test_peft_saves_these_keys(built, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is compared where it is installed")
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification

    adapter, config = peft_reward.load_adapter(built[1])
    base = AutoModelForSequenceClassification.from_pretrained(
        config["base_model_name_or_path"], num_labels=1
    )
    peft.PeftModel.from_pretrained(base, str(built[1])).save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert {n: t.shape for n, t in saved.items()} == {n: t.shape for n, t in adapter.items()}
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    assert set(config) <= set(written)
    # peft 0.21 lists what SEQ_CLS adds once more with every loading and saving.
    assert set(written["modules_to_save"] or ()) == set(config["modules_to_save"] or ())
    for key in ("task_type", "rank_pattern", "alpha_pattern", "bias", "r"):
        assert written[key] == config[key], key


def heads(folder):
    """Where a whole head is, and whether LoRA lies over one."""
    base, (adapter, _) = files.load_weights(folder / "base"), peft_reward.load_adapter(folder)
    return (
        "score.weight" in base,
        f"{peft_reward.PREFIX}score.weight" in adapter,
        any("score.lora_" in name for name in adapter),
    )


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("seq_cls", (False, True, False)),
        ("head_in_base", (True, False, False)),
        ("head_in_both", (True, True, False)),
        ("no_head", (False, False, False)),
        ("lora_on_head", (False, False, True)),
        ("lora_on_head_of_base", (True, False, True)),
    ],
)
def test_the_head_is_where_the_variant_has_it(tmp_path, variant, expected):
    folder = peft_reward.build(tmp_path / "adapter", variant=variant)
    assert heads(folder) == expected
    if variant in peft_reward.BROKEN:
        with pytest.raises(KeyError, match="score"):
            peft_reward.reference(folder, [1, 2, 3])
