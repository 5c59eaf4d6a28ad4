"""Published benchmarks of reward models as tasks of the harness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.metrics import mean

from ultrarm_eval.benchmarks.benchmark import Figure, Suite
from ultrarm_eval.benchmarks.benchmark_documents import ChoiceDocuments
from ultrarm_eval.benchmarks.credit import require_finite, tie_share
from ultrarm_eval.benchmarks.known import find_suite
from ultrarm_eval.data.benchmark_files import is_called, open_rows
from ultrarm_eval.data.files import saved_splits
from ultrarm_eval.data.hub import load_hub
from ultrarm_eval.data.rows import Rows
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.abstentions import unscored_answers
from ultrarm_eval.lm_eval_plugin.aggregations import NOT_AVAILABLE
from ultrarm_eval.lm_eval_plugin.compared_task import ComparedTask
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions, read_options
from ultrarm_eval.lm_eval_plugin.reward import Reward, is_unscored
from ultrarm_eval.lm_eval_plugin.task_names import known_names
from ultrarm_eval.rules import TIE_CREDITS

_ACCURACY, _PER_BYTE = "acc", "acc_norm"
_LONGEST, _TIES = "acc_longest", "tie_rate"
_SETTINGS = ("suite", "subset", "files", "hub_subset", "load")


class SuiteTask(ComparedTask):
    """A benchmark, or one subset of it, scored as its authors do.

    The YAML's `dataset_kwargs` name the suite (`suite`) and possibly a subset of it (`subset`); of
    a benchmark with a file for each part what this part's is called (`files`), and which rows of
    the hub's data set it has (`hub_subset`); and what else that data set needs (`load`).
    """

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the data, and counts what is used and what is left out, and why."""
        given = dict(self.config.dataset_kwargs or {})
        for name in given:
            if name not in _SETTINGS:
                raise ConfigurationError(
                    f"{self.config.task}: dataset_kwargs has {name!r}; a benchmark takes "
                    f"{', '.join(_SETTINGS)} there."
                )
        self._suite: Suite = find_suite(str(given.get("suite")))
        self._subset: str | None = given.get("subset")
        self._rows_of: str | None = None
        self._by_likelihood = False
        metadata = dict(self.config.metadata or {})
        options = read_options(metadata, str(self.config.task))
        self._ties = self._checked_ties(metadata)
        rows = self._open(options, given)
        wanted = self._subset or self._rows_of
        documents = ChoiceDocuments(rows, self._suite, subset=wanted, shard=options.shard)
        counts = self.tell_counts(documents)
        self.config.metadata = {
            **options.of_task(metadata),
            "data_used": rows.origin,
            "suite": self._suite.name,
            "ties": self._ties or "the benchmark's own rule",
            "shard": None if options.shard is None else str(options.shard),
            "counts": counts,
        }
        self.dataset = {self.config.test_split: documents}

    def _checked_ties(self, metadata: Mapping[str, Any]) -> str | None:
        """The rule for ties: the benchmark's, unless the run names another."""
        named = metadata.get("ties")
        if named is None:
            return self._suite.ties
        if self._suite.ties is None:
            raise ConfigurationError(
                f"ties={named!r}: {self.config.task} has a rule of its own for equal rewards. "
                "Leave ties out."
            )
        return str(named)

    def _open(self, options: TaskOptions, given: Mapping[str, Any]) -> Rows:
        split = str(self.config.test_split)
        files = list(given.get("files") or ())
        if options.data is not None:
            names = files or [self._suite.name, split, *self._suite.file_names]
            rows = open_rows(options.data, split, names, is_part=bool(files))
            if files:
                is_meant = options.named_as == self.config.task
                self._subset_of_file(rows, files, given.get("hub_subset"), is_meant=is_meant)
            return rows
        # The hub's data set may hold the parts of another benchmark as well.
        self._rows_of = given.get("hub_subset")
        dataset = str(self.config.dataset_path)
        load = {"name": self.config.dataset_name, **(given.get("load") or {})}
        revision = options.data_revision or load.pop("revision", None)
        load.pop("revision", None)
        return load_hub(dataset, split, revision, **load)

    def _subset_of_file(
        self, rows: Rows, files: Sequence[str], hub_subset: str | None, *, is_meant: bool
    ) -> None:
        """Sees to it that a file holds the rows of this task and not those of its neighbours."""
        path = Path(rows.origin).expanduser()
        named = path.name.lower() in files or set(saved_splits(path)) & set(files)
        if named if path.is_dir() else is_called(path, files):
            return
        if hub_subset is not None and "subset" in rows[0]:
            self._rows_of = hub_subset
            return
        # The run named this file for this part alone; one that is called like another part is a
        # mistake.
        neighbours = {f"{self._suite.name}_{part}" for part in (path.stem, path.parent.name)}
        if is_meant and path.is_file() and not neighbours & known_names().tasks:
            return
        raise DataError(
            f"{rows.origin}: {self.config.task} reads one part of its benchmark, and this file "
            f"does not say which part it is. Call it {files[0]}{path.suffix}, or give a folder "
            "with a file, or a split, for each part; or name it for this task alone, "
            f'{{"data": {{"{self.config.task}": "FILE"}}}}.'
        )

    def completions_asked(self, doc: Mapping[str, Any]) -> Sequence[int]:
        """All of them."""
        return range(len(doc["completions"]))

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> int:
        """The first of the right completions."""
        return 0

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]
    ) -> dict[str, Any]:
        """The metrics of one item.

        Args:
            doc: The document.
            results: A `Reward`, or log-likelihood and greediness, for each completion.
        """
        if "bypass" in self._metric_fn_list:
            return {"bypass": None}
        if any(is_unscored(result[0]) for result in results):
            return dict.fromkeys((_ACCURACY, _TIES, _LONGEST, *self._figures()))
        rewards = [float(result[0]) for result in results]
        require_finite(rewards)
        document = dict(doc)
        metrics = {
            _ACCURACY: self._accuracy(document, rewards),
            _TIES: tie_share(rewards, document["correct"]),
            _LONGEST: self._accuracy(document, [float(n) for n in document["lengths"]]),
        }
        self._by_likelihood = not all(isinstance(result, Reward) for result in results)
        if self._by_likelihood:
            sizes = [max(1, len(text.encode("utf-8"))) for text in document["completions"]]
            per_byte = [reward / size for reward, size in zip(rewards, sizes, strict=True)]
            metrics[_PER_BYTE] = self._accuracy(document, per_byte)
        evidence = self._evidence(document, rewards)
        return {**metrics, **dict.fromkeys(self._figures(), evidence)}

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the judge had no score for, if it may abstain."""
        found = super().after_evaluation(samples)
        if not self.judge_may_abstain or not samples:
            return found
        return {
            **found,
            "completions_without_score": unscored_answers(samples),
            "documents_without_score": sum(s.get(_ACCURACY, 0) is None for s in samples),
        }

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How a metric's values become one: means over items, and the benchmark's own figures."""
        if "bypass" in self._metric_fn_list:
            return dict(self._aggregation_list)
        accuracy = self._own_figure()
        of_accuracy = mean if accuracy is None else _aggregated(accuracy)
        figures = {name: _aggregated(figure) for name, figure in self._figures().items()}
        by_metric = {
            **dict.fromkeys((_ACCURACY, _LONGEST, _PER_BYTE), of_accuracy),
            _TIES: mean,
            **figures,
        }
        return self.abstentions.over_defined(by_metric) if self.judge_may_abstain else by_metric

    def higher_is_better(self) -> dict[str, bool]:
        """Which way each metric gets better; picking the longest is no figure of the judge."""
        if "bypass" in self._metric_fn_list:
            return dict(self._higher_is_better)
        names = [name for name in self.aggregation() if name != _LONGEST]
        return {name: name != _TIES for name in names if name != _PER_BYTE or self._by_likelihood}

    def _credit(self, document: dict[str, Any], rewards: Sequence[float]) -> float:
        return self._suite.credit(document, rewards, TIE_CREDITS.get(self._ties or "", 0.0))

    def _evidence(self, document: dict[str, Any], rewards: Sequence[float]) -> Any:
        return self._suite.evidence(document, rewards, self._credit(document, rewards))

    def _accuracy(self, document: dict[str, Any], rewards: Sequence[float]) -> Any:
        if self._own_figure() is not None:
            return self._evidence(document, rewards)
        return self._credit(document, rewards)

    def _own_figure(self) -> Figure | None:
        """The figure of a subset that is no mean of credits."""
        return self._suite.subset_figures.get(self._subset or "")

    def _figures(self) -> Mapping[str, Figure]:
        """The figures over the whole benchmark."""
        return {} if self._subset else self._suite.figures


def _aggregated(figure: Figure) -> Callable[[Sequence[Any]], float | str]:
    def aggregate(values: Sequence[Any]) -> float | str:
        value = figure(values)
        return NOT_AVAILABLE if value is None else value

    return aggregate
