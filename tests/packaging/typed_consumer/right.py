"""Uses the public API as another project does. Its types are checked, and it is never run."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import ultrarm_eval
from ultrarm_eval import (
    Benchmark,
    Document,
    Judge,
    JudgedAnswers,
    Judgement,
    PairSource,
    PreferenceAccuracy,
    Template,
    TokenJudge,
    UltrarmEvalError,
    hookimpl,
    judge_answers,
    load_documents,
    load_judge,
    preference_accuracy,
)
from ultrarm_eval.data.records import (
    DataCounts,
    Location,
    PromptRecord,
    RatedCompletion,
    Row,
)
from ultrarm_eval.errors import CheckpointError, ConfigurationError, RewardError
from ultrarm_eval.judges.base import JudgeFactory
from ultrarm_eval.messages import Message, Prompt, as_messages
from ultrarm_eval.metrics.best_of_k import judge_at_k
from ultrarm_eval.metrics.over_prompts import mean_with_error
from ultrarm_eval.metrics.win_rate import win_credit
from ultrarm_eval.sources.answers import Answer, read_answers, read_references
from ultrarm_eval.stats.interval import Interval

assert_type(ultrarm_eval.__version__, str)

# Scoring.
judge = load_judge("demo", device="cpu")
assert_type(judge, Judge)
assert_type(judge.score(["p", None, [{"role": "user", "content": "p"}]], ["a"] * 3), list[float])
assert_type(judge.settings(), Mapping[str, Any])
assert_type(judge.fingerprint(), str)
if isinstance(judge, TokenJudge):
    assert_type(judge.rewards_after_tokens("p", "a").rewards, tuple[float | None, ...])

# Documents.
documents = load_documents(Path("pairs.jsonl"), preference="score", min_gap="0.5")
assert_type(documents[0], Document)
assert_type(documents[:2], Sequence[Document])
assert_type(documents.counts, DataCounts)
for document in documents:
    assert_type(document, Document)
    assert_type(document.prompt, tuple[Message, ...])
    assert_type(document.completions, tuple[str, ...])
    assert_type(document.row, int | None)
    assert_type(document.preference, str | None)
    assert_type(document.ratings, Mapping[str, tuple[Fraction | None, ...]])
    assert_type(document.correct, int | None)
    assert_type(document.models, tuple[str | None, ...])
    assert_type(document.category, str | None)
    assert_type(document.where, Location | None)
    assert_type(document.main_ratings, tuple[Fraction | None, ...])
    assert_type(document.lengths, tuple[int, ...])
    assert_type(document.to_json(), dict[str, Any])

# Answers and metrics.
judged = judge_answers(judge, [d.prompt for d in documents], [d.completions for d in documents])
assert_type(judged, list[JudgedAnswers])
assert_type(judged[0].answers, tuple[Judgement, ...])
assert_type(judged[0].reference, Judgement | None)
assert_type(judged[0].answers[0].value, float | None)
found = preference_accuracy(documents, [[one.value for one in each.answers] for each in judged])
assert_type(found, PreferenceAccuracy)
assert_type(found.accuracy, float)
assert_type(found.standard_error, float | None)
assert_type(found.interval, Interval | None)
assert_type(mean_with_error([0.5]), tuple[float, float | None])
assert_type(judge_at_k([1.0, 0.0], [0.5, 0.1], 2), float)
assert_type(win_credit(0.5, 0.1), float)
assert_type(read_answers(Path("answers.jsonl")), list[Answer])
assert_type(read_references(Path("answers.jsonl")), dict[str, str])

# Errors.
try:
    load_judge("nowhere")
except CheckpointError as error:
    assert_type(error, CheckpointError)
except RewardError as error:
    assert_type(error.completion, int)
except UltrarmEvalError as error:
    assert_type(error.args, tuple[Any, ...])


# A plugin.
class Shortest:
    """A judge that prefers the shortest answer."""

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Gives the negative length of each."""
        if len(prompts) != len(completions):
            raise ConfigurationError("One prompt for each completion.")
        return [-float(len(one)) for one in completions]

    def settings(self) -> Mapping[str, Any]:
        """Has none."""
        return {}

    def fingerprint(self) -> str:
        """Is always the same."""
        return "shortest/1"


shortest: Judge = Shortest()


def read_row(row: Row, where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads a row of two answers."""
    if row.get("good") == row.get("bad"):
        counts.add("equal_answers")
        return None
    completions = (
        RatedCompletion(str(row["good"]), {"score": Fraction(1)}),
        RatedCompletion(str(row["bad"]), {"score": Fraction(0)}),
    )
    return PromptRecord(as_messages(str(row["question"])), completions)


def read_item(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads an item of a benchmark."""
    return Document.of_choice(
        as_messages(str(row["question"])), [str(row["good"])], [str(row["bad"])], where=where
    )


@hookimpl
def register_judges(register: Callable[[str, JudgeFactory | str], None]) -> None:
    """Adds the judge."""
    register("shortest", Shortest)
    register("elsewhere", "package.module:Judge")


@hookimpl
def register_pair_sources(register: Callable[[PairSource], None]) -> None:
    """Adds the schema."""
    register(PairSource("two", "good, bad", lambda columns: "good" in columns, read_row))


@hookimpl
def register_benchmarks(register: Callable[[Benchmark], None]) -> None:
    """Adds the benchmark."""
    register(Benchmark("two", "good, bad", read_item, lambda _, rewards, tie: tie, "half"))


@hookimpl
def register_templates(register: Callable[[Template], None]) -> None:
    """Adds the template."""
    register(Template("plain", lambda messages, completion: completion))


# The decorator keeps the function's type.
register_judges(lambda name, factory: None)
