"""The judge of `ultrarm-eval score` and `judge`: rewards, from a score store if there is one."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ultrarm_eval.cli.judge_options import JudgeChoice
from ultrarm_eval.engine.score_store import FOUND_IN_STORE, ScoreStore, checked_store_path
from ultrarm_eval.errors import RewardError, ScoreStoreError, ScoringError, UnwritableTextError
from ultrarm_eval.judge_counts import judge_counts_in_words
from ultrarm_eval.judges.base import Judge, Judgement
from ultrarm_eval.judges.judgements import EqualRewards, check_texts, judgements_of, texts_from
from ultrarm_eval.judges.loading import load_weights, takes_setting
from ultrarm_eval.messages import Prompt, as_messages
from ultrarm_eval.runs.identity import mapping

logger = logging.getLogger(__name__)

# For a judge without its own store: texts scored before they are stored.
_STORED_AT_ONCE = 32


class TextToScore(NamedTuple):
    """A completion to be judged.

    Attributes:
        prompt: The prompt.
        completion: The answer; a tuple of steps for judges that score steps.
        where: Where it comes from, for messages.
    """

    prompt: Prompt
    completion: str | tuple[str, ...]
    where: object


class StoredJudge:
    """A judge, and the file that stores its rewards.

    A judge that has the setting `score_store` stores its rewards itself; for any other they are
    stored here, by prompt and completion.

    Attributes:
        judge: The judge.
    """

    def __init__(self, choice: JudgeChoice) -> None:
        """Makes the judge; its weights are loaded by `load`.

        Raises:
            UltrarmEvalError: The judge, the store or a setting cannot be used.
        """
        store = choice.settings.get("score_store")
        self._has_store = store is not None
        path = None
        if self._has_store and not takes_setting(choice.kind, "score_store"):
            path = checked_store_path(store)
            others = {n: v for n, v in choice.settings.items() if n != "score_store"}
            choice = replace(choice, settings=others)
        self.judge: Judge = choice.make()
        self._watched = EqualRewards()
        self._counts = Counter[str]()
        self._store = None
        if path is not None:
            self._store = ScoreStore(path, self.judge.fingerprint(), self.settings())

    def check(self, texts: Iterable[TextToScore]) -> None:
        """Refuses texts that cannot be scored; see `check_texts`."""
        check_texts(self.judge, texts)

    def report(self) -> None:
        """Logs the counts over all calls, and warns if all rewards were equal."""
        if said := judge_counts_in_words(self._counts or mapping(self.settings().get("counts"))):
            logger.info("Scored: %s.", said)
        self._watched.report()

    def load(self) -> None:
        """Loads the weights, unless all requested texts may be in the store."""
        if not self._has_store or self._store is not None:
            load_weights(self.judge)

    def settings(self) -> dict[str, Any]:
        """The judge's settings."""
        return dict(self.judge.settings())

    def judgements(
        self, texts: Sequence[TextToScore]
    ) -> tuple[dict[int, Judgement], ScoringError | None]:
        """The judgements of texts.

        Returns:
            The judgements by the texts' numbers; and, if a reward is not a finite number, the error
            that names its place, to be raised once the others are written.

        Raises:
            ScoringError: The judge fails.
        """
        failure = None
        try:
            with texts_from([text.where for text in texts]):
                found = dict(enumerate(self._found_or_scored(texts)))
        except RewardError as error:
            failure = ScoringError(f"{texts[error.completion].where}: {error.problem}")
            failure.__cause__ = error
            found = dict(error.judgements)
        for number, judgement in found.items():
            prompt, completion, _ = texts[number]
            self._watched.add((repr(prompt), completion), judgement.value)
        return found, failure

    def _found_or_scored(self, texts: Sequence[TextToScore]) -> list[Judgement]:
        if self._store is None:
            return judgements_of(self.judge, *_columns(texts))
        keys = [_key(text) for text in texts]
        stored = self._store.find(list(dict.fromkeys(keys)))
        known = {key: Judgement(reward) for key, reward in stored.items()}
        if not self._counts:
            logger.info(FOUND_IN_STORE, self._store.path, len(known), len(set(keys)))
        self._counts.update(texts=len(keys), from_store=len(known))
        places = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known}
        missing = sorted(places.values())
        for start in range(0, len(missing), _STORED_AT_ONCE):
            part = missing[start : start + _STORED_AT_ONCE]
            try:
                found = judgements_of(self.judge, *_columns([texts[i] for i in part]))
            except RewardError as error:
                known |= self._kept({keys[part[i]]: j for i, j in error.judgements.items()})
                error.completion = part[error.completion]
                error.judgements = {i: known[key] for i, key in enumerate(keys) if key in known}
                raise
            except UnwritableTextError as error:
                raise UnwritableTextError(part[error.text], error.reason) from error
            known |= self._kept({keys[i]: j for i, j in zip(part, found, strict=True)})
        return [known[key] for key in keys]

    def _kept(self, judgements: dict[bytes, Judgement]) -> dict[bytes, Judgement]:
        # The store has no field for a critique, and a reward is not stored without its critique.
        plain = {
            key: judgement.value
            for key, judgement in judgements.items()
            if judgement == Judgement(judgement.value)
            and judgement.value is not None
            and math.isfinite(judgement.value)
        }
        try:
            if self._store is not None:
                self._store.add(plain)
        except ScoreStoreError as error:
            logger.warning("%s The run continues without it.", error)
        return judgements


def _columns(texts: Sequence[TextToScore]) -> tuple[list[Prompt], list[Any]]:
    return [text.prompt for text in texts], [text.completion for text in texts]


def _key(text: TextToScore) -> bytes:
    """A unique key of the prompt and completion, as bytes."""
    return json.dumps([as_messages(text.prompt), text.completion]).encode()
