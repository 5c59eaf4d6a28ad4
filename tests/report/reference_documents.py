"""The harness's files read a second time, without the package: documents, pairs and rewards."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Pair:
    """A preferred answer beside another one."""

    chosen: int
    rejected: int
    margin: float
    credit: Fraction
    chosen_length: int
    rejected_length: int
    gap: Fraction | None = None

    @property
    def outcome(self) -> Fraction:
        """1 for a right pair, one half for a tie, 0 for a wrong one, whatever a tie is worth."""
        return Fraction(1) if self.margin > 0 else HALF if self.margin == 0 else Fraction(0)


@dataclass
class Document:
    """What a sample says."""

    hash: str
    prompt: str
    turns: list[str]
    group: str | None
    accuracy: float | None
    is_choice: bool = False
    pairs: list[Pair] = field(default_factory=list)
    of_aspect: dict[str, list[Pair]] = field(default_factory=dict)
    rewards: list[tuple[float, int]] = field(default_factory=list)
    rated: list[tuple[Fraction, float]] = field(default_factory=list)


def read(folder: Path, task: str) -> list[Document]:
    """The documents of a task, from the files of a folder with one run."""
    (results,) = folder.glob("results_*.json")
    (samples,) = folder.glob(f"samples_{task}_*.jsonl")
    settings = json.loads(results.read_text("utf-8"))["configs"][task]["metadata"]
    with samples.open(encoding="utf-8") as lines:
        return [read_sample(json.loads(line), settings) for line in lines]


def read_sample(sample: dict[str, Any], settings: dict[str, Any]) -> Document:
    """A sample of a task of ours."""
    doc = sample["doc"]
    found = Document(
        hash=sample["doc_hash"],
        prompt=json.dumps(doc["prompt"]),
        turns=[message["content"] for message in doc["prompt"]],
        group=(doc["subset"] or None) if "subset" in doc else doc.get("source"),
        accuracy=_number(sample.get("acc", sample.get("win_rate", sample.get("win_rate@1")))),
        is_choice=doc["format"] == "ultrarm_eval.choice/1",
    )
    tie = Fraction(0) if settings.get("ties") == "wrong" else HALF
    if doc["format"] == "ultrarm_eval.document/2":
        _read_document(found, doc, _responses(sample), settings, tie)
    elif doc["format"] == "ultrarm_eval.choice/1":
        _read_choice(found, doc, _responses(sample), tie)
    elif doc["format"] == "ultrarm_eval.prompt/1":
        _read_judged(found, doc, sample)
    return found


def _number(value: Any) -> float | None:
    # The accuracy of one subset of RewardBench 2 is no mean: its samples hold lists.
    return value if isinstance(value, int | float) else None


def _responses(sample: dict[str, Any]) -> list[float]:
    return [float(response[0]) for response in sample["filtered_resps"]]


def _read_document(
    found: Document,
    doc: dict[str, Any],
    responses: list[float],
    settings: dict[str, Any],
    tie: Fraction,
) -> None:
    gap = Fraction(repr(settings.get("min_gap", 0.0)))
    ratings = [None if r is None else Fraction(r) for r in doc["ratings"]]
    by_aspect = {
        aspect: [None if r is None else Fraction(r) for r in values]
        for aspect, values in doc["aspects"].items()
    }
    asked = set()
    for i in range(len(ratings)):
        if ratings[i] is not None:
            asked.add(i)
        for values in by_aspect.values():
            for j in range(len(values)):
                a, b = values[i], values[j]
                if a is not None and b is not None and a != b and abs(a - b) >= gap:
                    asked.add(i)
    if len(asked) != len(responses):
        raise ValueError(f"{len(responses)} responses, {len(asked)} completions were asked for")
    rewards = {
        i: reward
        for i, reward in zip(sorted(asked), responses, strict=True)
        if not math.isnan(reward)
    }

    def pairs_of(values: list[Fraction | None]) -> list[Pair]:
        pairs = []
        for i in range(len(values)):
            for j in range(i + 1, len(values)):
                a, b = values[i], values[j]
                if i not in rewards or j not in rewards or a is None or b is None or a == b:
                    continue
                if abs(a - b) < gap:
                    continue
                chosen, rejected = (i, j) if a > b else (j, i)
                pairs.append(_pair(chosen, rejected, rewards, doc["lengths"], tie, abs(a - b)))
        return pairs

    found.pairs = pairs_of(ratings)
    if not found.pairs:
        # The harness gives no metric at all then, so none of an aspect either.
        return
    found.of_aspect = {aspect: pairs_of(values) for aspect, values in by_aspect.items()}
    found.rewards = [(rewards[i], doc["lengths"][i]) for i in sorted(rewards)]
    found.rated = [
        (rating, rewards[i])
        for i, rating in enumerate(ratings)
        if rating is not None and i in rewards
    ]


def _read_choice(
    found: Document, doc: dict[str, Any], responses: list[float], tie: Fraction
) -> None:
    if any(map(math.isnan, responses)):
        return
    rewards = dict(enumerate(responses))
    for right in range(doc["correct"]):
        for wrong in range(doc["correct"], len(responses)):
            found.pairs.append(_pair(right, wrong, rewards, doc["lengths"], tie))
    found.rewards = list(zip(responses, doc["lengths"], strict=True))
    found.rated = [(Fraction(i < doc["correct"]), r) for i, r in enumerate(responses)]


def _read_judged(found: Document, doc: dict[str, Any], sample: dict[str, Any]) -> None:
    # The harness compares an answer with nothing where a judge had no score for one of the texts.
    scored = [one["reward"] for one in (*sample["judged"], sample["judged_reference"])]
    if any(reward is None for reward in scored):
        return
    ((*texts,),) = sample["resps"]
    lengths = [len(text) for text in (*texts, doc["reference"])]
    last = len(texts)
    found.pairs = [_pair(i, last, scored, lengths, HALF) for i in range(last)]
    found.rewards = list(zip(scored, lengths, strict=True))


def _pair(
    chosen: int, rejected: int, rewards: Any, lengths: Any, tie: Fraction, gap: Any = None
) -> Pair:
    above, below = rewards[chosen], rewards[rejected]
    credit = tie if above == below else Fraction(above > below)
    margin = 0.0 if above == below else above - below
    return Pair(chosen, rejected, margin, credit, lengths[chosen], lengths[rejected], gap)
