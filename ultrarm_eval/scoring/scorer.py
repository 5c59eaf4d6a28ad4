"""The run over the model: every distinct text once, batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ultrarm_eval.errors import DeviceError
from ultrarm_eval.scoring.packed_model import score_row
from ultrarm_eval.scoring.plan import PADDED, Batch, make_plan
from ultrarm_eval.scoring.prefix_forest import TokenIds
from ultrarm_eval.scoring.rows import make_row

if TYPE_CHECKING:
    from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel

logger = logging.getLogger(__name__)

_PADDING_ID = 0


@dataclass
class BatchLimits:
    """How much is computed at once.

    Attributes:
        max_tokens: Token budget of a batch, padding included; halved when memory runs out.
        max_texts: The most texts of a batch; no limit if None.
    """

    max_tokens: int
    max_texts: int | None = None


def score_token_ids(
    model: LlamaRewardModel,
    texts: Sequence[Sequence[int]],
    limits: BatchLimits,
    batching: str = PADDED,
) -> Iterator[tuple[list[int], list[float]]]:
    """Scores texts and hands the rewards out batch by batch, so that none is lost on a crash.

    Args:
        model: The reward model, in evaluation mode.
        texts: Token ids of each text, at least one each, no two the same.
        limits: Batch size; `limits.max_tokens` shrinks when the device's memory runs out.
        batching: See `ultrarm_eval.scoring.plan`.

    Yields:
        Indices into `texts` and their rewards, float32 values as Python floats.

    Raises:
        DeviceError: A single text does not fit into the device's memory.
    """
    arrays = [np.array(ids, dtype=np.int32) for ids in texts]
    waiting = list(range(len(texts)))
    while waiting:
        remaining = [arrays[i] for i in waiting]
        plan = make_plan(
            remaining,
            batching=batching,
            max_tokens=limits.max_tokens,
            max_texts=limits.max_texts,
        )
        done: set[int] = set()
        for batch in plan.batches:
            indices = [waiting[position] for position in batch.texts]
            try:
                rewards = _score_batch(model, remaining, batch)
            except torch.OutOfMemoryError as error:
                _shrink(limits, batch, error)
                break
            done.update(indices)
            yield indices, rewards
        waiting = [index for index in waiting if index not in done]


def _score_batch(model: LlamaRewardModel, texts: Sequence[TokenIds], batch: Batch) -> list[float]:
    with torch.inference_mode():
        if batch.pieces:
            rewards = score_row(model, make_row(batch.pieces, texts))
        else:
            rewards = _score_padded(model, [texts[i] for i in batch.texts])
    return [float(reward) for reward in rewards.float().cpu()]


def _score_padded(model: LlamaRewardModel, texts: Sequence[TokenIds]) -> torch.Tensor:
    padded = np.full((len(texts), max(len(ids) for ids in texts)), _PADDING_ID, dtype=np.int64)
    for row, ids in zip(padded, texts, strict=True):
        row[: len(ids)] = ids
    device = model.device
    return model.rewards_at(
        torch.from_numpy(padded).to(device),
        torch.tensor([len(ids) - 1 for ids in texts], device=device),
    )


def _shrink(limits: BatchLimits, batch: Batch, error: Exception) -> None:
    if len(batch.texts) == 1:
        raise DeviceError(
            f"Out of memory on a single text of {batch.tokens} tokens. Set a smaller max_length, "
            "a smaller dtype (bfloat16), or spread the model with parallelize=True."
        ) from error
    limits.max_tokens = max(1, batch.tokens // 2)
    torch.cuda.empty_cache()
    logger.warning(
        "Out of memory on a batch of %d texts; going on with at most %d tokens a batch. "
        "Set max_batch_tokens=%d to start there.",
        len(batch.texts),
        limits.max_tokens,
        limits.max_tokens,
    )
