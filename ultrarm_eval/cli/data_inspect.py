"""`ultrarm-eval data inspect`: what preference data contains, and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.cli.data_options import add_data_options, open_data, rules_of
from ultrarm_eval.data.counts import counted
from ultrarm_eval.inspection.inspection import UNNAMED, Inspection
from ultrarm_eval.terminal import aligned

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


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Summarizes preference data. Reads every row and shows what the data contains, how much of "
        "it is usable and what is wrong, by source, preference and model. The exit status is 1 if "
        "a run would refuse the data."
    )
    add_data_options(command)
    command.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="text for a terminal, json for scripts (default: %(default)s)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    rules = rules_of(options)
    inspection = Inspection(open_data(options), rules)
    found = inspection.as_dict()
    sys.stdout.write(
        json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        if options.format == "json"
        else _text(found)
    )
    return 0 if inspection.is_usable else 1


def _text(found: Mapping[str, Any]) -> str:
    usable, preference = found["usable"], found["preference"]
    gap = f", at least {found['min_gap']:g} apart" if found["min_gap"] else ""
    parts = [
        f"{found['data']}: {counted(found['rows'], 'row')}, schema {found['schema']!r}",
        f"usable with preference {preference}{gap}: {counted(usable['documents'], 'prompt')}, "
        f"{counted(usable['pairs'], 'pair')}",
        _table(f"by source ({preference})", _BY_SOURCE, found["by_source"]),
        _table("by preference", _BY_PREFERENCE, found["by_preference"]),
    ]
    if found["columns_not_read"]:
        parts[0] += f"\nunused columns: {', '.join(found['columns_not_read'])}"
    if found["by_model"]:
        parts.append(_table(f"by model ({preference})", _BY_MODEL, found["by_model"]))
    if found["odd"]:
        rows = [
            (name, f"{odd['count']:,}", odd["first"], _shares(odd))
            for name, odd in found["odd"].items()
        ]
        header = ("excluded or unusual", "count", "first at", "of which")
        parts.append(aligned([header, *rows], texts=(0, 2, 3)))
    for advice in dict.fromkeys(found["advice"].values()):
        names = [name for name, text in found["advice"].items() if text == advice]
        parts.append(f"{', '.join(names)}: {advice}.")
    if found["unreadable_rows"]:
        shown = "\n".join(f"  {error}" for error in found["errors"])
        more = found["unreadable_rows"] - len(found["errors"])
        rest = f"\n  and {more:,} more" if more else ""
        parts.append(
            f"{found['unreadable_rows']:,} rows cannot be read; a run would stop at the "
            f"first:\n{shown}{rest}"
        )
    if not usable["documents"]:
        parts.append("No pair is left to compare: a run would refuse this data.")
    parts.append(
        "'longest wins' is the longest-answer baseline: the share of pairs whose chosen answer is "
        "the longer one, in characters; equal lengths count one half."
    )
    return "\n\n".join(parts) + "\n"


def _shares(odd: Mapping[str, Any]) -> str:
    """By aspect if there are aspects, and by source if there are several."""
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
