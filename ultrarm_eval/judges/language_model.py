"""Checkpoints of causal language models, and judges that score with their likelihoods."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.architecture import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.model_loading import load_own_forward
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import AUTO, resolve_batching
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.kernels.choice import AUTO as ANY_ATTENTION
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.text_format.completion_encoder import CompletionEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import CHAT_TEMPLATE


class LanguageModelJudge(CheckpointJudge):
    """A judge that runs a language model, padded, through its own forward pass."""

    architecture = CausalLanguageModel()
    default_template = CHAT_TEMPLATE

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        return CompletionEncoder(loaded.tokenizer, self._template, **options)

    def _outputs_per_token(self) -> int:
        return int(self._checkpoint.config.vocab_size)

    def _resolve_batching(self, requested: str) -> tuple[str, bool]:
        served = self._attention in (ANY_ATTENTION, *PADDED_KERNELS)
        if requested not in (AUTO, PADDED) or not served or self._compiled:
            raise ConfigurationError(
                f"judge={self.name} runs texts padded: batching={PADDED}, attn_implementation "
                f"{ANY_ATTENTION} or one of {', '.join(PADDED_KERNELS)}, and no torch_compile. "
                f"It was given batching={requested}, attn_implementation={self._attention}, "
                f"torch_compile={self._compiled}."
            )
        return resolve_batching(PADDED, self._checkpoint.config)

    def _capabilities(self) -> Capabilities:
        return Capabilities(token_rewards=True, likelihoods=True)

    def _load_language_model(self, checkpoint: Checkpoint) -> Any:
        from transformers import AutoModelForCausalLM

        return load_own_forward(
            AutoModelForCausalLM,
            checkpoint,
            self._dtype,
            self._device,
            parallelize=self._parallelize,
            attention=None if self._attention == ANY_ATTENTION else self._attention,
            quantization=self._quantization,
        )
