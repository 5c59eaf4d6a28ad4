"""Athene-RM (Nexusflow/Athene-RM-8B, Athene-RM-70B): a linear layer at a token after the text.

The model card's class and pipeline append the tokenizer's CLS token to the conversation and read
its last occurrence; its id is hard-coded in that class. config.json names a class that exists
nowhere, and transformers' own would have two random labels.
"""

from __future__ import annotations

from ultrarm_eval.checkpoints.known_head import KnownHead
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

_CLS_ID = 128003


class Athene(KnownHead):
    """Athene-RM's checkpoint."""

    known_as = "Athene-RM"
    reading = f"a linear head at the CLS token ({_CLS_ID}), which is appended to the text"
    classes = frozenset(
        {"CustomAutoModelForSequenceClassification", "AtheneForSequenceClassification"}
    )
    families = frozenset({"llama"})
    head = "v_head"


class AtheneJudge(HeadedJudge):
    """Scores texts with Athene-RM."""

    name = "athene"
    architecture = Athene()
    gives_token_rewards = False
    default_checkpoint = "Nexusflow/Athene-RM-8B"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return DecoderHead(self.checkpoint, final_id=_CLS_ID)
