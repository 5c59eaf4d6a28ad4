"""A merged task: its metrics, its metadata, and its samples as one run writes them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.lm_eval_plugin.document_values import uncompensated_value
from ultrarm_eval.lm_eval_plugin.harness_task import standard_error
from ultrarm_eval.lm_eval_plugin.merged.measured import Measured, measured
from ultrarm_eval.lm_eval_plugin.merged.samples import MergedSamples, sample_line
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.sample_values import sample_value
from ultrarm_eval.runs.shards import TaskShards

_HASHES = ("doc_hash", "prompt_hash", "target_hash")
#: What the harness calls the number of documents of a task, by its version.
SIZES = ("sample_len", "samples")
# Counted by a part alone, where one run would have looked at the other parts as well.
_REPEATING, _UNUSED = "rows_repeating_another", "references_without_a_prompt"
# Numbers that the task's metadata hold beside the counts of the data.
_JUDGE = "judge_used"
_ADDED = ("documents_with_own_system_turn", "answers_without_score")


@dataclass(frozen=True)
class MergedTask:
    """A task as one run reports it.

    Attributes:
        shards: The results of its shards.
        documents: Its number of documents.
        figures: lm-eval's metrics.
        metadata: The task's metadata about itself and its data.
        task_hash: The harness's hash of its samples.
    """

    shards: TaskShards
    documents: int
    figures: Mapping[str, Any]
    metadata: Mapping[str, Any]
    task_hash: str


class TextCounts:
    """The texts that a judge scored, over all tasks.

    Attributes:
        texts: Their number.
    """

    def __init__(self) -> None:
        """Starts with none."""
        self.texts = 0
        self._known: set[bytes] = set()

    @property
    def distinct(self) -> int:
        """The number of distinct texts."""
        return len(self._known)

    def add(self, sample: Mapping[str, Any]) -> None:
        """Counts the texts of a sample by prompt and completion."""
        for asked in mapping(sample.get("arguments")).values():
            prompt, completion = asked.get("arg_0"), asked.get("arg_1")
            written = f"{len(str(prompt))} {prompt}{completion}".encode("utf-8", "surrogatepass")
            self._known.add(hashlib.blake2b(written, digest_size=16).digest())
            self.texts += 1


def merge_task(shards: TaskShards, write: Callable[[str], object], texts: TextCounts) -> MergedTask:
    """Merges a task's shards.

    Args:
        shards: The results of all shards.
        write: Receives the lines of the samples, in order.
        texts: Counts the texts.

    Raises:
        DataError: The samples are damaged, or lack required fields.
        ScoringError: A metric cannot be computed.
    """
    samples = MergedSamples(shards)
    how = measured(shards, samples)
    hashes = hashlib.sha256()
    values: dict[tuple[str, str], list[Any]] = {}
    for where, sample in samples:
        found = how.values(sample, where)
        texts.add(sample)
        for one in _HASHES:
            hashes.update(sample[one].encode())
        for metric, value in found.items():
            values.setdefault((metric, str(sample["filter"])), []).append(
                uncompensated_value(value)
            )
        write(sample_line(_with_values(sample, found)))
    figures = _figures(shards, how, values)
    return MergedTask(
        shards,
        len(samples),
        _as_harness_does(shards, figures, len(samples)),
        _metadata(shards, samples, how),
        hashes.hexdigest(),
    )


def _with_values(sample: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A sample with its metrics in order: a shard does not know another's categories."""
    former = sample.get("metrics") or []
    written: dict[str, Any] = {}
    for name, value in sample.items():
        if name == "metrics":
            written[name] = list(values)
        elif name not in former:
            written[name] = value
        elif name == former[0]:
            written |= {metric: sample_value(one) for metric, one in values.items()}
    return written


def _figures(
    shards: TaskShards, how: Measured, values: Mapping[tuple[str, str], list[Any]]
) -> dict[str, Any]:
    """Metrics and standard errors, as the harness computes them from all documents."""
    iterations = int(shards.results[0].run.config.get("bootstrap_iters") or 0)
    figures: dict[str, Any] = {}
    aggregations = how.aggregations()
    for (metric, name), of_metric in values.items():
        aggregation = aggregations[metric]
        figures[f"{metric},{name}"] = aggregation(of_metric)
        figures[f"{metric}_stderr,{name}"] = standard_error(aggregation, of_metric, iterations)
        # As of one run: the harness does not know means over some documents.
        if metric in how.abstentions.standard_errors:
            figures[f"{metric}_stderr,{name}"] = how.abstentions.standard_errors.pop(metric)
    return figures


def _as_harness_does(
    shards: TaskShards, figures: Mapping[str, Any], documents: int
) -> dict[str, Any]:
    """The task's entry of the results, in the format of its version of the harness."""
    written: dict[str, Any] = {}
    for name, value in shards.results[0].figures.items():
        if "," not in name:
            written[name] = documents if name in SIZES else value
    return {**written, **figures}


def _metadata(shards: TaskShards, samples: MergedSamples, how: Measured) -> dict[str, Any]:
    each = [result.metadata for result in shards.results]
    found = {name: value for name, value in each[0].items() if name != "part"}
    found["shard"] = None
    if shards.part.data is not None:
        # The file of a part is one of the whole data.
        found["data_used"] = found["data"] = shards.part.data
        if shards.part.revision is not None:
            found["data_revision"] = shards.part.revision
    if any("counts" in one for one in each):
        found["counts"] = _counts(shards, samples)
    for name in _ADDED:
        if any(name in one for one in each):
            found[name] = sum(int(one.get(name, 0)) for one in each)
    used = [mapping(one.get(_JUDGE)) for one in each]
    if any(used):
        found[_JUDGE] = _judge_used(used)
    found |= how.facts()
    if "data_digest" in found:
        found["data_digest"] = samples.digest
    return found


def _judge_used(used: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The judge of generated answers; its counts are added up."""
    counts: Counter[str] = Counter()
    for one in used:
        counts.update(
            {str(n): number for n, number in mapping(one.get("counts")).items() if number}
        )
    found = dict(used[0])
    if "counts" in found:
        found["counts"] = {name: counts[name] for name in {**found["counts"], **counts}}
    if "scoring_seconds" in found:
        found["scoring_seconds"] = math.fsum(
            float(one.get("scoring_seconds") or 0.0) for one in used
        )
    return found


def _counts(shards: TaskShards, samples: MergedSamples) -> dict[str, int]:
    """The counts of the data as in one run: the sums over independent shards."""
    total: Counter[str] = Counter()
    each = [mapping(result.metadata.get("counts")) for result in shards.results]
    for counts in each:
        total.update({str(name): int(number) for name, number in counts.items()})
    total[_REPEATING] += samples.repeats_between_shards()
    if any(_UNUSED in counts for counts in each):
        known = {
            int(counts.get(_UNUSED, 0)) + len(samples.prompts(shard))
            for shard, counts in enumerate(each)
        }
        if len(known) > 1:
            raise DataError(
                f"{shards.task}: the shards used different reference files (with "
                f"{', '.join(map(str, sorted(known)))} prompts). Run them again with the same "
                "file."
            )
        total[_UNUSED] = known.pop() - len(samples.prompts())
    return {name: number for name, number in total.items() if number}
