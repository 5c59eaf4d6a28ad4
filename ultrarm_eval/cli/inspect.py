"""`ultrarm-eval data inspect`: what preference data hold, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ultrarm_eval.inspection.inspection import UNNAMED, Inspection
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import open_any

_BY_SOURCE = {
    "rows": "rows",
    "prompts": "prompts",
    "completions": "completions",
    "pairs": "pairs",
    "mean_prompt_length": "prompt chars",
    "mean_completion_length": "answer chars",
    "acc_longest": "longest wins",
}
_BY_PREFERENCE = {
    "rated": "rated",
    "lowest": "lowest",
    "mean": "mean",
    "highest": "highest",
    "prompts": "prompts",
    "pairs": "pairs",
    "acc_longest": "longest wins",
}
_BY_MODEL = {
    "completions": "completions",
    "mean_rating": "mean rating",
    "mean_length": "answer chars",
}


def inspect_data(
    data: str, split: str | None, revision: str | None, rules: ComparisonRules, *, form: str
) -> tuple[str, bool]:
    """Inspects a data set.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to take where there are several.
        revision: The hub revision.
        rules: The preference to count by, and the least gap.
        form: `text` or `json`.

    Returns:
        What was found, and whether the data can be used as they are.

    Raises:
        UltrarmEvalError: The data cannot be opened, or have no such preference.
    """
    opened = open_any(data, split, revision, registry().sources())
    inspection = Inspection(opened, rules)
    found = inspection.as_dict()
    text = (
        json.dumps(found, indent=2, ensure_ascii=False) + "\n" if form == "json" else _text(found)
    )
    return text, inspection.is_usable


def _text(found: Mapping[str, Any]) -> str:
    usable, preference = found["usable"], found["preference"]
    gap = f", at least {found['min_gap']:g} apart" if found["min_gap"] else ""
    parts = [
        f"{found['data']}: {found['rows']:,} rows of the schema {found['schema']!r}",
        f"usable by {preference}{gap}: {usable['documents']:,} prompts, {usable['pairs']:,} pairs",
        _table(f"by source ({preference})", _BY_SOURCE, found["by_source"]),
        _table("by preference", _BY_PREFERENCE, found["by_preference"]),
    ]
    if found["columns_not_read"]:
        parts[0] += f"\ncolumns that are not read: {', '.join(found['columns_not_read'])}"
    if found["by_model"]:
        parts.append(_table(f"by model ({preference})", _BY_MODEL, found["by_model"]))
    if found["odd"]:
        rows = [
            (name, f"{odd['count']:,}", odd["first"], _shares(odd))
            for name, odd in found["odd"].items()
        ]
        header = ("left out or odd", "count", "first at", "of which")
        parts.append(aligned([header, *rows], texts=(0, 2, 3)))
    for advice in dict.fromkeys(found["advice"].values()):
        names = [name for name, text in found["advice"].items() if text == advice]
        parts.append(f"{', '.join(names)}: {advice}.")
    if found["unreadable_rows"]:
        shown = "\n".join(f"  {error}" for error in found["errors"])
        more = found["unreadable_rows"] - len(found["errors"])
        rest = f"\n  and {more:,} more" if more else ""
        parts.append(
            f"{found['unreadable_rows']:,} rows cannot be read; a run stops at the first:\n"
            f"{shown}{rest}"
        )
    if not usable["documents"]:
        parts.append("No pair is left to compare: a run on these data is refused.")
    notes = "'longest wins': the share of the pairs whose better answer is the longer one, in "
    parts.append(f"{notes}characters; equal lengths count one half.")
    return "\n\n".join(parts) + "\n"


def _shares(odd: Mapping[str, Any]) -> str:
    """By aspect where there are aspects, and by source where there are several."""
    shares = [odd.get("by_aspect", {})]
    if set(odd["by_source"]) != {UNNAMED}:
        shares.append(odd["by_source"])
    return "; ".join(
        ", ".join(f"{name} {count:,}" for name, count in share.items()) for share in shares if share
    )


def _table(title: str, columns: Mapping[str, str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        (name, *(_cell(key, figures[key]) for key in columns)) for name, figures in rows.items()
    ]
    return aligned([(title, *columns.values()), *lines])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if key.endswith("_length"):
        return f"{value:,.0f}"
    return f"{value:.4f}" if key == "acc_longest" else f"{value:.2f}"


def aligned(rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """A table as text, its cells one below the other.

    Args:
        rows: The lines, the headers among them; all of one length.
        texts: The columns that are set to the left.
    """
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
