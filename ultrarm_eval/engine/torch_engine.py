"""The engine in this process: a loaded model, run batch by batch under a token budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ultrarm_eval.engine.engine import Capabilities, ComputedBatch
from ultrarm_eval.engine.plan import PADDED, Batch, Plan, make_plan
from ultrarm_eval.engine.reads import Compose, Outputs, Reads, as_outputs
from ultrarm_eval.engine.rows import make_row
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.errors import ScoringError, TextDoesNotFitError, first_line
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

# Messages of plain RuntimeErrors on CUDA, ROCm, MPS and XPU, in cuBLAS, cuDNN and cuSOLVER, in
# torch's allocator on the CPU (on every system), and in C++.
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
# Messages that may mean a lack of memory or something else: oneDNN has one message for every status
# of a primitive ("could not create a primitive", "... a memory object"), and cuBLAS and cuDNN fail
# to initialize if no memory is left for their workspaces.
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
# Errors that a network raises if its configuration has a wrong value.
_NOT_COMPUTED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


@dataclass
class BatchLimits:
    """How much is computed at once.

    Attributes:
        max_tokens: Token budget of a batch, including padding; halved when memory runs out.
        max_texts: The maximum number of texts per batch; no limit if None.
        max_tree_tokens: The maximum number of tokens of a prompt with its answers that are
            computed together, in their own batch if that exceeds the budget; the budget if None.
    """

    max_tokens: int
    max_texts: int | None = None
    max_tree_tokens: int | None = None


class TorchEngine:
    """Computes texts with a model in this process.

    Attributes:
        capabilities: What it can do.
    """

    name = TORCH
    version = torch.__version__

    def __init__(
        self,
        runner: Callable[[], Runner],
        limits: Callable[[], BatchLimits],
        batching: str = PADDED,
        capabilities: Capabilities | None = None,
        compose: Compose | None = None,
    ) -> None:
        """Prepares the engine; the model is loaded by `prepare`, or on first use.

        Args:
            runner: Returns the model, which is loaded by the first call.
            limits: Batch size; `max_tokens` shrinks when the device's memory runs out.
            batching: See `ultrarm_eval.engine.plan`.
            capabilities: What the model can do; only values of complete texts if None.
            compose: Computes the value of a text from the model's outputs at `Tokens.reads`; None
                if the model outputs the value itself, at the last token.
        """
        self._compose = compose
        self._runner, self._limits, self._batching = runner, limits, batching
        self.capabilities = capabilities or Capabilities()

    def identity(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.identity`; empty for this default engine."""
        return {}

    def described(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.described`; empty, as its network reports it."""
        return {}

    def prepare(self) -> None:
        """Loads the model, once."""
        self._runner()

    def plan(self, texts: Sequence[Tokens]) -> Plan:
        """The batches for texts; the model need not be loaded.

        Args:
            texts: Distinct texts of at least one token.
        """
        if self._compose is None:
            return self._plan(texts)
        # The prefixes that end at the read tokens are computed.
        of_ends = self._plan(Reads(texts).ends)
        return replace(of_ends, texts=len(texts), text_tokens=sum(map(len, texts)))

    def witness(self) -> None:
        """See `Engine.witness`: the weights are read here."""

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """See `ultrarm_eval.engine.engine.Engine.compute`; rewards are float32 values."""
        if self._compose is None:
            for indices, outputs, tokens in self._outputs(texts):
                yield ComputedBatch(indices, [float(one) for one in outputs], tokens)
            return
        reads = Reads(texts)
        waiting_tokens = 0
        for indices, outputs, tokens in self._outputs(reads.ends, reads.text_of):
            waiting_tokens += tokens
            whole = reads.add(indices, outputs)
            if not whole:
                continue
            composed = [self._compose(outputs) for _, outputs in whole]
            yield ComputedBatch(
                [index for index, _ in whole],
                [value for value, _ in composed],
                waiting_tokens,
                [detail for _, detail in composed],
            )
            waiting_tokens = 0

    def compute_alone(self, text: Tokens) -> float:
        """The value of a text in its own forward pass, the reference for every faster way."""
        runner = self._runner()
        if self._compose is None:
            return float(runner.score_alone(text))
        outputs = [runner.score_alone(end).double().cpu().numpy() for end in text.prefixes()]
        return self._compose(as_outputs(outputs))[0]

    def _plan(self, texts: Sequence[Tokens]) -> Plan:
        limits = self._limits()
        return make_plan(
            texts,
            batching=self._batching,
            max_tokens=limits.max_tokens,
            max_texts=limits.max_texts,
            max_tree_tokens=limits.max_tree_tokens,
        )

    def _outputs(
        self, texts: Sequence[Tokens], numbers: Sequence[int] | None = None
    ) -> Iterator[tuple[list[int], Outputs, int]]:
        """The model's outputs at the ends of texts, batch by batch, and the computed tokens.

        Args:
            texts: Distinct texts of at least one token.
            numbers: Their numbers in error messages; their indices if None.
        """
        runner = self._runner()
        waiting = list(range(len(texts)))
        while waiting:
            remaining = [texts[i] for i in waiting]
            done: set[int] = set()
            for batch in self._plan(remaining).batches:
                indices = [waiting[position] for position in batch.texts]
                written = runner.written
                outputs, reason = _try_batch(runner, remaining, batch)
                if outputs is None:
                    # Outside the handler: the error would keep all memory of the batch allocated.
                    called = indices if numbers is None else [numbers[i] for i in indices]
                    _shrink(self._limits(), batch, called, reason)
                    break
                done.update(indices)
                # Padding does not count as a text's tokens.
                read = batch.tokens if batch.pieces else sum(len(texts[i]) for i in indices)
                yield indices, outputs, read + runner.written - written
            waiting = [index for index in waiting if index not in done]

    def compute_after_tokens(self, text: Tokens) -> list[float]:
        """See `ultrarm_eval.engine.engine.Engine.compute_after_tokens`."""
        try:
            return [float(reward) for reward in self._runner().score_after_tokens(text).cpu()]
        except (RuntimeError, MemoryError) as error:
            if not _may_be_out_of_memory(error):
                raise
            raise TextDoesNotFitError(_too_long(len(text), error), 0) from error
        except _NOT_COMPUTED as error:
            raise _not_computed(error) from error


def _score_batch(runner: Runner, texts: Sequence[Tokens], batch: Batch) -> Outputs:
    if batch.pieces:
        rewards = runner.score_row(make_row(batch.pieces, texts))
    else:
        rewards = runner.score_padded([texts[i] for i in batch.texts])
    return rewards.double().cpu().numpy()  # type: ignore[no-any-return]


def _try_batch(runner: Runner, texts: Sequence[Tokens], batch: Batch) -> tuple[Outputs | None, str]:
    """The rewards; or None and the error, if the device's memory may have run out."""
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
        f"The model cannot compute a text ({first_line(error)}): this version of transformers "
        "does not support a value in its config.json. Correct the value, or use another version."
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
    # A failure that no smaller batch fixes ends here, whatever its cause is.
    if len(batch.texts) == 1:
        raise TextDoesNotFitError(said, indices[0])
    limits.max_tree_tokens = max(1, batch.tokens // 2)
    limits.max_tokens = min(limits.max_tokens, limits.max_tree_tokens)
    torch.cuda.empty_cache()
    logger.warning(
        "Out of memory on a batch of %d texts (%s); continuing with at most %d tokens per batch. "
        "Set max_batch_tokens=%d to start with that.",
        len(batch.texts),
        said,
        limits.max_tree_tokens,
        limits.max_tree_tokens,
    )


def _too_long(tokens: int, error: Exception) -> str:
    ways_out = (
        "Set a smaller max_length or a smaller dtype (bfloat16), or distribute the model with "
        "parallelize=True."
    )
    if _is_out_of_memory(error):
        return (
            f"Out of memory on a single text of {tokens} tokens ({first_line(error)}). {ways_out}"
        )
    return (
        f"A single text of {tokens} tokens cannot be computed ({first_line(error)}). This error "
        f"can mean that memory ran out. In that case: {ways_out} Otherwise try another dtype or "
        "device."
    )
