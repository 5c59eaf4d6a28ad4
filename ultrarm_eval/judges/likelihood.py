"""The judge that takes a language model's log-likelihood of the completion for its reward."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.engine.likelihood_runner import MEAN, REDUCTIONS, LikelihoodRunner
from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.judges.language_model import LanguageModelJudge


class LikelihoodJudge(LanguageModelJudge):
    """Scores completions by how likely a causal language model finds them, given the prompt.

    What the template writes behind the completion, a chat template's end of turn, is predicted
    with it. An empty completion without such an end is scored as the EOS token.
    """

    name = "likelihood"

    def __init__(
        self, pretrained: str | None = None, *, reduction: str = MEAN, **settings: Any
    ) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder or a hub id.
            reduction: `mean` over the completion's tokens, or `sum`.
            **settings: See `CheckpointJudge`; the template is `chat` if none is named.

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        if reduction not in REDUCTIONS:
            raise unknown_choice("reduction", reduction, REDUCTIONS)
        self._reduction = reduction
        super().__init__(pretrained, **settings)

    def _identifying(self) -> dict[str, Any]:
        return {**super()._identifying(), "judge": self.name, "reduction": self._reduction}

    def _load_runner(self) -> LikelihoodRunner:
        return LikelihoodRunner(self._load_language_model(self._checkpoint), self._reduction)

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {**super().settings(), "reduction": self._reduction}
