"""Running a model over packed rows, through the pieces that transformers itself is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from ultrarm_eval.scoring.last_layer import LastLayerAtEnds
from ultrarm_eval.scoring.rows import PackedRow
from ultrarm_eval.scoring.tree_attention import NAME, TreeLayout, register

if TYPE_CHECKING:
    from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel


def why_not_packed(config: Any) -> str | None:
    """Why a model cannot be run over packed rows; None if it can."""
    if getattr(config, "model_type", None) != "llama":
        return f"its architecture is {getattr(config, 'model_type', None)!r} and not 'llama'"
    if getattr(config, "sliding_window", None):
        return "its attention has a sliding window"
    if getattr(config, "is_causal", True) is False:
        return "its attention is bidirectional"
    return None


def score_row(model: LlamaRewardModel, row: PackedRow) -> torch.Tensor:
    """Rewards of the texts of a row.

    Args:
        model: The reward model.
        row: The row.

    Returns:
        float32, shape (texts,), in the order of `row.texts`.
    """
    device = model.device
    tree = TreeLayout.of(row)
    is_spread = getattr(model, "hf_device_map", None) and len(set(model.hf_device_map.values())) > 1
    ids = torch.from_numpy(row.ids).long().to(device)[None]
    positions = torch.from_numpy(row.positions).to(device)[None]
    with _tree_attention(model):
        if is_spread:
            # accelerate moves a layer's inputs behind the hook that narrows them.
            hidden = model.hidden_states(ids, position_ids=positions, tree=tree)
            hidden = hidden[:, torch.tensor(tree.read_at, device=hidden.device)]
        else:
            with LastLayerAtEnds(model.model.layers[-1], tree):
                hidden = model.hidden_states(ids, position_ids=positions, tree=tree)
    rewards: torch.Tensor = model.regression_head(hidden)
    return rewards[0, :, 0]


@contextmanager
def _tree_attention(model: LlamaRewardModel) -> Iterator[None]:
    """Has the backbone attend over trees; outside, the model is as it was loaded.

    Masks are made by the implementation's name, and none is made for this one: with masks of its
    own transformers would see a packed row and make one of the row's length squared.
    """
    register()
    config = model.model.config
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
