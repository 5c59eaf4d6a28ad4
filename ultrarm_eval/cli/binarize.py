"""`ultrarm-eval data binarize`: chosen and rejected answers out of rated completions."""

from __future__ import annotations

from pathlib import Path

import ultrarm_eval
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.binarization import BinarizedRows, write_rows
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import open_any


def binarize_data(
    data: str,
    split: str | None,
    revision: str | None,
    rules: ComparisonRules,
    *,
    pairs: str,
    seed: int,
    output: Path,
) -> str:
    """Writes the pairs of a data set.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to take where there are several.
        revision: The hub revision.
        rules: The preference, and the least gap.
        pairs: Which pairs of a prompt are taken.
        seed: Makes the draw among them repeatable.
        output: The Parquet or JSON Lines file.

    Returns:
        What was written and what was left out.

    Raises:
        UltrarmEvalError: The data cannot be used, or the file not be written.
    """
    if _is_same_file(output, Path(data).expanduser()):
        raise DataError(f"{output}: this is the file that is read; write to another one.")
    opened = open_any(data, split, revision, registry().sources())
    rows = BinarizedRows(opened, rules, pairs=pairs, seed=seed)
    about = {
        "version": ultrarm_eval.__version__,
        "data": data,
        "revision": revision,
        "preference": rows.preference,
        "min_gap": float(rules.min_gap),
        "pairs": pairs,
        "seed": seed,
    }
    write_rows(rows, output, about)
    lines = [
        f"{output}: {rows.counts['pairs_written']:,} pairs ({rows.preference}, {pairs})",
        *(
            f"{name}={count}"
            for name, count in rows.counts.as_dict().items()
            if name != "pairs_written"
        ),
    ]
    said = [lines[0], ", ".join(lines[1:]), *rows.remarks()]
    return "\n".join(said) + "\n"


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
