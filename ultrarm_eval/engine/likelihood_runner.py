"""Log-likelihoods of completions under causal language models."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.engine.rows import padded_right
from ultrarm_eval.engine.runner import PaddedRunner
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.settings import REDUCTIONS
from ultrarm_eval.text_format.tokens import Tokens

_MEAN, _ = REDUCTIONS
_PADDING_ID = 0


class LikelihoodRunner(PaddedRunner):
    """A language model, and how its log-likelihoods become a reward."""

    def __init__(self, model: Any, reduction: str) -> None:
        """Prepares the model.

        Args:
            model: The language model, in evaluation mode.
            reduction: `mean` over the completion's tokens, or `sum`.
        """
        self.model = model
        self._reduction = reduction
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts that state where the completion starts.

        Returns:
            float64, shape (texts,): a sum of hundreds of terms needs the digits.
        """
        with self._running, torch.inference_mode():
            return summed_log_likelihoods(self.model, texts, mean=self._reduction == _MEAN)

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """The sum, or the mean, so far after each token of a completion.

        Args:
            text: A text that says where the completion starts.

        Returns:
            float64, shape (the completion's tokens,).
        """
        with self._running, torch.inference_mode():
            (found,) = log_likelihoods(self.model, [text])
        sums = found.cumsum(0)
        return sums / torch.arange(1, len(sums) + 1) if self._reduction == _MEAN else sums


class PreferenceRunner(PaddedRunner):
    """A language model and its reference: the implicit reward of direct preference optimization.

    beta * (log p(completion | prompt) - log p_reference(completion | prompt)), Rafailov et al.,
    arXiv 2305.18290, equation 5 without the term that depends only on the prompt.
    """

    def __init__(self, model: Any, reference: Any, beta: float) -> None:
        """Prepares the models.

        Args:
            model: The language model, in evaluation mode.
            reference: The reference model, in evaluation mode.
            beta: The factor.
        """
        self.model, self._reference, self._beta = model, reference, beta
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts that say where the completion starts, float64, shape (texts,)."""
        with self._running, torch.inference_mode():
            tuned = summed_log_likelihoods(self.model, texts)
            return self._beta * (tuned - summed_log_likelihoods(self._reference, texts))

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """The reward so far after each token of a completion.

        Args:
            text: A text that says where the completion starts.

        Returns:
            float64, shape (the completion's tokens,).
        """
        with self._running, torch.inference_mode():
            (tuned,) = log_likelihoods(self.model, [text])
            (before,) = log_likelihoods(self._reference, [text])
        return self._beta * (tuned - before).cumsum(0)


def summed_log_likelihoods(
    model: Any, texts: Sequence[Tokens], *, mean: bool = False
) -> torch.Tensor:
    """Natural log-likelihoods of the completions' tokens.

    Args:
        model: The language model.
        texts: Texts that say where the completion starts.
        mean: Divide by the number of the completion's tokens.

    Returns:
        float64 on the CPU, shape (texts,).
    """
    found = log_likelihoods(model, texts)
    return torch.stack([terms.mean() if mean else terms.sum() for terms in found])


def log_likelihoods(model: Any, texts: Sequence[Tokens]) -> list[torch.Tensor]:
    """Natural log-likelihoods of each token of the completions.

    Args:
        model: The language model.
        texts: Texts that say where the completion starts.

    Returns:
        For each text float64 on the CPU, shape (the completion's tokens,).
    """
    ids, mask = padded_right(texts, _PADDING_ID, model.device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    every = []
    for row, text in enumerate(texts):
        start, stop = text.start, len(text)
        if start is None:
            raise ScoringError("A text does not state where its completion starts.")
        # The position before a token predicts it.
        predicted = logits[row, start - 1 : stop - 1].float().log_softmax(-1)
        targets = ids[row, start:stop, None].to(predicted.device)
        every.append(predicted.gather(-1, targets).cpu().double()[:, 0])
    return every
