"""The run over the model: every distinct text once, batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ultrarm_eval.errors import DeviceError
from ultrarm_eval.scoring.batches import plan_batches

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
    model: LlamaRewardModel, texts: Sequence[Sequence[int]], limits: BatchLimits
) -> Iterator[tuple[list[int], list[float]]]:
    """Scores texts and hands the rewards out batch by batch, so that none is lost on a crash.

    Args:
        model: The reward model, in evaluation mode.
        texts: Token ids of each text, at least one each.
        limits: Batch size; `limits.max_tokens` shrinks when the device's memory runs out.

    Yields:
        Indices into `texts` and their rewards, float32 values as Python floats.

    Raises:
        DeviceError: A single text does not fit into the device's memory.
    """
    waiting = list(range(len(texts)))
    while waiting:
        batches = plan_batches(
            [len(texts[i]) for i in waiting],
            max_tokens=limits.max_tokens,
            max_texts=limits.max_texts,
        )
        done: set[int] = set()
        for batch in batches:
            indices = [waiting[position] for position in batch]
            try:
                rewards = _score_batch(model, [texts[i] for i in indices])
            except torch.OutOfMemoryError as error:
                _shrink(limits, [len(texts[i]) for i in indices], error)
                break
            done.update(indices)
            yield indices, rewards
        waiting = [index for index in waiting if index not in done]


def _score_batch(model: LlamaRewardModel, texts: Sequence[Sequence[int]]) -> list[float]:
    width = max(len(ids) for ids in texts)
    padded = [[*ids, *[_PADDING_ID] * (width - len(ids))] for ids in texts]
    device = model.device
    with torch.inference_mode():
        rewards = model.rewards_at(
            torch.tensor(padded, device=device),
            torch.tensor([len(ids) - 1 for ids in texts], device=device),
        )
    return [float(reward) for reward in rewards.float().cpu()]


def _shrink(limits: BatchLimits, lengths: Sequence[int], error: Exception) -> None:
    if len(lengths) == 1:
        raise DeviceError(
            f"Out of memory on a single text of {lengths[0]} tokens. Set a smaller max_length, "
            "a smaller dtype (bfloat16), or spread the model with parallelize=True."
        ) from error
    limits.max_tokens = max(1, len(lengths) * max(lengths) // 2)
    torch.cuda.empty_cache()
    logger.warning(
        "Out of memory on a batch of %d texts; going on with at most %d tokens a batch. "
        "Set max_batch_tokens=%d to start there.",
        len(lengths),
        limits.max_tokens,
        limits.max_tokens,
    )
