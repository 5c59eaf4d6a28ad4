"""The judge for `AutoModelForSequenceClassification` with one label.

The reward is the logit. A decoder's logit is computed at the last token that is not its
configuration's padding token, as in transformers; decoders of Llama-like families are run without
padding, with final norm and head in float32. Every other family runs through its own forward pass,
padded, in its dtype.
"""

from __future__ import annotations

import logging
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.classifier_families import SEES_PADDING
from ultrarm_eval.checkpoints.conversion_record import RECORD, ConversionRecord, recorded
from ultrarm_eval.checkpoints.converted_decoder import ConvertedDecoder
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES, DecoderRewardModel
from ultrarm_eval.checkpoints.recommended_length import tokenizer_length
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import resolve_batching
from ultrarm_eval.engine.classifier_runner import ClassifierRunner
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import DecoderHead, RewardHead, own_forward
from ultrarm_eval.setting import AUTO
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.text_end import TextEnd
from ultrarm_eval.text_format.text_pair import (
    PAIR_TEMPLATE,
    PairEncoder,
    pair_template,
    reads_token_types,
)
from ultrarm_eval.text_format.textual_tokenizer import closing_ids
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)


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
            "most of RewardBench's leaderboard. Template `chat`, for encoders `pair` (prompt and "
            "completion as the tokenizer's text pair, with token types)"
        )

    def make_head(self, loaded: LoadedTokenizer) -> RewardHead:
        """See `CheckpointJudge.make_head`."""
        tokenizer, config = loaded.tokenizer, self.checkpoint.config
        record = recorded(self.checkpoint.name, {RECORD: getattr(config, RECORD, None)})
        if record is not None:
            return ConvertedReward(self.checkpoint, record)
        is_encoder = bool(closing_ids(tokenizer.backend_tokenizer))
        is_ours = isinstance(self.checkpoint.network, DecoderRewardModel)
        unread = None
        if is_ours or not is_encoder:
            unread = self._unread_id(loaded)
        if is_ours:
            return DecoderLogit(self.checkpoint, unread)
        return Logit(self.checkpoint, tokenizer, unread, is_encoder=is_encoder)

    def kind_of(self, survey: Survey) -> Architecture:
        """See `CheckpointJudge.kind_of`; a converted decoder is treated as its original type."""
        is_ours = survey.model_type in DECODER_FAMILIES
        is_converted = recorded(survey.name, survey.values) is not None
        return ConvertedDecoder() if is_converted and not is_ours else self.architecture

    def _unread_id(self, loaded: LoadedTokenizer) -> int | None:
        """The token that a decoder skips at the end of a text: its configuration's padding token.

        If that is also EOS, transformers' own class reads before the EOS that ends a text. The head
        was trained with the same class, so this is where it has to be read.
        """
        checkpoint, tokenizer = self.checkpoint, loaded.tokenizer
        unread = checkpoint.config.pad_token_id
        if self.given.parity is not None:
            # As the official run sets it (run_rm.py), if tokenizer or configuration have none.
            padding, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
            unread = eos if padding is None else padding if unread is None else unread
        if unread is None or unread < 0:
            logger.info(
                "%s names no padding token: rewards are computed at each text's last token.",
                checkpoint.name,
            )
            return None
        if unread in _eos_ids(checkpoint.config, tokenizer):
            logger.info(
                "The padding token of %s is also EOS (id %d): like transformers' own class, the "
                "judge computes the reward before such tokens at the end of a text.",
                checkpoint.name,
                unread,
            )
        return int(unread)


class DecoderLogit(DecoderHead):
    """The logit of a supported decoder, computed without padding if its family allows that."""

    def __init__(self, checkpoint: Checkpoint, unread_id: int | None) -> None:
        """Takes the checkpoint; its network is a `DecoderRewardModel`.

        Args:
            checkpoint: The checkpoint.
            unread_id: The token that is skipped at the end of a text; None if there is none.
        """
        super().__init__(checkpoint, closes_texts=True, unread_id=unread_id)
        self._unread_id = unread_id

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """See `RewardHead.text_end`."""
        return None

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return _identity(self.checkpoint, self._unread_id)

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        return _template(requested or default, tokenizer)


