"""Rows of preference data in readable form, for a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.counts import reason_in_words
from ultrarm_eval.inspection.row_view import RowView
from ultrarm_eval.sources.preference_data import PreferenceData
from ultrarm_eval.terminal import aligned, printable, shortened

# Characters of a name or value.
_MOST_OF_VALUE = 120
_HOW_JUDGED = ("wrong", "tie", "right")


@dataclass(frozen=True)
class ShownRows:
    """Rows that are shown.

    Attributes:
        data: The data.
        views: The rows.
        total: The number of rows that match the request.
        kind: What these rows are, in words.
        judge: The judge of the rewards; None without rewards.
        remarks: Further remarks.
    """

    data: PreferenceData
    views: Sequence[RowView]
    total: int
    kind: str
    judge: Mapping[str, Any] | None = None
    remarks: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of the rows, each once."""
        return list(dict.fromkeys(name for view in self.views for name in view.columns))


def rows_as_text(shown: ShownRows, most: int | None) -> str:
    """The rows, one below the other.

    Args:
        shown: The rows.
        most: The most characters shown of a text; None for all.
    """
    data = shown.data
    head = f"{data.origin}: {len(data.rows):,} rows, schema {data.source.name!r}"
    lines = [printable(head), printable(f"columns: {', '.join(shown.columns) or 'none'}")]
    if shown.judge is not None:
        named = {name: shown.judge.get(name) for name in ("pretrained", "revision", "template")}
        said = [f"{name} {value}" for name, value in named.items() if value is not None]
        lines.append(printable(f"judge: {', '.join([str(shown.judge['name']), *said])}"))
    lines += map(printable, shown.remarks)
    for view in shown.views:
        lines += ["", *_row_as_text(view, most)]
    more = shown.total - len(shown.views)
    if more > 0:
        some = f"Showing {len(shown.views):,} of {shown.total:,} {shown.kind}"
        rest = "use --limit N for more, or --row N for one row"
        lines += ["", printable(f"{some}; {rest}.")]
    return "\n".join(lines) + "\n"


def judged(margin: float) -> str:
    """Whether a judge ranks a pair as the ratings do."""
    return _HOW_JUDGED[1 + (margin > 0) - (margin < 0)]


def as_number(value: Fraction | None) -> float | str | None:
    """A rating for JSON; one that no float can represent becomes a text."""
    if value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return str(value)


def plain(value: Any) -> Any:
    """A row's value for JSON: NaN, infinities, bytes and times become texts."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _row_as_text(view: RowView, most: int | None) -> Iterator[str]:
    where = view.where
    line = f" (line {where.line})" if where.line is not None else ""
    source = f", source {view.source}" if view.source is not None else ""
    yield printable(f"=== row {where.row}{line}{source}")
    if view.error is not None:
        yield printable(f"CANNOT BE READ: {view.error} A task would stop here.")
    for name in view.left_out:
        why = f": {view.why[name]}" if name in view.why else ""
        yield printable(f"EXCLUDED: {reason_in_words(name)} ({name}){why}")
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
        yield from ["", "other fields of the row", *_fields(view.fields, most)]
    told = [f"{name} {n:,}" for name, n in view.counts.items()]
    if told:
        yield from ["", printable(f"counts: {', '.join(told)}")]


def _block(title: str, text: str, most: int | None) -> Iterator[str]:
    """A text below its title, with a bar before each line, so that no text looks like ours."""
    yield printable(f"{title}:")
    cut = text if most is None else text[:most]
    if not text:
        yield "  (empty)"
    for line in cut.split("\n") if cut else ():
        yield f"  | {printable(line)}"
    if len(cut) < len(text):
        left = len(text) - len(cut)
        yield f"  ({left:,} of {len(text):,} characters not shown; --full shows them)"


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
    yield f"{len(view.pairs)} of {possible} pairs count (preference {printable(view.preference)})"
    for pair in view.pairs:
        margin = view.margin(pair)
        verdict = "" if margin is None else f"; margin {margin:+.4f}, {judged(margin)}"
        same = "; identical answers, a tie for any judge" if pair.identical else ""
        gap = _number(pair.gap)
        yield f"  {pair.chosen} over {pair.rejected}, by {gap}{verdict}{same}"
    for one in view.no_pairs:
        first, second = one.completions
        yield printable(f"  {first} and {second} do not count: {reason_in_words(one.reason)}")


def _fields(fields: Mapping[str, Any], most: int | None) -> Iterator[str]:
    for name, value in fields.items():
        written = value if isinstance(value, str) else json.dumps(plain(value), default=str)
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
    number = as_number(value)
    return f"{number:.4g}" if isinstance(number, float) else _short(str(number))


def _short(text: str) -> str:
    return shortened(printable(text), _MOST_OF_VALUE)
