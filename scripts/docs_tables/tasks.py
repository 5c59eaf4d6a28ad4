"""The tables of tasks, from the task files and the cards at the top of their READMEs.

A card is an entry under `cards` in a README's front matter:

    tasks: names and patterns of tasks and groups, separated by commas; the first is a name
    size, licence, score, verified: what the table says, in Markdown
    data: what the data are, where the task files name no data set of the hub
    split: what is read of it, where the task files do not say it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from docs_tables.markdown import code, codes, table
from ultrarm_eval.lm_eval_plugin.task_names import read_task_file

TASKS = Path(__file__).parents[2] / "tasks"
_FIELDS = ("tasks", "size", "licence", "score", "verified")
_OPTIONAL = ("data", "split")


@dataclass(frozen=True)
class Card:
    """What a README says of some tasks.

    Attributes:
        readme: The README, below the folder of tasks.
        patterns: The names and patterns of its tasks and groups; the first one is a name.
        fields: The fields of the card.
    """

    readme: str
    patterns: tuple[str, ...]
    fields: Mapping[str, str]

    def said(self, *names: str) -> tuple[str, ...]:
        """The texts of some fields."""
        return tuple(self.fields[name] for name in names)

    def has(self, name: str) -> bool:
        """Whether a task or group is of this card."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def tasks_table(folder: Path = TASKS) -> str:
    """What each task reads, and how it is scored: a row for each card.

    Raises:
        ValueError: A card lacks a field, a task has no card or several, or a card has no task.
    """
    files = _task_files(folder)
    cards = [
        card for readme in sorted(folder.rglob("README.md")) for card in _cards(readme, folder)
    ]
    _require_one_card_each(cards, files)
    data = table(
        ("task or group", "data", "size", "license of the data"),
        ((_names(card), _data(card, files), *card.said("size", "licence")) for card in cards),
    )
    scores = table(
        ("task or group", "score", "what is verified"),
        (
            (", ".join(code(card.patterns[0]) for card in alike), *said)
            for said, alike in groupby(cards, lambda card: card.said("score", "verified"))
        ),
    )
    return f"What each task reads:\n\n{data}\nHow it is scored:\n\n{scores}"


def _task_files(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The tasks and groups of the task files, by name."""
    files = map(read_task_file, sorted(folder.rglob("*.yaml")))
    return {str(one.get("group") or one["task"]): one for one in files}


def _cards(readme: Path, folder: Path) -> Iterable[Card]:
    where = readme.relative_to(folder).as_posix()
    begin, front, _ = readme.read_text(encoding="utf-8").partition("---\n")[2].partition("\n---\n")
    if not front:
        raise ValueError(f"tasks/{where} does not begin with a front matter.")
    for fields in yaml.safe_load(begin)["cards"]:
        lacking = [name for name in _FIELDS if not str(fields.get(name) or "").strip()]
        unknown = [name for name in fields if name not in (*_FIELDS, *_OPTIONAL)]
        if lacking or unknown:
            raise ValueError(
                f"tasks/{where}, card of {fields.get('tasks')}: missing fields: {lacking}, unknown "
                f"fields: {unknown}."
            )
        names = tuple(name.strip() for name in fields["tasks"].split(","))
        yield Card(where, names, {name: str(value) for name, value in fields.items()})


def _require_one_card_each(cards: Iterable[Card], files: Iterable[str]) -> None:
    for name in files:
        # A name is more specific than a pattern.
        named = [card for card in cards if name in card.patterns]
        having = named or [card for card in cards if card.has(name)]
        if len(having) != 1:
            raise ValueError(
                f"The task {name} has {len(having)} cards in tasks/*/README.md, not 1."
            )
    for card in cards:
        for pattern in card.patterns:
            if not any(fnmatchcase(name, pattern) for name in files):
                raise ValueError(f"tasks/{card.readme}: there is no task {pattern}.")


def _names(card: Card) -> str:
    first, *others = map(code, card.patterns)
    return ", ".join([f"[{first}](../tasks/{card.readme})", *others])


def _data(card: Card, files: Mapping[str, Mapping[str, Any]]) -> str:
    """The data set of the task files, and what is read of it."""
    if "data" in card.fields:
        return card.fields["data"]
    tasks = [file for name, file in files.items() if card.has(name) and "dataset_path" in file]
    paths = {str(task["dataset_path"]): None for task in tasks}
    if len(paths) != 1:
        raise ValueError(f"tasks/{card.readme}, {card.patterns[0]}: {len(paths)} data sets, not 1.")
    (path,) = paths
    parts = {str(part): None for task in tasks for part in _parts(task)}
    splits = {str(task["test_split"]): None for task in tasks}
    read = card.fields.get("split") or f"split {codes(splits)}"
    hub = f"[{code(path)}](https://huggingface.co/datasets/{path})"
    return ", ".join([hub, *map(code, parts), read])


def _parts(task: Mapping[str, Any]) -> Iterable[object]:
    load = (task.get("dataset_kwargs") or {}).get("load") or {}
    return filter(None, (task.get("dataset_name"), load.get("data_dir")))
