"""Values computed by engines other than torch: vLLM in this process, or servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import DTYPES, Checkpoint
from ultrarm_eval.engine.engine import Engine
from ultrarm_eval.engine.plan import SHARED, Plan, make_plan
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine_settings import SERVER, TORCH
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.computation import Computation
from ultrarm_eval.judges.reward_head import RewardHead
from ultrarm_eval.settings import CheckpointSettings
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.tokens import Tokens

# The plan has one batch: the engine chooses its own batches.
_ALL_AT_ONCE = 2**62


class ServedComputation(Computation):
    """Values of an engine other than torch: one number per text, at its last token."""

    def __init__(
        self,
        judge: str,
        given: CheckpointSettings,
        checkpoint: Checkpoint,
        head: RewardHead,
        encoder: TextEncoder,
        tokenizer: Any,
    ) -> None:
        """Makes the engine; nothing is loaded and no server is contacted.

        Args:
            judge: The judge, for messages.
            given: Its settings.
            checkpoint: The checkpoint.
            head: How its reward is computed.
            encoder: The encoder of its texts.
            tokenizer: Its tokenizer.

        Raises:
            ConfigurationError: Only the torch engine can compute its reward.
        """
        why = head.why_not_served()
        if why is not None:
            raise ConfigurationError(
                f"engine={given.engine} outputs one number per text, at its last token. "
                f"judge={judge}: {why}. Use engine={TORCH}."
            )

        def as_read(text: Tokens) -> Tokens:
            (at,) = head.read_at(text)
            return text if at + 1 == len(text) else Tokens.of(list(text)[: at + 1])

        self.dtype = DTYPES.get(given.dtype, checkpoint.stored_dtype)
        model = ServedModel(
            judge=judge,
            checkpoint=checkpoint,
            dtype=str(self.dtype).removeprefix("torch."),
            max_length=encoder.max_length,
            tokenizer=tokenizer,
            as_read=as_read,
            encode=lambda prompts, completions: [
                one.tokens for one in encoder.encode(prompts, completions)
            ],
        )
        self.engine = _served_engine(model, given)

    def load(self) -> None:
        """See `Computation.load`."""
        self.engine.prepare()

    def plan(self, texts: Sequence[Tokens]) -> Plan:
        """See `Computation.plan`; tokens saved by a prefix cache count as saved."""
        return make_plan(texts, batching=SHARED, max_tokens=_ALL_AT_ONCE)

    def compute_alone(self, text: Tokens) -> float:
        """See `Computation.compute_alone`."""
        (batch,) = self.engine.compute([text])
        return batch.values[0]

    def settings(self) -> dict[str, Any]:
        """See `Computation.settings`."""
        return dict(self.engine.described())


def _served_engine(model: ServedModel, given: CheckpointSettings) -> Engine:
    if given.computed_by == SERVER:
        from ultrarm_eval.engine.server.server_engine import ServerEngine

        return ServerEngine(model, given)
    from ultrarm_eval.engine.vllm_engine import VllmEngine

    return VllmEngine(model, given)
