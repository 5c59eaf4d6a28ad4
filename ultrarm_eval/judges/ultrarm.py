"""The UltraRM judge: any Llama checkpoint with a `regression_head`, scored in batches."""

from __future__ import annotations

from ultrarm_eval.checkpoints.scalar_decoder import ULTRARM
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges import DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.text_format.plain_templates import DEFAULT_TEMPLATE


class UltraRMJudge(CheckpointJudge):
    """Scores texts with a Llama reward model in UltraRM's layout."""

    name = DEFAULT_JUDGE
    architecture = ULTRARM
    default_template = DEFAULT_TEMPLATE
    default_checkpoint = DEFAULT_CHECKPOINT

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return f"a Llama decoder with `regression_head.weight`: {super().takes()}"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return DecoderHead(self.checkpoint)
