"""Judges for decoders with a head that transformers does not have."""

from __future__ import annotations

from typing import Any, ClassVar

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE

__all__ = ["HeadedJudge"]


class HeadedJudge(CheckpointJudge):
    """Scores texts with a decoder and its own head, computed at the text's last token.

    A judge that reads other tokens, or encodes texts differently, overrides `make_head`.
    """

    architecture: ClassVar[HeadedDecoder]
    default_template = CHAT_TEMPLATE

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return DecoderHead(self.checkpoint)

    def _identity(self) -> dict[str, Any]:
        # Another judge may read the same files in another way.
        return {**super()._identity(), "judge": self.name}
