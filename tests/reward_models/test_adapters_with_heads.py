"""LoRA adapters of reward models with their own heads: every type computes merged weights."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import save_file

from tests.reward_models.as_published import equal, stored, texts, write
from tests.reward_models.published import (
    armorm,
    beaver,
    grm,
    internlm2_reward,
    qwen2_prm,
    starling,
    urm,
)
from ultrarm_eval.judges.loading import make_judge

KINDS = [armorm, beaver, grm, internlm2_reward, qwen2_prm, starling, urm]
TARGETS = {internlm2_reward: ("attention.wqkv", "feed_forward.w1")}
RANK, ALPHA = 2, 3


def of_kind(kind):
    return kind.__name__.rpartition(".")[2]


def put_adapter(kind, base, folder):
    """Writes an adapter, and merges it into the base by hand."""
    targets = TARGETS.get(kind, ("self_attn.q_proj", "mlp.down_proj"))
    pattern = re.compile(rf"(.*layers\.\d+\.(?:{'|'.join(map(re.escape, targets))}))\.weight")
    random, adapter = torch.Generator().manual_seed(0), {}
    for key in sorted(all_keys(base)):
        match = pattern.fullmatch(key)
        if match is None:
            continue
        path, weights = stored(base, key)
        outputs, inputs = weights[key].shape
        a = torch.randn(RANK, inputs, generator=random) * 0.1
        b = torch.randn(outputs, RANK, generator=random) * 0.1
        adapter[f"base_model.model.{match[1]}.lora_A.weight"] = a
        adapter[f"base_model.model.{match[1]}.lora_B.weight"] = b
        merged = weights[key].float() + ALPHA / RANK * (b @ a)
        write(path, {**weights, key: merged.to(weights[key].dtype)})
    assert adapter
    folder.mkdir()
    save_file(adapter, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": ALPHA,
        "base_model_name_or_path": None,
        "target_modules": [one.rpartition(".")[2] for one in targets],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))


def all_keys(folder):
    found = set()
    for path in folder.iterdir():
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="pt") as weights:
                found |= set(weights.keys())
        elif path.suffix == ".bin":
            found |= set(torch.load(path))
    return found


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", KINDS, ids=of_kind)
def test_a_kind_reads_the_merged_weights(kind, tmp_path):
    base = kind.build(tmp_path / "base")
    merged = shutil.copytree(base, tmp_path / "merged")
    put_adapter(kind, merged, tmp_path / "adapter")
    plain, by_hand, adapted = (
        make_judge("auto", {"pretrained": str(folder), "device": "cpu", **adapter})
        for folder, adapter in (
            (base, {}),
            (merged, {}),
            (base, {"peft": str(tmp_path / "adapter")}),
        )
    )
    assert adapted.name == plain.name
    rewards = adapted.score(*texts(kind))
    assert rewards == [equal(reward) for reward in by_hand.score(*texts(kind))]
    assert any(abs(a - b) > 1e-3 for a, b in zip(rewards, plain.score(*texts(kind)), strict=True))
