"""Win rate of answers against references, raw and length-controlled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.rules import TIE_CREDITS

__all__ = ["win_credit", "answer_metrics", "length_controlled_win_rate"]

_MAX_ITERATIONS = 100
# Newton's method converges quadratically: after a step this short it has converged.
_LONGEST_LAST_STEP = 1e-9


def win_credit(reward: float, reference: float) -> float:
    """The credit of an answer against its reference: 1 for a win, 0.5 for a tie, 0 for a loss.

    Raises:
        ScoringError: A reward is not finite.
    """
    for value, whose in ((reward, "answer"), (reference, "reference")):
        if not math.isfinite(value):
            raise ScoringError(
                f"The {whose} has the reward {float(value)}; a judge has to give every text a "
                "finite number."
            )
    return TIE_CREDITS["half"] if reward == reference else float(reward > reference)


def answer_metrics(
    answer: str, reward: float | None, reference: str, reference_reward: float | None
) -> dict[str, object]:
    """The metrics of a prompt with one answer.

    Args:
        answer: The answer.
        reward: Its reward; None where the judge gave none.
        reference: The reference.
        reference_reward: The reference's reward, or None.

    Returns:
        `reward`, `win_rate` (1, one half for a tie, or 0) and `win_rate_length_controlled` (the win
        with the difference in characters, pooled over prompts); none without a reward, and only
        the first without the reference's reward.
    """
    if reward is None:
        return {}
    metrics: dict[str, object] = {"reward": reward}
    if reference_reward is not None:
        credit = win_credit(reward, reference_reward)
        metrics["win_rate"] = credit
        metrics["win_rate_length_controlled"] = (credit, len(answer) - len(reference))
    return metrics


def length_controlled_win_rate(
    win_credits: Sequence[float], length_differences: Sequence[float]
) -> float:
    """The win rate at equal length of answers and references, without a difficulty term.

    The credit y of a prompt with the length difference d is fitted by the logistic model

        P(win) = sigmoid(a + b tanh(d / s)),   s the standard deviation of d,

    and sigmoid(a) is reported: the model's chance of a win at difference 0. The fit minimizes

        sum of -y log P - (1 - y) log(1 - P)   +   (a^2 + b^2) / 2,

    so a tie is half a win and half a loss. It is the objective of scikit-learn's
    `LogisticRegression(C=1, fit_intercept=False)` on the columns 1 and tanh(d / s): the penalty on
    both coefficients gives all wins and all losses a finite answer, and pulls the rate of few
    prompts towards one half (a single win yields 0.60).

    After length-controlled AlpacaEval (Dubois et al. 2024, arXiv 2404.04475; `glm_winrate.py` of
    tatsu-lab/alpaca_eval), whose values it does not reproduce:

    - There is no term for the difficulty of a prompt. AlpacaEval's is fitted beforehand over the
      models of its leaderboard, which do not exist for other prompts and judges.
    - It adds no weighted copies of the baseline made concise and verbose, and takes no L1 penalty
      chosen by cross-validation, but the fixed L2 penalty above.
    - The deviation is the population's, and the credit is 1, 0.5 or 0, where AlpacaEval's
      annotator may give any probability.

    Where nearly all answers are longer than their references, length and quality cannot be
    separated, and much of the advantage remains: in simulations a judge that follows only length
    gets 0.46 to 0.58 while the mean difference is up to one standard deviation, and about 0.7 at
    two.

    Args:
        win_credits: The credit of each prompt, from 0 to 1.
        length_differences: The length of each prompt's answer minus that of its reference. Where
            all are equal, length explains nothing, and b is 0.

    Raises:
        ScoringError: There is no credit, the lengths differ, a number is out of its range, or the
            fit does not converge.
    """
    _check_credits(win_credits)
    if len(length_differences) != len(win_credits):
        raise ScoringError(
            f"There are {len(win_credits)} credits and {len(length_differences)} length "
            "differences; give one of each for every prompt."
        )
    for index, difference in enumerate(length_differences):
        if not math.isfinite(difference):
            raise ScoringError(
                f"Prompt {index} has the length difference {float(difference)}; a finite number "
                "is needed."
            )
    differences = np.array(length_differences, np.float64)
    # By their range: the computed deviation of equal numbers can be a rounding error above 0.
    varied = np.ptp(differences) > 0
    lengths = np.tanh(differences / differences.std()) if varied else np.zeros(len(differences))
    columns = np.column_stack([np.ones(len(differences)), lengths])
    intercept, _ = _fit(columns, np.array(win_credits, np.float64))
    return float(_sigmoid(intercept))


def _fit(columns: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coefficients of the penalized logistic model, by Newton's method.

    The penalty makes the loss strictly convex, with a Hessian of at least 1: there is one minimum,
    and a step is never ill-conditioned.
    """
    coefficients = np.zeros(columns.shape[1])
    loss = _loss(coefficients, columns, targets)
    for _ in range(_MAX_ITERATIONS):
        chances = _sigmoid(columns @ coefficients)
        gradient = columns.T @ (chances - targets) + coefficients
        weights = chances * (1 - chances)
        hessian = columns.T @ (columns * weights[:, None]) + np.eye(len(coefficients))
        step = np.linalg.solve(hessian, gradient)
        if np.linalg.norm(step) <= _LONGEST_LAST_STEP:
            return coefficients - step
        # A whole step can overshoot where the curvature grows on the way; a short enough one of
        # this direction never does.
        while (found := _loss(coefficients - step, columns, targets)) > loss + 1e-12 * abs(loss):
            step /= 2
        coefficients, loss = coefficients - step, found
    raise ScoringError(
        f"The length-controlled win rate of {len(targets)} prompts did not converge in "
        f"{_MAX_ITERATIONS} iterations. Please report this with the credits and lengths."
    )


def _loss(
    coefficients: NDArray[np.float64],
    columns: NDArray[np.float64],
    targets: NDArray[np.float64],
) -> float:
    logits = columns @ coefficients
    # -y log sigmoid(z) - (1 - y) log sigmoid(-z), without overflow.
    losses = np.logaddexp(0, logits) - targets * logits
    return float(losses.sum() + coefficients @ coefficients / 2)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    # 1 / (1 + exp(-z)), without overflow.
    return np.exp(-np.logaddexp(0, -logits))


def _check_credits(win_credits: Sequence[float]) -> None:
    if not len(win_credits):
        raise ScoringError("There is no win rate, because no prompt was compared with a reference.")
    for index, credit in enumerate(win_credits):
        # NaN is in no range.
        if not 0 <= credit <= 1:
            raise ScoringError(
                f"Prompt {index} has the credit {float(credit)}; it must be from 0 for a loss to 1 "
                "for a win."
            )
