"""A sample of one of our tasks: a document, its completions' rewards, and the pairs among them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.documents.document import FIELDS, OPEN, Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.metrics.within_prompt import completions_to_score
from ultrarm_eval.pairs import PreferencePair, preference_pairs
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import TIE_CREDITS, ComparisonRules, checked_min_gap
from ultrarm_eval.runs.sample_values import is_list

#: What the two sides of a pair are: chosen and rejected by the data's labels, or a model's answer
#: and its reference.
PREFERENCE, REFERENCE = "preference", "reference"
# Beyond it differences and their squares may overflow.
_LARGEST = 1e100
_SHOWN = 40
_SORTED = json.JSONEncoder(sort_keys=True)
# A list first: whether something is another sequence takes much longer to find out.
_LISTS = (list, Sequence)


@dataclass(frozen=True)
class Sample:
    """A prompt with completions, their rewards, and the pairs among them.

    Attributes:
        kind: `PREFERENCE` or `REFERENCE`.
        prompt: The conversation before the completions.
        completions: Their texts.
        names: Who wrote each; None if unknown.
        rewards: The reward of each; NaN where there is none.
        ratings: The rating of each, higher is better; NaN where there is none.
        pairs: The pairs; in a `REFERENCE` document the answer takes the role of chosen.
        tie_credit: The credit of a pair with equal rewards.
        parts: The subsets that the document belongs to, by dimension (`source`, `category`).
        aspects: Accuracy by aspect; None where the document has no pair for it.
        evidence: What its benchmark's metrics need of it; None where it has none.
    """

    kind: str
    prompt: Sequence[Mapping[str, Any]]
    completions: Sequence[str]
    names: Sequence[str | None]
    rewards: Sequence[float]
    ratings: Sequence[float]
    pairs: Sequence[PreferencePair]
    tie_credit: float
    parts: Mapping[str, str] = field(default_factory=dict)
    aspects: Mapping[str, float | None] = field(default_factory=dict)
    evidence: Any = None

    @property
    def prompt_length(self) -> int:
        """Characters of the conversation before the completions."""
        return sum(len(str(message.get("content", ""))) for message in self.prompt)

    @property
    def prompt_key(self) -> str | None:
        """Equal for documents with the same prompt; None where there is no prompt."""
        if not self.prompt:
            return None
        text = _SORTED.encode([dict(m) for m in self.prompt])
        return hashlib.sha256(text.encode()).hexdigest()


def read_sample(
    sample: Mapping[str, Any], metadata: Mapping[str, Any], where: str
) -> Sample | None:
    """Reads a sample.

    Args:
        sample: The sample as lm-eval wrote it.
        metadata: The task's metadata in the results: the rules of the comparison.
        where: The sample's location, for messages.

    Returns:
        The sample; None for one of another type of task.

    Raises:
        DataError: It is of one of our tasks and does not contain what such a sample has.
    """
    written: Any = sample.get("doc")
    found: Sample | None = None
    try:
        if isinstance(written, Mapping) and written.get("format") in FIELDS:
            document = Document.from_json(written)
            if document.correct is not None:
                found = _of_choice(sample, document, metadata)
            elif document.preference is not None:
                found = _of_ratings(sample, document, metadata)
            else:
                found = _of_reference(sample, document)
        if found is None:
            _require_of_others(written, metadata)
    except (
        ArithmeticError,
        AttributeError,
        DataError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(
            f"{where}: this sample is not in its task's format ({type(error).__name__}: {error}); "
            "the file is damaged or was edited."
        ) from error
    if found is not None:
        _require_finite(found, where)
    return found


def _require_finite(document: Sample, where: str) -> None:
    for what, values in (("reward", document.rewards), ("rating", document.ratings)):
        for value in values:
            if abs(value) > _LARGEST:
                raise DataError(
                    f"{where}: a completion has the {what} {value}; at most {_LARGEST:g} can be "
                    "compared."
                )


def _require_of_others(document: Any, metadata: Mapping[str, Any]) -> None:
    """Refuses a document without rewards where the task's are all judged.

    Raises:
        ValueError: It is one.
    """
    is_asked = isinstance(document, Mapping) and document.get("format") == OPEN
    # With --predict_only nothing is judged.
    may_be = is_asked and "preference" not in metadata
    is_ours = isinstance(metadata.get("suite"), str) or "data_schema" in metadata
    if is_ours and not may_be:
        raise ValueError("its document does not belong to this task")


def _of_ratings(
    sample: Mapping[str, Any], document: Document, metadata: Mapping[str, Any]
) -> Sample:
    rules = ComparisonRules(min_gap=checked_min_gap(metadata.get("min_gap", 0.0)))
    answers = _rewards_in(sample["filtered_resps"])
    given = dict(zip(completions_to_score(document, rules), answers, strict=True))
    rewards = [given.get(i, math.nan) for i in range(len(document.completions))]
    exact = [
        None if math.isnan(reward) else rating
        for rating, reward in zip(document.main_ratings, rewards, strict=True)
    ]
    _share_in(sample.get("acc"), "acc")
    return Sample(
        PREFERENCE,
        document.prompt,
        document.completions,
        document.models,
        rewards,
        [math.nan if rating is None else float(rating) for rating in exact],
        preference_pairs(exact, rules.min_gap),
        TIE_CREDITS.get(str(metadata.get("ties")), 0.5),
        _parts(document),
        {name: _share_in(sample.get(f"acc_{name}"), f"acc_{name}") for name in document.aspects},
    )


def _of_choice(
    sample: Mapping[str, Any], document: Document, metadata: Mapping[str, Any]
) -> Sample:
    correct, total = document.correct or 0, len(document.completions)
    rewards = _rewards_in(sample["filtered_resps"])
    _require_accuracy(sample)
    if len(rewards) != total:
        raise ValueError(f"{len(rewards)} rewards of {total} answers")
    # As in its task's metrics, an item is excluded if a completion has no score.
    is_scored = not any(map(math.isnan, rewards))
    pairs = [PreferencePair(i, j) for i in range(correct) for j in range(correct, total)]
    suite = suite_of(metadata)
    named = metadata.get("ties") or (None if suite is None else suite.ties)
    tie = TIE_CREDITS.get(str(named))
    evidence = None
    if suite is not None:
        tie = suite.pair_tie(document) if tie is None else tie
        if is_scored and suite.figures:
            credit = suite.credit(document, rewards, tie)
            evidence = suite.evidence(document, rewards, credit)
    return Sample(
        PREFERENCE,
        document.prompt,
        document.completions,
        [None] * total,
        rewards,
        [1.0] * correct + [0.0] * (total - correct),
        pairs if is_scored else [],
        0.5 if tie is None else tie,
        _parts(document),
        evidence=evidence,
    )


def _parts(document: Document) -> dict[str, str]:
    """The subsets of a document; a benchmark without subsets names its one by an empty text."""
    named = {"source": document.source, "category": document.category or document.subset}
    return {name: part for name, part in named.items() if part}


def suite_of(metadata: Mapping[str, Any]) -> Benchmark | None:
    """The benchmark of a task, by its metadata; None where it is of no known benchmark."""
    name = metadata.get("suite")
    known = registry().benchmarks
    return known[name].item if isinstance(name, str) and name in known else None


def _of_reference(sample: Mapping[str, Any], document: Document) -> Sample | None:
    if not isinstance(sample["resps"], list):
        raise TypeError(f"resps is not a list: {shown(sample['resps'])}")
    answers = _texts_in(_flat(sample["resps"]), "resps")
    if "judged" not in sample or "judged_reference" not in sample:
        return None
    judged, reference = sample["judged"], sample["judged_reference"]
    if judged == []:
        return None
    if not isinstance(judged, list) or len(judged) != len(answers):
        raise ValueError(f"{len(answers)} answers were judged as {shown(judged)}")
    rewards = [_judged_reward(one) for one in (*judged, reference)]
    last = len(answers)
    # As in the task's win rate: with one text without a score there is no comparison.
    is_scored = not any(map(math.isnan, rewards))
    if document.reference is None:
        raise ValueError("the answers were judged against a reference that is invalid")
    return Sample(
        REFERENCE,
        document.prompt,
        [*answers, document.reference],
        [*[None] * last, document.reference_model or "reference"],
        rewards,
        [math.nan] * len(rewards),
        [PreferencePair(i, last) for i in range(last)] if is_scored else [],
        0.5,
        _parts(document),
    )


def _require_accuracy(sample: Mapping[str, Any]) -> None:
    """Refuses an invalid accuracy; that of a composite metric consists of several numbers."""
    if not is_list(sample.get("acc")):
        _share_in(sample.get("acc"), "acc")


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [item for value in values for item in _flat(value)]
    return [values]


def _texts_in(value: Any, what: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{what} is not a list of texts: {shown(value)}")
    return value


def _number_in(value: Any, what: str) -> float:
    """A number; also NaN, which a judge gives an answer without a score."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is not a number: {shown(value)}")
    return float(value)


