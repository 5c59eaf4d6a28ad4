"""The judge for `AutoModelForSequenceClassification` with one label: most of RewardBench's board.

The reward is the logit. A decoder's is read at the last token that is not its configuration's
padding token, as transformers does; decoders of Llama's make are run over rows without padding,
with final norm and head in float32. Every other family runs through its own forward pass, padded,
in its dtype.
"""

from __future__ import annotations

import logging
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import resolve_batching
from ultrarm_eval.engine.classifier_runner import ClassifierRunner
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import DecoderHead, RewardHead, own_forward
from ultrarm_eval.settings import AUTO
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


class SequenceClassificationJudge(CheckpointJudge):
    """Scores texts with a sequence classification model that has one label."""

    name = "sequence-classification"
    architecture = SequenceClassification()
    default_template = CHAT_TEMPLATE

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return (
            "`AutoModelForSequenceClassification` with one label: Skywork-Reward, OpenAssistant, "
            "many of RewardBench's board; template `chat`, for encoders `pair` (prompt and "
            "completion as the tokenizer writes two texts, with its token types)"
        )

    def make_head(self, loaded: LoadedTokenizer) -> RewardHead:
        """See `CheckpointJudge.make_head`."""
        family = self.checkpoint.config.model_type
        if family in DECODER_FAMILIES:
            return DecoderLogit(self.checkpoint)
        return Logit(self.checkpoint, loaded.tokenizer)


class DecoderLogit(DecoderHead):
    """The logit of a decoder that is run over rows without padding."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Takes the checkpoint; its family is one of `DECODER_FAMILIES`."""
        unread = checkpoint.config.pad_token_id
        super().__init__(checkpoint, closes_texts=True, unread_id=unread)

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        return _template(requested or default, tokenizer)


class Logit(RewardHead):
    """The logit of a model of any other family, run padded through its own forward pass."""

    def __init__(self, checkpoint: Checkpoint, tokenizer: Any) -> None:
        """Takes the checkpoint and its tokenizer, which closes texts if it is an encoder's."""
        super().__init__(checkpoint)
        self._tokenizer = tokenizer
        self._is_encoder = closing_id(tokenizer.backend_tokenizer) is not None
        self._has_token_types = False

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        if requested is None and self._is_encoder and not tokenizer.chat_template:
            requested = PAIR_TEMPLATE
        return _template(requested or default, tokenizer)

    def positions(self) -> int | None:
        """See `RewardHead.positions`."""
        positions, named = super().positions(), int(self._tokenizer.model_max_length)
        # An encoder's configuration may count positions that no token can have.
        if not self._is_encoder or named > _NO_LIMIT:
            return positions
        return named if positions is None else min(named, positions)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        has_types = reads_token_types(self._tokenizer, self.checkpoint.network)
        self._has_token_types = has_types and template.name == PAIR_TEMPLATE
        encoder_class = PairEncoder if self._has_token_types else TextEncoder
        return encoder_class(loaded.tokenizer, template, closes_texts=True, **options)

    def batching(self, requested: str, computing: Computing, max_length: int) -> tuple[str, bool]:
        """See `RewardHead.batching`."""
        family = self.checkpoint.config.model_type
        if computing.compiled:
            raise ConfigurationError(
                f"torch_compile is for {', '.join(DECODER_FAMILIES)} models; this is a {family} "
                "model. Leave it out."
            )
        if requested not in (AUTO, PADDED) or computing.attention not in (AUTO, *PADDED_KERNELS):
            raise ConfigurationError(
                f"batching={requested}, attn_implementation={computing.attention}: a {family} "
                f"model is run padded, through its own forward pass. Use batching={PADDED} and "
                f"attn_implementation {AUTO} or one of {', '.join(PADDED_KERNELS)}."
            )
        logger.info(
            "Texts are padded and not packed: rows without padding are exact for %s models, and "
            "this is a %s model.",
            ", ".join(DECODER_FAMILIES),
            family,
        )
        # An encoder is bidirectional, and a mask keeps it from padding.
        return PADDED, self._is_encoder or resolve_batching(PADDED, self.checkpoint.config)[1]

    def runner(self, computing: Computing, batching: str) -> ClassifierRunner:
        """See `RewardHead.runner`."""
        from transformers import AutoModelForSequenceClassification

        model = own_forward(AutoModelForSequenceClassification, self.checkpoint, computing)
        return ClassifierRunner(model, has_token_types=self._has_token_types)


def _template(name: str, tokenizer: Any) -> Template:
    return pair_template(tokenizer) if name == PAIR_TEMPLATE else get_template(name, tokenizer)
