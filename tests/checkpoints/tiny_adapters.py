"""A tiny LoRA adapter of a tiny language model, and what changes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.loading import make_judge

CONFIG = {
    "peft_type": "LORA",
    "base_model_name_or_path": "base",
    "task_type": "SEQ_CLS",
    "modules_to_save": ["classifier", "score"],
    "target_modules": ["q_proj"],
    "r": 2,
    "lora_alpha": 4,
}
Q_PROJ = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"


def judge_of(folder: Any, judge: str = "auto", **settings: Any) -> Any:
    """A judge of a checkpoint, its weights not loaded."""
    return make_judge(judge, {"pretrained": str(folder), "device": "cpu", **settings})


def change(folder: Path, **values: Any) -> None:
    """Changes fields of adapter_config.json."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replaces, adds or removes (None) weights, by name."""
    path = folder / "adapter_model.safetensors"
    weights = {**load_file(path), **changes}
    save_file({key: value for key, value in weights.items() if value is not None}, path)


def refusal(folder: Any, **settings: Any) -> str:
    """What is said of a checkpoint that no judge is made of."""
    with pytest.raises(CheckpointError) as error:
        judge_of(folder, **settings)
    return str(error.value)


@pytest.fixture
def adapter(tmp_path: Path, write_model: Callable[..., Path]) -> Path:
    """An adapter of a tiny language model, which lies beside it as `base`."""
    base = write_model("AutoModelForCausalLM", "llama", name="base")
    folder = tmp_path / "adapter"
    folder.mkdir()
    shutil.move(base, folder / "base")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    random = torch.Generator().manual_seed(0)
    weights = {"base_model.model.score.weight": torch.randn(1, 32, generator=random)}
    for layer in range(2):
        weights[Q_PROJ.format(layer, "A")] = torch.randn(2, 32, generator=random)
        weights[Q_PROJ.format(layer, "B")] = torch.randn(32, 2, generator=random)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder
