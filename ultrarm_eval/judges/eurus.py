r"""The Eurus-RM judge: a Mistral backbone with UltraRM's head.

`openbmb/Eurus-RM-7b` stores the backbone under ``model.`` and ``regression_head.weight``; its
reward is the head's output at the last attended token. Its own code is never executed.

Its model card (huggingface.co/openbmb/Eurus-RM-7b) says "we use the same template as
Mistral-Instruct-v0.2", ``[INST] {instruction} [/INST] {completion}``: the default here, `mistral`.
The card's printed example writes ``[\INST]`` with a backslash; `eurus-card` gives that.
"""

from __future__ import annotations

from ultrarm_eval.checkpoints.scalar_decoder import EURUS
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.reward_head import DecoderHead


class EurusJudge(CheckpointJudge):
    """Scores texts with a Mistral reward model in Eurus-RM's layout."""

    name = "eurus"
    architecture = EURUS
    default_template = "mistral"
    default_checkpoint = "openbmb/Eurus-RM-7b"

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return f"a Mistral decoder with `regression_head.weight`: {super().takes()}"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return DecoderHead(self.checkpoint)
