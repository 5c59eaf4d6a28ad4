"""A judge whose network is a decoder with a scalar head, run over rows without padding."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from ultrarm_eval.checkpoints.architecture import ScalarHead
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.model_loading import load_decoder
from ultrarm_eval.engine.batching import AUTO, why_alone, why_no_rows
from ultrarm_eval.engine.decoder_runner import DecoderRunner, compile_layers
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.plan import PADDED, SHARED
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)


class DecoderJudge(CheckpointJudge):
    """Scores texts with a `DecoderRewardModel`."""

    def _model_class(self) -> type[DecoderRewardModel]:
        """The network's class."""
        if not isinstance(self.architecture, ScalarHead):
            raise NotImplementedError(f"{type(self).__name__} does not say its network's class.")
        return self.architecture.model_class

    def _resolve_batching(self, requested: str) -> tuple[str, bool]:
        obstacle = why_no_rows(self._checkpoint.config, self.max_length)
        if obstacle is None:
            return super()._resolve_batching(requested)
        if requested not in (AUTO, PADDED):
            raise ConfigurationError(
                f"batching={requested} is not exact for {self._checkpoint.name}: {obstacle}. "
                f"Leave it out, or use batching={PADDED}."
            )
        logger.info("Texts are padded and not packed: %s.", obstacle)
        return super()._resolve_batching(PADDED)

    def _load_runner(self) -> Runner:
        padded = self._batching == PADDED and self._attention != AUTO
        model = load_decoder(
            self._checkpoint,
            self._model_class(),
            self._dtype,
            self._device,
            parallelize=self._parallelize,
            attention=self._attention if padded else None,
            quantization=self._quantization,
        )
        if self._compiled:
            compile_layers(model)
        return DecoderRunner(
            model,
            attn_implementation=self._attention,
            compiled=self._compiled,
            padded=self._batching == PADDED,
        )

    def _capabilities(self) -> Capabilities:
        # Else what is computed of a token depends on the length, or on what follows it.
        in_one_pass = why_alone(self._checkpoint.config) is None
        return Capabilities(self._batching == SHARED, token_rewards=in_one_pass)

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """Scores each completion in a forward pass of its own, through the whole model.

        The plain way that every faster one is measured against.
        """
        model = self.load()
        with torch.inference_mode():
            return [
                float(model(torch.tensor([list(encoded.tokens)], device=model.device)))
                for encoded in self._encoder.encode(prompts, completions)
            ]
