"""Scoring on servers of the tests: what came of it, and what is kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.server.reward_server import RewardServer
from tests.engine.server.texts import COMPLETIONS, PROMPTS
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.judges.loading import load_judge, make_judge

#: What rewards of another engine may differ by.
CLOSE = 1e-4


def served_judge(
    checkpoint: Path, servers: Sequence[RewardServer], *, loads: bool = True, **settings: Any
) -> Any:
    """Our judge, that has servers compute; few texts a request, so that there are many."""
    urls = ";".join(server.url for server in servers)
    given = {"engine": "server", "base_url": urls, "batch_size": 4, "max_retries": 3, **settings}
    if loads:
        return load_judge(str(checkpoint), judge="ultrarm", **given)
    return make_judge("ultrarm", {"pretrained": str(checkpoint), **given})


def mostly_slow(cases: Iterable[str], quick: Collection[str]) -> list[Any]:
    """Cases of a test, of which a few are for the quick run."""
    return [
        pytest.param(one, marks=() if one in quick else pytest.mark.slow, id=one) for one in cases
    ]


@dataclass
class Outcome:
    """What came of scoring.

    Attributes:
        rewards: The rewards, by the number of their completion; those that came before an error.
        error: The named error that ended it, if one did.
        stored: The rewards that the store holds.
    """

    rewards: dict[int, float] = field(default_factory=dict)
    error: UltrarmEvalError | None = None
    stored: dict[int, float] = field(default_factory=dict)

    @property
    def said(self) -> str:
        return str(self.error)

    def require_right(self, expected: Sequence[float]) -> None:
        """No wrong reward was handed out or stored, and none is missing without an error."""
        for found in (self.rewards, self.stored):
            for number, reward in found.items():
                assert reward == pytest.approx(expected[number], abs=CLOSE), number
        if self.error is None:
            assert sorted(self.rewards) == list(range(len(expected)))


def score(judge: Any, prompts: Sequence[str] = PROMPTS, completions: Sequence[str] = COMPLETIONS):
    """Scores texts as far as it goes; every error but a named one is a fault of ours."""
    outcome = Outcome()
    try:
        judge.load()
        for index, reward in judge.score_stream(prompts, completions):
            outcome.rewards[index] = reward
    except UltrarmEvalError as error:
        outcome.error = error
    outcome.stored = stored(judge, prompts, completions)
    return outcome


def stored(judge: Any, prompts: Sequence[str], completions: Sequence[str]) -> dict[int, float]:
    """What the judge's store holds of texts."""
    store = judge.opened_store()
    if store is None:
        return {}
    texts = [judge.encoded(p, c).identity for p, c in zip(prompts, completions, strict=True)]
    found = store.find(texts)
    return {number: found[text] for number, text in enumerate(texts) if text in found}


def asked(servers: Sequence[RewardServer], judge: Any) -> Counter[int]:
    """How often each completion was computed, and the answer sent; by its number."""
    texts = [tuple(judge.encoded(p, c)) for p, c in zip(PROMPTS, COMPLETIONS, strict=True)]
    return Counter(
        {
            number: count
            for number, text in enumerate(texts)
            if (count := sum(server.computed[text] for server in servers))
        }
    )
