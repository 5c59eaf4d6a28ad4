"""`ultrarm-eval data show`: rows of preference data as a person reads them, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ultrarm_eval.cli.inspect import aligned
from ultrarm_eval.cli.printable import printable, shortened
from ultrarm_eval.data.counts import reason_in_words
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.inspection.disagreement import find_disagreements
from ultrarm_eval.inspection.row_choice import first_rows, numbered_row, rows_of_source
from ultrarm_eval.inspection.row_view import CompletionView, PairView, RowView, judge_rows, view_row
from ultrarm_eval.judges.base import Judge, judge_name
from ultrarm_eval.judges.judgements import judgements_of, texts_from
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData, open_any

# Characters of a text that are shown where not all are asked for, and of a name or value.
_MOST_CHARACTERS, _MOST_OF_VALUE = 1000, 120
_HOW_JUDGED = ("wrong", "tie", "right")


@dataclass(frozen=True)
class Choice:
    """Which rows are shown.

    Attributes:
        row: One by its number.
        source: The first ones of a collection.
        disagree: Those that the judge of these results orders most wrongly.
        limit: The most rows.
    """

    row: int | None = None
    source: str | None = None
    disagree: str | None = None
    limit: int = 3


@dataclass(frozen=True)
class _Shown:
    """What is shown.

    Attributes:
        data: The data.
        views: The rows.
        total: How many there are of the kind that was asked for.
        kind: What kind that is.
        judge: What the rewards are from; None without rewards.
        remarks: What has to be said beside.
    """

    data: PreferenceData
    views: Sequence[RowView]
    total: int
    kind: str
    judge: Mapping[str, Any] | None = None
    remarks: Sequence[str] = ()


def show_data(
    data: str,
    split: str | None,
    revision: str | None,
    rules: ComparisonRules,
    choice: Choice,
    load_judge: Callable[[], Judge] | None,
    *,
    form: str,
    full: bool,
) -> str:
    """Shows rows of a data set.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to take where there are several.
        revision: The hub revision.
        rules: The preference, and the least gap.
        choice: Which rows.
        load_judge: Loads a judge that gives rewards to the completions; None for none.
        form: `text` or `json`.
        full: Whether long texts are shown whole; in JSON they are.

    Raises:
        UltrarmEvalError: The data, the results or the judge cannot be used, or there is no such
            row.
    """
    if choice.limit < 1:
        raise ConfigurationError(f"--limit {choice.limit}: give a number of rows, at least 1.")
    opened = open_any(data, split, revision, registry().sources())
    if choice.disagree is None:
        shown = _chosen(opened, rules, choice, load_judge)
    else:
        shown = _disagreeing(opened, rules, choice, choice.disagree, load_judge)
    if form == "json":
        return json.dumps(_as_json(shown), indent=2, default=str) + "\n"
    return _as_text(shown, None if full else _MOST_CHARACTERS)


def _chosen(
    data: PreferenceData,
    rules: ComparisonRules,
    choice: Choice,
    load_judge: Callable[[], Judge] | None,
) -> _Shown:
    remarks = []
    if choice.row is not None:
        chosen, kind = numbered_row(data, choice.row), "rows"
    elif choice.source is not None:
        chosen = rows_of_source(data, choice.source, choice.limit)
        kind = f"rows of the source {choice.source!r}"
    else:
        chosen, kind = first_rows(data, choice.limit), "rows"
    if chosen.unreadable:
        remarks.append(
            f"{chosen.unreadable:,} rows cannot be read; ultrarm-eval data inspect names them."
        )
    views = [view_row(data, index, rules) for index in chosen.rows]
    judge = None
    # Rows that cannot be shown are told before the weights are loaded.
    if load_judge is not None:
        judge = loaded = load_judge()
        with texts_from([view.where for view in views for _ in view.completions]):
            views = judge_rows(views, lambda prompts, texts: _scored(loaded, prompts, texts))
    return _Shown(data, views, chosen.total, kind, _said_of(judge), remarks)


def _disagreeing(
    data: PreferenceData,
    rules: ComparisonRules,
    choice: Choice,
    results: str,
    load_judge: Callable[[], Judge] | None,
) -> _Shown:
    if load_judge is not None:
        raise ConfigurationError(
            "--disagree shows the rewards that its samples hold. Leave the judge out, or show the "
            "rows again with --row and --judge."
        )
    if rules != ComparisonRules():
        raise ConfigurationError(
            "--disagree goes by the preference and the least gap of its run. Leave --preference "
            "and --min-gap out."
        )
    found = find_disagreements(data, results)
    worst = found.found[: choice.limit]
    views = [view_row(data, one.row, one.rules).with_rewards(one.rewards) for one in worst]
    remarks = [
        f"{found.documents:,} rows of these data are in the samples; the judge orders "
        f"{len(found.found):,} of them otherwise than the ratings, the largest wrong margin first."
    ]
    if found.unmatched:
        remarks.append(f"{found.unmatched:,} sampled documents are no rows of these data.")
    if found.damaged:
        remarks.append(f"{found.damaged:,} lines of samples are damaged and left out.")
    kind = "rows that the judge orders otherwise than the ratings"
    return _Shown(data, views, len(found.found), kind, {"name": found.judge}, remarks)


def _scored(judge: Judge, prompts: Sequence[Any], texts: Sequence[str]) -> list[float]:
    return [judgement.reward for judgement in judgements_of(judge, prompts, texts)]


def _said_of(judge: Judge | None) -> dict[str, Any] | None:
    if judge is None:
        return None
    return {"name": judge_name(judge), **judge.settings()}


def _columns(shown: _Shown) -> list[str]:
    return list(dict.fromkeys(name for view in shown.views for name in view.columns))


def _as_json(shown: _Shown) -> dict[str, Any]:
    return {
        "data": shown.data.origin,
        "schema": shown.data.source.name,
        "rows": len(shown.data.rows),
        "columns": _columns(shown),
        "judge": shown.judge,
        "total": shown.total,
        "more": shown.total - len(shown.views),
        "remarks": list(shown.remarks),
        "documents": [_row_as_json(view) for view in shown.views],
    }


def _row_as_json(view: RowView) -> dict[str, Any]:
    return {
        "row": view.where.row,
        "line": view.where.line,
        "source": view.source,
        "preference": view.preference,
        "prompt": [dict(message) for message in view.prompt],
        "completions": [
            _completion_as_json(number, completion)
            for number, completion in enumerate(view.completions)
        ],
        "pairs": [_pair_as_json(view, pair) for pair in view.pairs],
        "pairs_left_out": [dataclasses.asdict(one) for one in view.no_pairs],
        "left_out": list(view.left_out),
        "why": dict(view.why),
        "error": view.error,
        "counts": dict(view.counts),
        "fields": _plain(view.fields),
    }


def _completion_as_json(number: int, completion: CompletionView) -> dict[str, Any]:
    notes = dict(completion.notes)
    return {
        "completion": number,
        "text": completion.text,
        "length": len(completion.text),
        "model": completion.model,
        "rating": _as_number(completion.rating),
        "rank_by_rating": completion.rank_by_rating,
        "ratings": {name: _as_number(rating) for name, rating in completion.ratings.items()},
        "left_out": completion.left_out,
        "reward": completion.reward,
        "rank": completion.rank,
        "critique": notes.pop("critique", None),
        "principle": notes.pop("principle", None),
        "rationales": notes,
    }


def _pair_as_json(view: RowView, pair: PairView) -> dict[str, Any]:
    margin = view.margin(pair)
    return {
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "gap": _as_number(pair.gap),
        "identical_answers": pair.identical,
        "margin": margin,
        "judged": None if margin is None else _judged(margin),
    }


def _judged(margin: float) -> str:
    return _HOW_JUDGED[1 + (margin > 0) - (margin < 0)]


def _as_number(value: Fraction | None) -> float | str | None:
    if value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return str(value)


def _plain(value: Any) -> Any:
    """A value of a row as JSON has it: NaN and the like, bytes and times become texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _as_text(shown: _Shown, most: int | None) -> str:
    data = shown.data
    head = f"{data.origin}: {len(data.rows):,} rows of the schema {data.source.name!r}"
    lines = [printable(head), printable(f"columns: {', '.join(_columns(shown)) or 'none'}")]
    if shown.judge is not None:
        named = {name: shown.judge.get(name) for name in ("pretrained", "revision", "template")}
        said = [f"{name} {value}" for name, value in named.items() if value is not None]
        lines.append(printable(f"judge: {', '.join([str(shown.judge['name']), *said])}"))
    lines += map(printable, shown.remarks)
    for view in shown.views:
        lines += ["", *_row_as_text(view, most)]
    more = shown.total - len(shown.views)
    if more > 0:
        some = f"{len(shown.views):,} of {shown.total:,} {shown.kind} are shown"
        rest = f"{more:,} more are not; --limit N shows more of them, --row N another one"
        lines += ["", printable(f"{some}, {rest}.")]
    return "\n".join(lines) + "\n"


