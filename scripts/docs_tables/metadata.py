"""The tables of the keys of `--metadata`, by the tasks that read them."""

from __future__ import annotations

from collections.abc import Iterable

from docs_tables.markdown import code, codes, table
from ultrarm_eval.lm_eval_plugin.metadata_keys import (
    GENERATIONS,
    KEYS,
    OWN_PAIRS,
    PAIRS,
    MetadataKey,
)


def pairs_table() -> str:
    """The keys of tasks that compare pairs."""
    return _table(key for key in KEYS.values() if PAIRS in key.tasks or OWN_PAIRS in key.tasks)


def generations_table() -> str:
    """The keys of tasks in which a judge scores what a model writes; its own keys come first."""
    read = [key for key in KEYS.values() if GENERATIONS in key.tasks]
    return _table(sorted(read, key=lambda key: PAIRS in key.tasks), in_generations=True)


def _table(keys: Iterable[MetadataKey], *, in_generations: bool = False) -> str:
    return table(
        ("key", "default", "values", "what it does"),
        (
            (
                code(key.name),
                key.shown_default or code(str(key.default)),
                key.values or codes(key.choices),
                key.in_generations if in_generations and key.in_generations else _help(key),
            )
            for key in keys
        ),
    )


def _help(key: MetadataKey) -> str:
    return f"`preference_pairs` only. {key.help}" if key.tasks == (OWN_PAIRS,) else key.help
