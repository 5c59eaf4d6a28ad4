"""Starling-RM (berkeley-nest/Starling-RM-7B-alpha, Nexusflow/Starling-RM-34B): a head in pickles.

From the model cards, copied in RewardBench's rewardbench/models/starling.py: `v_head` at the last
token of the text, on a Llama whose weights are named `transformer.*`. The 7B's file contains them a
second time as `model.model.*`, and that repository has neither config.json nor tokenizer: those of
meta-llama/Llama-2-7b-chat-hf have to be copied next to its weights. The 34B's config.json names a
class of transformers, which uses another head.
"""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.known_head import KnownHead
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.first_pad_encoder import FirstPadEncoder
from ultrarm_eval.text_format.plain_templates import STARLING_34B_TEMPLATE, STARLING_TEMPLATE
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.text_end import TextEnd

_BODY, _TURN, _PAD_ID = "transformer.", "<|im_start|>", 0
_OWN_CLASS = "GPTRewardModel"


class Starling(KnownHead):
    """The checkpoint of a Starling-RM."""

    known_as = "Starling-RM"
    reading = "a linear head at the last token"
    classes = frozenset({_OWN_CLASS, "LlamaForSequenceClassification"})
    families = frozenset({"llama"})
    head, body = "v_head", _BODY
    # The same weights again, and the head of the language model that it was trained from.
    not_read = (r"^model\.model\.", r"^model\.lm_head\.weight$")

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; by the weights where the class is one of transformers."""
        return _OWN_CLASS in survey.classes or (
            survey.model_type in self.families
            and f"{self.head}.weight" in survey.keys
            and any(key.startswith(_BODY) for key in survey.keys)
        )


class StarlingJudge(HeadedJudge):
    """Scores texts with a Starling-RM."""

    name = "starling"
    architecture = Starling()
    default_template = STARLING_TEMPLATE
    default_checkpoint = "Nexusflow/Starling-RM-34B"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return StarlingHead(self.checkpoint)


class StarlingHead(DecoderHead):
    """The head at the last token, or before the first padding in a text of the 34B."""

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`; the 34B's tokenizer has the tokens of its turns."""
        if requested is None and _has_turns(tokenizer):
            requested = STARLING_34B_TEMPLATE
        return get_template(requested or default, tokenizer)

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """See `RewardHead.text_end`."""
        return TextEnd(cut_before_id=_pad_id(tokenizer))

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        pad_id = _pad_id(loaded.tokenizer)
        return FirstPadEncoder(loaded.tokenizer, template, pad_id=pad_id, **options)


def _pad_id(tokenizer: Any) -> int | None:
    """The padding token before whose first occurrence a text is read; None for the last token."""
    # The 7B's code uses BOS as padding, and every text begins with BOS.
    return _PAD_ID if _has_turns(tokenizer) else None


def _has_turns(tokenizer: Any) -> bool:
    return _TURN in tokenizer.get_vocab()
