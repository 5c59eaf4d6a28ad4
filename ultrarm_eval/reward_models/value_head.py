"""`head=NAME`: a head of one's own behind a decoder, read at the last token.

The head is a linear layer, or several with a ReLU between, as its weights are. The text is the chat
template's.
"""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.named_head import NamedHead
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.settings import NamedHeadSettings


class NamedHeadJudge(HeadedJudge):
    """Scores texts with a head that the user names."""

    name = "value-head"
    settings_class = NamedHeadSettings
    architecture = NamedHead()
    given: NamedHeadSettings

    def kind_of(self, source: str) -> Architecture:
        """See `CheckpointJudge.kind_of`."""
        return NamedHead(self.given.head)

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return NamedReward(self.checkpoint, self.given.head)


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
