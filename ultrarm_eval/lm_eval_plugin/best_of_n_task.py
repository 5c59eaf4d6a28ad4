"""Best-of-n for any lm-eval task whose answers are right or wrong: the judge picks the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean

from ultrarm_eval.data.shard_files import open_part
from ultrarm_eval.data.tables import DatasetRows
from ultrarm_eval.documents.base import part_read
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.judges.base import may_abstain
from ultrarm_eval.lm_eval_plugin.base_task import OwnTask
from ultrarm_eval.lm_eval_plugin.best_of_n_settings import (
    NO_ANSWER,
    Votes,
    behind,
    judging_settings,
    local_splits,
)
from ultrarm_eval.lm_eval_plugin.document_values import uncompensated
from ultrarm_eval.lm_eval_plugin.harness_features import filters_of
from ultrarm_eval.lm_eval_plugin.harness_task import whose_request
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText
from ultrarm_eval.lm_eval_plugin.judge_report import judge_report
from ultrarm_eval.lm_eval_plugin.metadata import read_judging, read_options
from ultrarm_eval.lm_eval_plugin.reward_filters import TaskRewardFilter
from ultrarm_eval.lm_eval_plugin.run_metadata import own_metadata, task_folders
from ultrarm_eval.lm_eval_plugin.sampling import EqualAnswers, checked_repeats, require_sampling
from ultrarm_eval.metrics.best_of_k import first_at_k, judge_at_k, majority_at_k, oracle_at_k, sizes

__all__ = ["BestOfNTask"]

_SAMPLED = {"do_sample": True, "temperature": 1.0, "until": []}
_WAYS = ("first", "judge", "majority", "oracle")


class BestOfNTask(OwnTask):
    """The model answers n times; every metric is reported for the picked answer.

    The YAML is that of any task with output_type generate_until. Its filter lists begin with
    `reward`, which says how a document becomes the judge's prompt; the filters after it extract the
    answer from the model's output, and keep all n answers.
    """

    reads_metric_list = True

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Loads the data.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: The metadata, the YAML or the data cannot be used.
        """
        given = {k: v for k, v in (config or {}).items() if k != "class"}
        metadata = own_metadata(given)
        self._options = read_options(metadata, str(given.get("task")), folders=task_folders(given))
        options = read_judging(metadata)
        # The harness's defaults, which YAMLs rely on, are greedy decoding and a stop at a blank
        # line.
        given["generation_kwargs"] = {**_SAMPLED, **(given.get("generation_kwargs") or {})}
        given["repeats"] = options.n or int(given.get("repeats") or 1)
        listed = given.get("filter_list") or [{"name": "none", "filter": []}]
        self._judging = judging_settings(listed, options, given.get("task"))
        given["filter_list"] = [{"name": e["name"], "filter": behind(e)} for e in listed]
        self._votes = Votes(given.get("metric_list") or (), listed)
        self._equal = EqualAnswers()
        self._n = options.n
        self._judged: dict[str, list[ScoredText]] = {}
        self._lacks_examples = False
        super().__init__(given)

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the run's data; the task's own data set if the run names none."""
        metadata = self._options.of_task(self.config.metadata or {})
        path = self._options.data
        if path is None:
            if self._options.data_revision is not None:
                chosen = {"revision": self._options.data_revision}
                self.config.dataset_kwargs = {**(self.config.dataset_kwargs or {}), **chosen}
            super().download(self.config.dataset_kwargs)
        else:
            self._lacks_examples = Path(path).expanduser().is_file()
            self.dataset = local_splits(Path(path).expanduser(), self.config)
            metadata["data_used"] = path
        part = None if path is None else open_part(Path(path).expanduser())
        known = None if part is None else part.part
        shard = self._options.shard
        if shard is not None:
            split = self.config.test_split or self.config.validation_split
            table = self.dataset[split]
            rows = DatasetRows(table, str(path or self.config.dataset_path))
            rows.part = known
            known = part_read(rows, shard)
            self.dataset = {**self.dataset, split: table.select(shard.rows(len(table)))}
        self.config.metadata = metadata | ({} if known is None else known.facts())

    def before_requests(self, lm: Any, most: int | None) -> None:
        """Checks the judge, the filters and the metrics before the model generates.

        Args:
            lm: The model.
            most: The largest number of documents used; None for all.
        """
        require_sampling(self.config)
        if self._lacks_examples and self.config.num_fewshot:
            raise ConfigurationError(
                f"{self.config.task}: num_fewshot is {self.config.num_fewshot}, but the data "
                "file has no few-shot examples. Give --num_fewshot 0, or a folder saved by "
                f"datasets with the splits {self.config.test_split} and "
                f"{self.config.fewshot_split}."
            )
        if self.only_writes():
            return
        repeats = int(self.config.repeats)
        for settings in self._judging.values():
            TaskRewardFilter(**settings).check(islice(iter(self.eval_docs), most), repeats)
        self._rehearse(repeats)

    def has_answers_judged(self) -> bool:
        """True, unless the run only generates answers (`--predict_only`)."""
        return not self.only_writes()

    def _rehearse(self, repeats: int) -> None:
        """Filters and measures dummy answers, so that mistakes in the YAML show up now."""
        document = next(iter(self.eval_docs), None)
        if document is None:
            return
        trial = Instance(
            request_type="generate_until",
            doc=document,
            arguments=("", {}),
            idx=0,
            **whose_request(self, document, 0, repeats),
        )
        trial.resps = ["1"] * repeats
        for ensemble in filters_of(self):
            ensemble.apply([trial])
            found = self._found(trial, ensemble.name, repeats)
            for name, value in self.measured_answer(document, _text(found[0])).items():
                _number(name, value, self.config.task)

    def set_repeats(self, repeats: int) -> None:
        """Sets the number of answers per prompt, which `n` sets too."""
        self.config.repeats = checked_repeats(self.config.task, repeats, self._n)

    def apply_filters(self) -> Any:
        """Applies the YAML's filters to all answers."""
        self._judged.clear()
        filtered = super().apply_filters()
        if self.only_writes():
            for instance in self.instances:
                instance.filtered_resps["none"] = list(instance.resps)
        return filtered

    def judge_answers(self, filter_name: str) -> None:
        """Judges all unfiltered answers, once for all filter lists with the same judge."""
        settings, instances = self._judging[filter_name], self.instances
        written = json.dumps(settings, sort_keys=True, default=str)
        if written not in self._judged:
            self._judged[written] = TaskRewardFilter(**settings).judged(
                [instance.resps for instance in instances],
                [instance.doc for instance in instances],
            )
        for instance, scored in zip(instances, self._judged[written], strict=True):
            found = self._found(instance, filter_name, len(scored.answers))
            instance.filtered_resps[filter_name] = [
                ScoredText(_text(text), whole.judgement)
                for text, whole in zip(found, scored.answers, strict=True)
            ]

    def _found(self, instance: Instance, name: str, answers: int) -> Sequence[Any]:
        """What a filter found in each answer."""
        found = instance.filtered_resps[name]
        if not isinstance(found, list | tuple) or len(found) != answers:
            raise ConfigurationError(
                f"{self.config.task}, filter {name!r}: it does not keep every answer. Remove "
                "take_first, majority_vote and similar filters: this task picks the answer "
                "itself."
            )
        return found

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[Sequence[ScoredText]]
    ) -> dict[str, Any]:
        """The metrics of one prompt: each for the answer picked among k."""
        if self.only_writes():
            return {"bypass": None}
        answers = results[0]
        self._equal.look_at(answers)
        values: dict[str, list[float]] = {}
        for answer in answers:
            for name, value in self.measured_answer(doc, str(answer)).items():
                values.setdefault(name, []).append(_number(name, value, self.config.task))
        rewards = [answer.reward for answer in answers if answer.reward is not None]
        # The best of fewer answers is not a pick among all; then no way of picking is reported, so
        # that all are compared on the same prompts.
        is_scored = len(rewards) == len(answers)
        votes = [self._votes.of(str(answer)) for answer in answers]
        metrics: dict[str, Any] = {}
        for name, of_answers in values.items():
            sign = 1.0 if super().higher_is_better().get(name, True) else -1.0
            for k in sizes(len(answers)):
                picked: dict[str, float | None] = dict.fromkeys(_WAYS)
                if is_scored:
                    best = oracle_at_k([sign * value for value in of_answers], k)
                    picked = {
                        "first": first_at_k(of_answers, k),
                        "judge": judge_at_k(of_answers, rewards, k),
                        "majority": majority_at_k(of_answers, votes, k),
                        "oracle": sign * best,
                    }
                metrics |= {f"{name}_{way}@{k}": picked[way] for way in _WAYS}
        return uncompensated(metrics)

    def averaged_metrics(self) -> Sequence[str]:
        """All of them."""
        return self._picked(super().aggregation())

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The judge's settings and counts, for the task's metadata in the results."""
        if self.only_writes():
            return {}
        self._equal.report(str(self.config.task))
        name, settings = next(iter(self._judging.items()))
        return judge_report(TaskRewardFilter(**settings).judge, samples, name)

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """The mean over prompts, for every metric."""
        own = dict(super().aggregation())
        if self.only_writes():
            return own
        names = self._picked(own)
        judges = [TaskRewardFilter(**settings).judge for settings in self._judging.values()]
        if any(map(may_abstain, judges)):
            return {name: self.abstentions.over_defined(name, mean) for name in names}
        return dict.fromkeys(names, mean)

    def higher_is_better(self) -> dict[str, bool]:
        """As the YAML says for each metric."""
        own = dict(super().higher_is_better())
        if self.only_writes():
            return own
        return {picked: own[name] for name in own for picked in self._picked([name])}

    def _picked(self, names: Any) -> list[str]:
        at = sizes(int(self.config.repeats))
        return [f"{name}_{way}@{k}" for name in names for k in at for way in _WAYS]


def _text(found: Any) -> str:
    """What a filter found, as text; filters of the harness may return None."""
    return NO_ANSWER if found is None else str(found)


def _number(name: str, value: Any, task: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ScoringError(
            f"{task}: for a single answer the metric {name!r} returns a {type(value).__name__} "
            "instead of a number. Use a metric that returns a number, such as exact_match."
        ) from error
