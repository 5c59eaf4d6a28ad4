"""Texts side by side in one tensor, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ultrarm_eval.engine.token_ids import TokenIds


def padded_right(
    texts: Sequence[TokenIds], padding_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and the mask of what is no padding, each of shape (texts, longest), int64."""
    shape = (len(texts), max(len(ids) for ids in texts))
    ids = np.full(shape, padding_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
