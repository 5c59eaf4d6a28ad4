"""`head=NAME`: your own head on a decoder, computed at the last token.

The head is a linear layer, or several with ReLUs between, depending on its weights. The text is
rendered with the chat template.
"""

from __future__ import annotations

import logging
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import REWARD_HEAD
from ultrarm_eval.checkpoints.named_head import NamedHead
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judge_settings import NamedHeadSettings
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

logger = logging.getLogger(__name__)


class NamedHeadJudge(HeadedJudge):
    """Scores texts with a head that the user names."""

    name = "value-head"
    settings_class = NamedHeadSettings
    architecture = NamedHead()
    chosen_by = "head"
    given: NamedHeadSettings

    def kind_of(self, survey: Survey) -> Architecture:
        """See `CheckpointJudge.kind_of`."""
        return NamedHead(self.given.head)

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        checkpoint = self.checkpoint
        named = [str(one) for one in getattr(checkpoint.config, "architectures", None) or ()]
        classifier = next((one for one in named if one.endswith(CLASS_ENDING)), None)
        if classifier is not None:
            logger.warning(
                "head=%s uses the last token of a text, but config.json of %s names the class %s, "
                "and such classes of transformers use the last token that is not padding (id %s). "
                "Rewards may differ; without head=, judge=%s finds the judge that matches the "
                "class.",
                self.given.head,
                checkpoint.name,
                classifier,
                getattr(checkpoint.config, "pad_token_id", None),
                AUTO_JUDGE,
            )
        if isinstance(getattr(checkpoint.network, REWARD_HEAD), nn.Sequential):
            logger.warning(
                "head=%s of %s has several layers. A ReLU is assumed between them, because the "
                "weights do not state the activation: check that this is right.",
                self.given.head,
                checkpoint.name,
            )
        return NamedReward(checkpoint, self.given.head)


class NamedReward(DecoderHead):
    """The named head at the last token."""

    def __init__(self, checkpoint: Checkpoint, head: str | None) -> None:
        """Takes the checkpoint, and the head as the user named it."""
        super().__init__(checkpoint)
        self._head = head

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {"head": self._head}

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return self.settings()
