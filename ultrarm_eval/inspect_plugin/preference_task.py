"""The task `preference`: a judge ranks the answers of preference data; no model generates."""

from __future__ import annotations

import logging
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ultrarm_eval.benchmarks.comparison import PreferenceComparison
from ultrarm_eval.data.rows import read_shard
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.inspect_plugin.errors import prerequisite_errors
from ultrarm_eval.inspect_plugin.judge_arguments import as_text, scoring_queue
from ultrarm_eval.inspect_plugin.preference_samples import as_samples
from ultrarm_eval.inspect_plugin.preference_scorer import preference_scorer
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules, checked_min_gap, checked_ties
from ultrarm_eval.sources.preference_data import open_any

logger = logging.getLogger(__name__)

# By default inspect_ai opens as many samples at once as a model may have open calls. Here no model
# is called, and more open samples mean larger batches for the judge.
_OPEN_AT_ONCE = 512
# Arguments that are not settings of a judge, to suggest corrections of misspelled names.
_ARGUMENTS = (
    *("judge", "data", "split", "data_revision", "preference", "ties", "min_gap"),
    *("category", "source", "shard", "kind", "judge_args"),
)


@solver  # type: ignore[untyped-decorator, unused-ignore]
def no_answer() -> Solver:
    """Leaves a sample as it is: nothing is generated."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return state

    return solve


@task  # type: ignore[untyped-decorator, unused-ignore]
def preference(
    judge: str | None = None,
    data: str | None = None,
    split: str | None = None,
    data_revision: str | None = None,
    preference: str | None = None,
    ties: str = "half",
    min_gap: float | str = 0,
    category: str | None = None,
    source: str | None = None,
    shard: str | None = None,
    kind: str | None = None,
    judge_args: dict[str, Any] | None = None,
    **settings: Any,
) -> Task:
    """How often a judge ranks the answers of preference data as the data does.

    A sample is a prompt with all its answers, so that `acc` is the mean over prompts of the share
    of correctly ranked pairs. The task's metadata records what is used of the data and what is
    excluded, and why.

    Args:
        judge: The judge's checkpoint: a folder, a hub id, or `demo`; required.
        data: A file (JSON, JSONL, Parquet), a folder saved by `datasets`, a hub id, or `demo`;
            required.
        split: The split to use if there are several; `train` if None.
        data_revision: The hub revision of the data.
        preference: The rating that decides which answer is chosen; the data's default if None.
        ties: How equal rewards count: `half`, or `wrong` for zero.
        min_gap: The smallest rating difference of a pair, exact in decimals.
        category: The column whose values each get their own metrics.
        source: Reads only the prompts of one collection, such as `flan`.
        shard: Reads only one shard of the rows, such as `3/16`.
        kind: The judge's registered name; None to let the checkpoint decide.
        judge_args: Settings of the judge whose names are also arguments here.
        **settings: All other settings of the judge.

    Raises:
        RunRefusedError: The data, the judge or a setting cannot be used.
    """
    with prerequisite_errors():
        # Before the data is read, so that a wrong name is reported sooner.
        scoring_queue(judge, kind, judge_args, settings, _ARGUMENTS)
        named = as_text("data", data)
        if not named:
            raise ConfigurationError(
                "No data is named. Give data=PATH (a file, a folder, a hub data set, or demo)."
            )
        opened = open_any(
            named,
            as_text("split", split),
            as_text("data_revision", data_revision),
            registry().sources(),
        )
        rules = ComparisonRules(
            as_text("preference", preference), checked_ties(ties), checked_min_gap(min_gap)
        )
        part = as_text("shard", shard)
        comparison = PreferenceComparison(
            opened,
            rules,
            origin=as_text("source", source),
            shard=None if part is None else read_shard(part),
            category=as_text("category", category),
        )
    documents = comparison.documents
    for remark in documents.remarks():
        logger.warning("%s: %s", named, remark)
    # Made here, so that its errors are reported before anything is scored.
    judged = preference_scorer(judge, kind=kind, judge_args=judge_args, **settings)
    return Task(
        dataset=MemoryDataset(as_samples(documents, rules), name=named, location=named),
        solver=no_answer(),
        scorer=judged,
        config=GenerateConfig(max_connections=_OPEN_AT_ONCE),
        metadata={
            **comparison.facts,
            **documents.part_facts(),
            "counts": documents.counts.as_dict(),
        },
    )
