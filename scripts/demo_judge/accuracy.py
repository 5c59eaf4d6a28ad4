"""The metric, in plain loops, and the judges that know nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

from demo_judge.preferences import RatedPrompt

Rewards = Sequence[float]


def count_pairs(prompts: Sequence[RatedPrompt]) -> int:
    """Counts the pairs of completions whose means differ."""
    pairs = 0
    for prompt in prompts:
        for i in range(len(prompt.means)):
            for j in range(i):
                pairs += prompt.means[i] != prompt.means[j]
    return pairs


def accuracy(prompts: Sequence[RatedPrompt], rewards: Sequence[Rewards]) -> float:
    """The mean over prompts of the share of their pairs that the rewards order rightly.

    Args:
        prompts: The prompts; one without a pair of different means does not count.
        rewards: For every prompt the rewards of its completions. Equal rewards score one half.
    """
    shares = []
    for prompt, prompt_rewards in zip(prompts, rewards, strict=True):
        scores = []
        for i in range(len(prompt.means)):
            for j in range(i):
                if prompt.means[i] == prompt.means[j]:
                    continue
                better, worse = (i, j) if prompt.means[i] > prompt.means[j] else (j, i)
                if prompt_rewards[better] == prompt_rewards[worse]:
                    scores.append(Fraction(1, 2))
                else:
                    scores.append(Fraction(prompt_rewards[better] > prompt_rewards[worse]))
        if scores:
            shares.append(sum(scores, Fraction(0)) / len(scores))
    return float(sum(shares, Fraction(0)) / len(shares))


def baseline_accuracies(prompts: Sequence[RatedPrompt], random_seed: int) -> dict[str, float]:
    """Accuracies of judges that read nothing: longest, shortest, and a coin."""
    rng = Random(random_seed)
    judges: dict[str, Callable[[str], float]] = {
        "pick_longest": lambda response: float(len(response)),
        "pick_shortest": lambda response: -float(len(response)),
        "random": lambda _: rng.random(),
    }
    return {
        name: accuracy(prompts, [[judge(response) for response in p.responses] for p in prompts])
        for name, judge in judges.items()
    }