def _share_in(value: Any, what: str) -> float | None:
    """A share from 0 to 1; None where it is not defined."""
    if value is None:
        return None
    share = _number_in(value, what)
    if not 0 <= share <= 1:
        raise ValueError(f"{what} is not a share from 0 to 1: {shown(value)}")
    return share


def _rewards_in(responses: Any) -> list[float]:
    """The rewards of completions, which lm-eval writes as texts, next to a greedy flag."""
    if not isinstance(responses, list):
        raise TypeError(f"filtered_resps is not a list: {shown(responses)}")
    return [_reward(response) for response in responses]


def _reward(response: Any) -> float:
    if not isinstance(response, _LISTS) or isinstance(response, str) or not response:
        raise ValueError(f"a response contains no reward: {shown(response)}")
    reward = response[0]
    return float(reward) if isinstance(reward, str) else _number_in(reward, "a reward")


def _judged_reward(judged: Any) -> float:
    """The reward of a judged answer; NaN where the judge gave none."""
    if not isinstance(judged, Mapping) or "reward" not in judged:
        raise ValueError(f"a judged answer has no reward: {shown(judged)}")
    reward = judged["reward"]
    return math.nan if reward is None else _number_in(reward, "a reward")


def shown(value: Any) -> str:
    """A value for a message, shortened; a very long number by its number of digits."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of about {int(value.bit_length() * math.log10(2))} digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
