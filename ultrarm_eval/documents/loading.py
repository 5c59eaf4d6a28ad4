"""The documents that preference tasks score, for use from Python."""

from __future__ import annotations

import logging
import os
from typing import Any

from ultrarm_eval.data.rows import read_shard
from ultrarm_eval.documents.prompt_documents import PromptDocuments
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules, checked_min_gap
from ultrarm_eval.sources.preference_data import open_any

logger = logging.getLogger(__name__)


def load_documents(
    data: str | os.PathLike[str],
    *,
    preference: str | None = None,
    min_gap: Any = 0,
    split: str | None = None,
    revision: str | None = None,
    source: str | None = None,
    shard: str | None = None,
) -> PromptDocuments:
    """The documents that `ultrafeedback_pairs` and its like score on some data.

    What is left out is counted under `counts`, and rows that are left out are warned of in the log,
    as by a task.

    Args:
        data: A file (JSON, JSONL, Parquet), a folder saved by `datasets`, a hub id, or `demo`.
        preference: The rating that orders the pairs; the data's default if None.
        min_gap: The least difference in rating of a pair, exact in decimals.
        split: The split to take where there are several; `train` if None.
        revision: The hub revision.
        source: Reads the prompts of one collection alone, such as `flan`.
        shard: Reads a part of the rows alone, such as `3/16`.

    Returns:
        A sequence of documents, made when asked for: `prompt` (messages), `completions`,
        `models`, `ratings` and `aspects` (exact, as texts), `source`, `row`.

    Raises:
        UltrarmEvalError: The data or an option cannot be used.
    """
    name = os.fspath(data)
    documents = PromptDocuments(
        open_any(name, split, revision, registry().sources()),
        ComparisonRules(preference, min_gap=checked_min_gap(min_gap)),
        origin=source,
        shard=None if shard is None else read_shard(shard),
    )
    for remark in documents.remarks():
        logger.warning("%s: %s", name, remark)
    return documents
