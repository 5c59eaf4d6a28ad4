"""The document: a prompt with completions, and their ratings or labels.

In code a document is a `Document`. A harness passes plain JSON values around and writes them into
its samples, so they contain everything needed to score a document and to recompute its metrics;
only `Document.to_json` and `Document.from_json` convert between the two.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.data.rows import Location
from ultrarm_eval.errors import DataError
from ultrarm_eval.exact_numbers import exact_fraction
from ultrarm_eval.messages import Message, well_formed

#: The formats of a document's JSON form: with ratings, with right and wrong completions, or a
#: prompt that a model answers, with a reference.
RATED = "ultrarm_eval.document/2"
LABELLED = "ultrarm_eval.choice/1"
OPEN = "ultrarm_eval.prompt/1"
#: The fields of each format, in order.
FIELDS: Mapping[str, tuple[str, ...]] = {
    form: tuple(fields.split())
    for form, fields in {
        RATED: "format row source prompt completions lengths models preference ratings aspects",
        LABELLED: "format row id subset prompt completions lengths correct labels",
        OPEN: "format row source prompt reference reference_model",
    }.items()
}
# Computed from the rest, or only for readers of a sample.
_NOT_NEEDED = frozenset(
    {"row", "id", "source", "lengths", "models", "labels", "reference", "reference_model"}
)
_SHOWN = 40
# A dict first: whether something else is a mapping takes much longer to find out.
_OBJECTS = (dict, Mapping)

Ratings = tuple[Fraction | None, ...]


@dataclass(frozen=True)
class Document:
    """A prompt with its completions.

    Completions have ratings (`ratings`), or some of them are right (`correct`); a prompt that a
    model answers has no completions, but may have a `reference`.

    Attributes:
        prompt: The conversation before the completions.
        completions: The texts to compare.
        row: The number of its row.
        preference: The name of the rating that decides which answer is chosen.
        ratings: Exact ratings of each completion by name; None if there is none.
        aspects: Names of ratings that get their own accuracy.
        correct: The number of right completions, which come first: at least 1 and fewer than all.
        models: The model that wrote each completion, if known.
        source: The collection of the prompt.
        id: Its id in a benchmark's data.
        subset: Its subset of a benchmark.
        category: Its value in the column that a run names as category.
        labels: Other values that its score depends on.
        reference: The answer that others are compared with.
        reference_model: The model that wrote the reference.
        where: The file and the row, for messages; not written.
    """

    prompt: tuple[Message, ...]
    completions: tuple[str, ...] = ()
    row: int | None = None
    preference: str | None = None
    ratings: Mapping[str, Ratings] = field(default_factory=dict)
    aspects: tuple[str, ...] = ()
    correct: int | None = None
    models: tuple[str | None, ...] = ()
    source: str | None = None
    id: str | None = None
    subset: str | None = None
    category: str | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    reference_model: str | None = None
    where: Location | None = field(default=None, compare=False)

    @classmethod
    def of_record(
        cls,
        record: PromptRecord,
        preference: str,
        aspects: Sequence[str] = (),
        *,
        where: Location | None = None,
        row: int | None = None,
    ) -> Document:
        """Makes a document from a row of preference data.

        Args:
            record: The prompt with its completions; those that cannot be compared are dropped.
            preference: The rating that orders the pairs.
            aspects: Ratings that get an accuracy of their own.
            where: The row's place.
            row: The row's number, if its place is not known.
        """
        usable = record.usable_by(preference)
        return cls(
            prompt=record.prompt,
            completions=tuple(c.text for c in usable),
            row=row if where is None else where.row,
            preference=preference,
            ratings={
                name: tuple(c.ratings.get(name) for c in usable)
                for name in dict.fromkeys((preference, *aspects))
            },
            aspects=tuple(aspects),
            models=tuple(c.model for c in usable),
            source=record.source,
            where=where,
        )

    @classmethod
    def of_choice(
        cls,
        prompt: Iterable[Message],
        right: Sequence[str],
        wrong: Sequence[str],
        *,
        where: Location,
        id: str | None = None,  # noqa: A002 - the data's name for it
        subset: str = "",
        labels: Mapping[str, Any] | None = None,
    ) -> Document:
        """Makes a document from a benchmark's row; lone surrogates in its texts are replaced.

        Args:
            prompt: The conversation before the completions.
            right: The right completions.
            wrong: The wrong completions.
            where: The row's place.
            id: Its id in the data; the row's number if it has none.
            subset: The part of the benchmark it belongs to.
            labels: Other values that its score depends on.
        """
        turns = [{name: well_formed(str(text)) for name, text in turn.items()} for turn in prompt]
        return cls(
            prompt=tuple(cast("list[Message]", turns)),
            completions=tuple(map(well_formed, (*right, *wrong))),
            row=where.row,
            correct=len(right),
            id=str(where.row) if id is None else id,
            subset=subset,
            labels=labels or {},
            where=where,
        )

    @functools.cached_property
    def main_ratings(self) -> Ratings:
        """The ratings that define the pairs; right completions have 1 and wrong ones 0."""
        if self.correct is not None:
            wrong = len(self.completions) - self.correct
            return (Fraction(1),) * self.correct + (Fraction(0),) * wrong
        return self.ratings[self.preference] if self.preference is not None else ()

    @property
    def aspect_ratings(self) -> dict[str, Ratings]:
        """The ratings of each aspect."""
        return {aspect: self.ratings[aspect] for aspect in self.aspects}

    @property
    def lengths(self) -> tuple[int, ...]:
        """The completions' lengths in characters."""
        return tuple(map(len, self.completions))

    def without_ratings_of(self, completions: Collection[int]) -> Document:
        """A copy in which some completions have no ratings, so that they are in no pair."""
        rest = {
            name: tuple(None if i in completions else one for i, one in enumerate(ratings))
            for name, ratings in self.ratings.items()
        }
        return dataclasses.replace(self, ratings=rest)

    def to_json(self) -> dict[str, Any]:
        """The document as plain JSON values, as in samples."""
        values: dict[str, Any] = {
            "row": self.row,
            "prompt": [dict(message) for message in self.prompt],
            "completions": list(self.completions),
            "lengths": list(self.lengths),
        }
        if self.correct is not None:
            form, rest = LABELLED, (self.id, self.subset, self.correct, dict(self.labels))
            values |= zip(("id", "subset", "correct", "labels"), rest, strict=True)
        elif self.preference is not None:
            form = RATED
            values |= {
                "source": self.source,
                "models": list(self.models),
                "preference": self.preference,
                "ratings": _spelled(self.main_ratings),
                "aspects": {name: _spelled(each) for name, each in self.aspect_ratings.items()},
            }
        else:
            form = OPEN
            values |= {
                "source": self.source,
                "reference": self.reference,
                "reference_model": self.reference_model,
            }
        values["format"] = form
        written = {name: values[name] for name in FIELDS[form]}
        return written if self.category is None else {**written, "category": self.category}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Document:
        """Reads the output of `to_json`, also from samples of earlier versions.

        Raises:
            DataError: It is something else.
        """
        form = str(value.get("format"))
        if form not in FIELDS:
            known = ", ".join(FIELDS)
            raise DataError(
                f"A document has the unknown format {_shown(form)}; known formats are {known}."
            )
        missing = [n for n in FIELDS[form] if n not in value and n not in _NOT_NEEDED]
        if missing:
            raise DataError(f"A document lacks {', '.join(map(repr, missing))}.")
        read: dict[str, Any] = {
            "prompt": _turns(value["prompt"]),
            "row": value.get("row"),
            "category": _name(value, "category"),
        }
        if form == OPEN:
            read |= {n: _name(value, n) for n in ("source", "reference", "reference_model")}
            return cls(**read)
        completions = _texts(value["completions"])
        read["completions"] = completions
        if form == LABELLED:
            labels = value.get("labels", {})
            if not isinstance(labels, Mapping):
                raise DataError(f"labels is not an object: {_shown(labels)}.")
            read |= {
                "correct": _right_ones(value["correct"], len(completions)),
                "id": _name(value, "id"),
                "subset": _name(value, "subset"),
                "labels": labels,
            }
            return cls(**read)
        preference, aspects = str(value["preference"]), value["aspects"]
        if not isinstance(aspects, Mapping):
            raise DataError(f"aspects is not an object: {_shown(aspects)}.")
        ratings = {**aspects, preference: value["ratings"]}
        read |= {
            "preference": preference,
            "ratings": {n: _fractions(r, len(completions), n) for n, r in ratings.items()},
            "aspects": tuple(aspects),
            "models": _names(value.get("models", [None] * len(completions)), len(completions)),
            "source": _name(value, "source"),
        }
        return cls(**read)

    def __getitem__(self, name: str) -> Any:
        """A field of the JSON form, for code from when documents were plain dictionaries."""
        return self.to_json()[name]