def _row_as_text(view: RowView, most: int | None) -> Iterator[str]:
    where = view.where
    line = f" (line {where.line})" if where.line is not None else ""
    source = f", source {view.source}" if view.source is not None else ""
    yield printable(f"=== row {where.row}{line}{source}")
    if view.error is not None:
        yield printable(f"CANNOT BE READ: {view.error} A task stops here.")
    for name in view.left_out:
        why = f": {view.why[name]}" if name in view.why else ""
        yield printable(f"LEFT OUT: {reason_in_words(name)} ({name}){why}")
    for message in view.prompt:
        yield from _block(f"prompt, {message['role']}", message["content"], most)
    if view.completions and not view.prompt:
        yield "no prompt"
    for number, completion in enumerate(view.completions):
        by = f", by {completion.model}" if completion.model is not None else ""
        yield from _block(f"completion {number}{by}", completion.text, most)
        for name, note in completion.notes.items():
            title = name if name in ("critique", "principle") else f"rationale, {name}"
            yield from _block(f"completion {number}, {title}", note, most)
    if view.completions:
        yield from ["", *_ratings(view), "", *_pairs(view)]
    if view.fields:
        yield from ["", "fields of the row", *_fields(view.fields, most)]
    told = [f"{name} {n:,}" for name, n in view.counts.items()]
    if told:
        yield from ["", printable(f"counted: {', '.join(told)}")]


