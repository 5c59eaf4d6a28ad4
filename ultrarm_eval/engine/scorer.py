"""The run over the model: every distinct text once, batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ultrarm_eval.engine.plan import PADDED, Batch, make_plan
from ultrarm_eval.engine.rows import make_row
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.token_ids import TokenIds
from ultrarm_eval.errors import ScoringError, TextDoesNotFitError, first_line

logger = logging.getLogger(__name__)

# What plain RuntimeErrors say on CUDA, ROCm, MPS and XPU, in cuBLAS, cuDNN and cuSOLVER, in torch's
# allocator on the CPU (in every system's words), and in C++.
_OUT_OF_MEMORY = (
    "out of memory",
    "alloc_failed",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate",
    "unable to allocate",
    "bad_alloc",
    "bad allocation",
)
# What is said for want of memory and for other reasons alike: oneDNN has one message for every
# status of a primitive ("could not create a primitive", "... a memory object"), and cuBLAS and
# cuDNN fail to begin where nothing is left for their workspaces.
_PERHAPS_OUT_OF_MEMORY = (
    "could not create a primitive",
    "could not create a descriptor",
    "could not create a memory",
    "could not create a brgemm",
    "could not execute a primitive",
    "cublas_status_not_initialized",
    "cudnn_status_not_initialized",
    "cudnn_status_internal_error",
)
# What a network raises that was built from a configuration with a wrong value.
_NOT_COMPUTED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


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
    runner: Runner,
    texts: Sequence[Sequence[int] | TokenIds],
    limits: BatchLimits,
    batching: str = PADDED,
) -> Iterator[tuple[list[int], list[float]]]:
    """Scores texts and hands the rewards out batch by batch, so that none is lost on a crash.

    Args:
        runner: The model.
        texts: Token ids of each text, at least one each, no two the same.
        limits: Batch size; `limits.max_tokens` shrinks when the device's memory runs out.
        batching: See `ultrarm_eval.engine.plan`.

    Yields:
        Indices into `texts` and their rewards, float32 values as Python floats.

    Raises:
        TextDoesNotFitError: A single text does not fit into the device's memory.
    """
    arrays = [np.asarray(ids, dtype=np.int32) for ids in texts]
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
            rewards, reason = _try_batch(runner, remaining, batch)
            if rewards is None:
                # Outside the handler: the error would hold on to everything the batch allocated.
                _shrink(limits, batch, indices, reason)
                break
            done.update(indices)
            yield indices, rewards
        waiting = [index for index in waiting if index not in done]


def score_after_tokens(runner: Runner, text: TokenIds) -> list[float]:
    """Rewards of a text that ends after each of its tokens, in one pass.

    Args:
        runner: The model.
        text: Token ids, at least one.

    Raises:
        TextDoesNotFitError: The text does not fit into the device's memory.
    """
    try:
        return [float(reward) for reward in runner.score_after_tokens(text).cpu()]
    except (RuntimeError, MemoryError) as error:
        if not _may_be_out_of_memory(error):
            raise
        raise TextDoesNotFitError(_too_long(len(text), error), 0) from error
    except _NOT_COMPUTED as error:
        raise _not_computed(error) from error


def _score_batch(runner: Runner, texts: Sequence[TokenIds], batch: Batch) -> list[float]:
    if batch.pieces:
        rewards = runner.score_row(make_row(batch.pieces, texts))
    else:
        rewards = runner.score_padded([texts[i] for i in batch.texts])
    return [float(reward) for reward in rewards.cpu()]


def _try_batch(
    runner: Runner, texts: Sequence[TokenIds], batch: Batch
) -> tuple[list[float] | None, str]:
    """The rewards; None, and what was said, where the device's memory may have run out."""
    try:
        return _score_batch(runner, texts, batch), ""
    except (RuntimeError, MemoryError) as error:
        if not _may_be_out_of_memory(error):
            raise
        return None, _too_long(batch.tokens, error) if len(batch.texts) == 1 else first_line(error)
    except _NOT_COMPUTED as error:
        raise _not_computed(error) from error


def _not_computed(error: Exception) -> ScoringError:
    return ScoringError(
        f"The model cannot compute a text ({first_line(error)}): a value in its config.json is "
        "none that this version of transformers computes with."
    )


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        one in said for one in _OUT_OF_MEMORY
    )


def _may_be_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return _is_out_of_memory(error) or any(one in said for one in _PERHAPS_OUT_OF_MEMORY)


def _shrink(limits: BatchLimits, batch: Batch, indices: Sequence[int], said: str) -> None:
    # A failure that no smaller batch cures ends here, whatever its cause is.
    if len(batch.texts) == 1:
        raise TextDoesNotFitError(said, indices[0])
    limits.max_tokens = max(1, batch.tokens // 2)
    torch.cuda.empty_cache()
    logger.warning(
        "Out of memory on a batch of %d texts (%s); going on with at most %d tokens a batch. "
        "Set max_batch_tokens=%d to start there.",
        len(batch.texts),
        said,
        limits.max_tokens,
        limits.max_tokens,
    )


def _too_long(tokens: int, error: Exception) -> str:
    ways_out = (
        "Set a smaller max_length, a smaller dtype (bfloat16), or spread the model with "
        "parallelize=True."
    )
    if _is_out_of_memory(error):
        return (
            f"Out of memory on a single text of {tokens} tokens ({first_line(error)}). {ways_out}"
        )
    return (
        f"A single text of {tokens} tokens cannot be computed ({first_line(error)}). This is said "
        f"where memory runs out, and for other failures. If memory is short: {ways_out} Else "
        "another dtype, or another device, may go."
    )
