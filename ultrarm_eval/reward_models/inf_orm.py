"""INF-ORM (infly/INF-ORM-Llama3.1-70B): two layers at the token before the first padding.

From the class on its model card, copied in RewardBench's rewardbench/models/inform.py: hidden to
hidden, ReLU, hidden to 1, both with biases, at the token before the first padding token of
config.json, or at the last token of a text without one.
"""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.known_head import TWO_LAYERS, KnownHead
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.first_pad_encoder import FirstPadEncoder
from ultrarm_eval.text_format.template import Template


class InfORM(KnownHead):
    """INF-ORM's checkpoint."""

    known_as = "INF-ORM"
    reading = "two layers with a ReLU between them, at the token before the first padding token"
    classes = frozenset({"INFORMForSequenceClassification"})
    families = frozenset({"llama"})
    head, parts = "score", TWO_LAYERS


class InfORMJudge(HeadedJudge):
    """Scores texts with INF-ORM."""

    name = "inf-orm"
    architecture = InfORM()
    default_checkpoint = "infly/INF-ORM-Llama3.1-70B"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return FirstPadHead(self.checkpoint)


class FirstPadHead(DecoderHead):
    """A head at the token before the first padding token of config.json."""

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        pad_id = getattr(self.checkpoint.config, "pad_token_id", None)
        return FirstPadEncoder(loaded.tokenizer, template, pad_id=pad_id, **options)
