"""The judge for `AutoModelForSequenceClassification` with one label: most of RewardBench's board.

The reward is the logit. A decoder's is read at the last token that is not its configuration's
padding token, as transformers does; decoders of Llama's make are run over rows without padding,
with final norm and head in float32. Every other family runs through its own forward pass, padded,
in its dtype.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.checkpoints.architecture import HEAD, SequenceClassification
from ultrarm_eval.checkpoints.decoder_reward_model import (
    DECODER_FAMILIES,
    DecoderRewardModel,
    decoder_class,
)
from ultrarm_eval.checkpoints.model_loading import load_own_forward
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import AUTO, resolve_batching
from ultrarm_eval.engine.classifier_runner import ClassifierRunner
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.kernels.choice import AUTO as ANY_ATTENTION
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.decoder_judge import DecoderJudge
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import CHAT_TEMPLATE, Template, get_template
from ultrarm_eval.text_format.text_pair import (
    PAIR_TEMPLATE,
    PairEncoder,
    pair_template,
    reads_token_types,
)
from ultrarm_eval.text_format.textual_tokenizer import closing_id

logger = logging.getLogger(__name__)

# A tokenizer without a limit of its own names one of 30 digits.
_NO_LIMIT = 10**9


class SequenceClassificationJudge(DecoderJudge):
    """Scores texts with a sequence classification model that has one label."""

    name = "sequence-classification"
    architecture = SequenceClassification()
    default_template = CHAT_TEMPLATE
    _has_token_types = False

    @property
    def _is_decoder(self) -> bool:
        return self._checkpoint.config.model_type in DECODER_FAMILIES

    @property
    def _is_encoder(self) -> bool:
        """Whether the tokenizer closes texts, as encoders' do."""
        closing = closing_id(self._tokenizer.backend_tokenizer)
        return not self._is_decoder and closing is not None

    def _model_class(self) -> type[DecoderRewardModel]:
        return decoder_class(self._checkpoint.config.model_type, HEAD)

    def _find_template(self, requested: str | None) -> Template:
        if requested is None and self._is_encoder and not self._tokenizer.chat_template:
            requested = PAIR_TEMPLATE
        if requested == PAIR_TEMPLATE:
            return pair_template(self._tokenizer)
        return get_template(requested or self.default_template, self._tokenizer)

    def _positions(self) -> int | None:
        positions = super()._positions()
        named = int(self._tokenizer.model_max_length)
        # An encoder's configuration may count positions that no token can have.
        if not self._is_encoder or named > _NO_LIMIT:
            return positions
        return named if positions is None else min(named, positions)

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        options = {**options, "closes_texts": True}
        if self._is_decoder:
            unread = self._checkpoint.config.pad_token_id
            return super()._make_encoder(loaded, **options, unread_id=unread)
        has_types = reads_token_types(self._tokenizer, self._checkpoint.network)
        self._has_token_types = has_types and self._template.name == PAIR_TEMPLATE
        if self._has_token_types:
            return PairEncoder(loaded.tokenizer, self._template, **options)
        return super()._make_encoder(loaded, **options)

    def _resolve_batching(self, requested: str) -> tuple[str, bool]:
        if self._is_decoder:
            return super()._resolve_batching(requested)
        family = self._checkpoint.config.model_type
        if self._compiled:
            raise ConfigurationError(
                f"torch_compile is for {', '.join(DECODER_FAMILIES)} models; this is a {family} "
                "model. Leave it out."
            )
        if requested not in (AUTO, PADDED) or self._attention not in (
            ANY_ATTENTION,
            *PADDED_KERNELS,
        ):
            raise ConfigurationError(
                f"batching={requested}, attn_implementation={self._attention}: a {family} model is "
                f"run padded, through its own forward pass. Use batching={PADDED} and "
                f"attn_implementation {ANY_ATTENTION} or one of {', '.join(PADDED_KERNELS)}."
            )
        logger.info(
            "Texts are padded and not packed: rows without padding are exact for %s models, and "
            "this is a %s model.",
            ", ".join(DECODER_FAMILIES),
            family,
        )
        config = self._checkpoint.config
        # An encoder is bidirectional, and a mask keeps it from padding.
        return PADDED, self._is_encoder or resolve_batching(PADDED, config)[1]

    def _load_runner(self) -> Runner:
        if self._is_decoder:
            return super()._load_runner()
        from transformers import AutoModelForSequenceClassification

        model = load_own_forward(
            AutoModelForSequenceClassification,
            self._checkpoint,
            self._dtype,
            self._device,
            parallelize=self._parallelize,
            attention=None if self._attention == ANY_ATTENTION else self._attention,
            quantization=self._quantization,
        )
        return ClassifierRunner(model, has_token_types=self._has_token_types)

    def _capabilities(self) -> Capabilities:
        return super()._capabilities() if self._is_decoder else Capabilities()

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """See `CheckpointJudge.score_one_at_a_time`."""
        if self._is_decoder:
            return super().score_one_at_a_time(prompts, completions)
        return CheckpointJudge.score_one_at_a_time(self, prompts, completions)