class ConvertedReward(DecoderHead):
    """The head of a converted checkpoint; its texts are those of the judge it was converted from.

    It is computed at a text's last token: the conversion chose a padding token that ends no text.
    """

    def __init__(self, checkpoint: Checkpoint, record: ConversionRecord) -> None:
        """Takes the checkpoint; its network is a `DecoderRewardModel`.

        Args:
            checkpoint: The checkpoint.
            record: The record of the conversion in its config.json.
        """
        super().__init__(checkpoint)
        self.record = record
        where = f"{checkpoint.name}: config.json: {RECORD}"
        self._end = TextEnd.from_json(record.text_end, where)

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """See `RewardHead.text_end`."""
        return self._end

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        return get_template(requested or self.record.template, tokenizer)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        name = self.checkpoint.name
        return self._end.encoder(loaded.tokenizer, template, name=name, **options)


class Logit(RewardHead):
    """The logit of a model of any other family, run padded through its own forward pass."""

    def __init__(
        self, checkpoint: Checkpoint, tokenizer: Any, unread_id: int | None, *, is_encoder: bool
    ) -> None:
        """Takes the checkpoint.

        Args:
            checkpoint: The checkpoint.
            tokenizer: Its tokenizer.
            unread_id: The token that a decoder skips at the end of a text; None if there is none.
            is_encoder: Whether the tokenizer adds an end token, as an encoder's does.
        """
        super().__init__(checkpoint)
        self._tokenizer, self.unread_id = tokenizer, unread_id
        self._is_encoder = is_encoder
        self._has_token_types = False

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return _identity(self.checkpoint, self.unread_id)

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        if requested is None and self._is_encoder and not tokenizer.chat_template:
            requested = PAIR_TEMPLATE
        return _template(requested or default, tokenizer)

    def why_not_served(self) -> str | None:
        """See `RewardHead.why_not_served`."""
        return "an encoder uses all tokens of a text" if self._pools else None

    def read_at(self, text: Tokens) -> tuple[int, ...]:
        """See `RewardHead.read_at`; which tokens an encoder pools depends on its class."""
        return () if self._pools else super().read_at(text)

    @property
    def _pools(self) -> bool:
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

        family = self.checkpoint.config.model_type
        return self._is_encoder or family in MODEL_FOR_MASKED_LM_MAPPING_NAMES

    def positions(self) -> int | None:
        """See `RewardHead.positions`."""
        positions, named = super().positions(), tokenizer_length(self._tokenizer)
        # An encoder's configuration may include positions that no token can have.
        if not self._is_encoder or named is None:
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
                f"torch_compile supports {', '.join(DECODER_FAMILIES)} models; this is a {family} "
                "model. Remove torch_compile."
            )
        if requested not in (AUTO, PADDED):
            raise ConfigurationError(
                f"batching={requested} is not exact for {self.checkpoint.name}: a {family} model "
                f"is run padded, through its own forward pass. Use batching={AUTO} or "
                f"batching={PADDED}."
            )
        if computing.attention not in (AUTO, *PADDED_KERNELS):
            raise ConfigurationError(
                f"attn_implementation={computing.attention}: a {family} model is run padded, "
                f"through its own forward pass. Use {AUTO} or one of {', '.join(PADDED_KERNELS)}."
            )
        logger.info(
            "Texts are padded instead of packed: only %s models can be computed exactly without "
            "padding, and this is a %s model.",
            ", ".join(DECODER_FAMILIES),
            family,
        )
        seen = SEES_PADDING.get(family)
        if seen is not None:
            logger.warning("Texts are computed one at a time instead of in batches: %s.", seen)
            return PADDED, False
        # An encoder is bidirectional, and a mask hides padding from it.
        return resolve_batching(PADDED, self.checkpoint.config, is_masked=self._is_encoder)

    def runner(self, computing: Computing, batching: str) -> ClassifierRunner:
        """See `RewardHead.runner`."""
        from transformers import AutoModelForSequenceClassification

        model = own_forward(AutoModelForSequenceClassification, self.checkpoint, computing)
        if self.unread_id is not None:
            model.config.pad_token_id = self.unread_id
        return ClassifierRunner(model, has_token_types=self._has_token_types)


def _identity(checkpoint: Checkpoint, unread_id: int | None) -> dict[str, Any]:
    """The skipped token, if it is not the configuration's: that one is in the hash already."""
    configured = checkpoint.config.pad_token_id
    return {} if unread_id in (None, configured) else {"unread_id": unread_id}


def _eos_ids(config: Any, tokenizer: Any) -> set[int]:
    """The tokens that end texts, according to the configuration and the tokenizer."""
    named = getattr(config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return {one for one in (*several, tokenizer.eos_token_id) if one is not None}


def _template(name: str, tokenizer: Any) -> Template:
    return pair_template(tokenizer) if name == PAIR_TEMPLATE else get_template(name, tokenizer)
