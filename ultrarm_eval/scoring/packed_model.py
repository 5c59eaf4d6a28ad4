"""Running a model over packed rows, through the pieces that transformers itself is made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from ultrarm_eval.scoring.last_layer import LastLayerAtEnds
from ultrarm_eval.scoring.rows import PackedRow
from ultrarm_eval.scoring.tree_attention import NAME, TreeLayout, register

if TYPE_CHECKING:
    from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel


# One row at a time: while it runs, the model attends in another way and has a hook.
_RUNNING = threading.Lock()


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
    with _RUNNING, _tree_attention(model):
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