def _block(title: str, text: str, most: int | None) -> Iterator[str]:
    """A text below its title, a bar before each line, so that no text passes for one of ours."""
    yield printable(f"{title}:")
    cut = text if most is None else text[:most]
    if not text:
        yield "  (empty)"
    for line in cut.split("\n") if cut else ():
        yield f"  | {printable(line)}"
    if len(cut) < len(text):
        left = len(text) - len(cut)
        yield f"  ({left:,} of {len(text):,} characters are cut here; --full shows them)"


def _ratings(view: RowView) -> Iterator[str]:
    names = [view.preference]
    names += dict.fromkeys(n for c in view.completions for n in c.ratings if n != view.preference)
    header = ["completion", "model", *names[:1], "rank", *names[1:]]
    if view.is_judged:
        header += ["reward", "rank by reward"]
    rows = []
    for number, completion in enumerate(view.completions):
        first, *others = [_number(completion.ratings.get(name)) for name in names]
        if completion.left_out and first != "-":
            # A rating that is known to be wrong orders nothing.
            first += f" ({completion.left_out})"
        cells = [str(number), _short(completion.model or "-"), first]
        cells += [_rank(completion.rank_by_rating), *others]
        if view.is_judged:
            reward = completion.reward
            cells += ["-" if reward is None else f"{reward:.4f}", _rank(completion.rank)]
        rows.append(cells)
    yield from aligned([list(map(printable, header)), *rows], texts=(1,)).split("\n")


def _pairs(view: RowView) -> Iterator[str]:
    possible = len(view.pairs) + len(view.no_pairs)
    yield f"{len(view.pairs)} of {possible} pairs count ({printable(view.preference)})"
    for pair in view.pairs:
        margin = view.margin(pair)
        judged = "" if margin is None else f"; the judge's margin {margin:+.4f}, {_judged(margin)}"
        same = "; identical answers, a tie for any judge" if pair.identical else ""
        gap = _number(pair.gap)
        yield f"  {pair.chosen} over {pair.rejected}, by {gap}{judged}{same}"
    for one in view.no_pairs:
        first, second = one.completions
        yield printable(f"  {first} and {second} do not: {reason_in_words(one.reason)}")


def _fields(fields: Mapping[str, Any], most: int | None) -> Iterator[str]:
    for name, value in fields.items():
        written = value if isinstance(value, str) else json.dumps(_plain(value), default=str)
        whole = printable(written)
        said = whole if most is None else shortened(whole, _MOST_OF_VALUE)
        cut = "" if said == whole else f" ({len(written):,} characters; --full shows them)"
        yield f"  {_short(name)}: {said}{cut}"


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _number(value: Fraction | None) -> str:
    if value is None:
        return "-"
    if value.denominator == 1:
        return _short(str(value))
    number = _as_number(value)
    return f"{number:.4g}" if isinstance(number, float) else _short(str(number))


def _short(text: str) -> str:
    return shortened(printable(text), _MOST_OF_VALUE)
