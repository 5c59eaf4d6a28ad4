"""The judge whose reward is a language model's log-likelihood of the completion."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.likelihood_runner import LikelihoodRunner
from ultrarm_eval.judge_settings import LikelihoodSettings
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import LanguageModelHead
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE


class LikelihoodJudge(CheckpointJudge):
    """Scores completions by their log-likelihood under a causal language model, given the prompt.

    Text that the template writes after the completion, such as a chat template's end of turn,
    counts as part of it. An empty completion without such an end is scored as the EOS token.
    """

    name = "likelihood"
    settings_class = LikelihoodSettings
    given: LikelihoodSettings
    architecture = CausalLanguageModel()
    default_template = CHAT_TEMPLATE

    @classmethod
    def reads(cls) -> str:
        """See `CheckpointJudge.reads`."""
        return (
            "the mean or summed log-likelihood of the completion's tokens and of what the "
            "template writes after them"
        )

    def make_head(self, loaded: LoadedTokenizer) -> Likelihood:
        """See `CheckpointJudge.make_head`."""
        return Likelihood(self.checkpoint, self.given.reduction)


class Likelihood(LanguageModelHead):
    """The mean or the sum of the log-likelihoods of the completion's tokens."""

    name = LikelihoodJudge.name

    def __init__(self, checkpoint: Checkpoint, reduction: str) -> None:
        """Takes the checkpoint.

        Args:
            checkpoint: The checkpoint.
            reduction: `mean` or `sum`.
        """
        super().__init__(checkpoint)
        self._reduction = reduction

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {"reduction": self._reduction}

    def runner(self, computing: Computing, batching: str) -> LikelihoodRunner:
        """See `RewardHead.runner`."""
        return LikelihoodRunner(self.load(self.checkpoint, computing), self._reduction)