def is_comparison(value: object) -> bool:
    """Whether a harness's document is one of ours, with completions to compare."""
    return isinstance(value, Mapping) and value.get("format") in (RATED, LABELLED)


def _spelled(ratings: Ratings) -> list[str | None]:
    return [None if rating is None else str(rating) for rating in ratings]


def _fractions(ratings: object, total: int, name: str) -> Ratings:
    # A list first: whether something is a sequence takes much longer to find out.
    if (
        not isinstance(ratings, list)
        and (not isinstance(ratings, Sequence) or isinstance(ratings, str))
    ) or len(ratings) != total:
        raise DataError(
            f"A document's ratings ({name}) are {_shown(ratings)}, but it has {total} completions."
        )
    spelled = tuple(ratings)
    try:
        return _parsed_once(spelled)
    except TypeError:
        # What has no hash is no text either.
        return _all_parsed(spelled)


def _all_parsed(ratings: tuple[Any, ...]) -> Ratings:
    return tuple([None if rating is None else _parsed(rating) for rating in ratings])


_parsed_once = functools.lru_cache(maxsize=4096)(_all_parsed)


def _parsed(rating: object) -> Fraction:
    found = _fraction(rating) if isinstance(rating, str) else None
    if found is None:
        raise DataError(
            f"A document has the rating {rating!r:.40}; it must be a fraction as text, such as "
            "'13/3', or null."
        )
    return found


_fraction = functools.lru_cache(maxsize=4096)(exact_fraction)


def _turns(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not all(
        isinstance(turn, _OBJECTS) and isinstance(turn.get("content"), str) for turn in value
    ):
        raise DataError(f"the prompt is not a list of messages with texts: {_shown(value)}")
    return tuple(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise DataError(f"completions is not a list of texts: {_shown(value)}")
    return tuple(value)


def _names(value: object, total: int) -> tuple[str | None, ...]:
    if (
        not isinstance(value, list)
        or len(value) != total
        or not all(name is None or isinstance(name, str) for name in value)
    ):
        raise DataError(f"models is not a list of {total} names: {_shown(value)}")
    return tuple(value)


def _name(value: Mapping[str, Any], field_name: str) -> str | None:
    name = value.get(field_name)
    if name is not None and not isinstance(name, str):
        raise DataError(f"{field_name} is not text: {_shown(name)}")
    return name


def _right_ones(value: object, total: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise DataError(f"correct is not a whole number: {_shown(value)}")
    if not 0 < value < total:
        raise DataError(
            f"correct is {_shown(value)}, with {total} completions; at least one must be right and "
            "at least one wrong"
        )
    return value


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a number of many digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
