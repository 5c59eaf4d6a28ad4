"""Measures the way from a file of UltraFeedback's full size to requests and metrics.

Writes synthetic data of the published shape (63,967 prompts, 255,864 completions, about 340,000
pairs, 185 and 305 tokens on average; invented words), and runs each stage in a process of its own,
so that its peak memory is its alone.

    python benchmarks/ultrafeedback_at_size.py --rounds 3 -o results/ultrafeedback_at_size.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).parents[1]
TASK = "ultrafeedback_pairs"
SECONDS_ALLOWED, GB_ALLOWED = 120, 4

#: UltraFeedback's collections and how many prompts each has, in the order of its files.
SOURCES = {
    "evol_instruct": 10_000,
    "false_qa": 2_339,
    "flan": 20_939,
    "sharegpt": 19_949,
    "truthful_qa": 811,
    "ultrachat": 9_929,
}
FULL_SIZE = sum(SOURCES.values())
FLAN_LABELS = ("flan_v2_niv2", "flan_v2_cot", "flan_v2_p3", "flan_v2_flan2021")
MODELS = tuple(f"model-{number:02d}" for number in range(17))
PRINCIPLES = ("helpfulness", "honesty", "truthfulness", "verbalized_calibration")
ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
#: Prompts in all that have three completions and not four.
_INCOMPLETE = 4

_CHARACTERS_PER_TOKEN = 4.3
# Mean length in characters, and the standard deviation of its logarithm.
_PROMPT = (185 * _CHARACTERS_PER_TOKEN, 1.1)
_RESPONSE = (305 * _CHARACTERS_PER_TOKEN, 0.9)
_RATIONALE, _CRITIQUE, _SYSTEM_PROMPT = (180.0, 0.4), (500.0, 0.4), (150.0, 0.3)
_RATIONALES = 6
# Python keeps a text with one such character in two or four bytes a character.
_ENDINGS, _ENDING_SHARES = ("", " \u2019", " \U0001f600"), (0.83, 0.15, 0.02)
# Chosen so that about 340,000 of the 383,772 possible pairs have different means.
_MEAN_RATING, _SPREAD_OF_PROMPTS, _SPREAD_OF_ANSWERS, _SPREAD_OF_ASPECTS = 3.6, 0.4, 0.54, 0.72
_NOT_APPLICABLE = 0.03
_ROWS_AT_ONCE = 256
_ROWS_IN_GROUP = 1024
# The harness's default; it bootstraps for none of our metrics.
_BOOTSTRAPS = 100_000

Row = dict[str, Any]


class Texts:
    """Texts of invented words, by length."""

    def __init__(self, words: int = 20_000) -> None:
        """Invents the words.

        Args:
            words: How many different ones.
        """
        import numpy as np

        rng = np.random.default_rng(0)
        self._words = np.array([_invented_word(rng) for _ in range(words)], dtype=object)
        # Drawing by the cube of a uniform number makes the first words the most frequent.
        bounds = (np.arange(words + 1) / words) ** (1 / 3)
        lengths = np.array([len(word) + 1 for word in self._words])
        self._characters_per_word = float(np.diff(bounds) @ lengths)

    def of_length(self, rng: np.random.Generator, shape: tuple[float, float], n: int) -> list[str]:
        """Texts with lognormal lengths.

        Args:
            rng: Where chance comes from.
            shape: Mean length in characters, and the standard deviation of its logarithm.
            n: How many.
        """
        import numpy as np

        mean, spread = shape
        lengths = rng.lognormal(np.log(mean) - spread**2 / 2, spread, n)
        counts = np.maximum(1, np.rint(lengths / self._characters_per_word)).astype(int)
        ranks = (len(self._words) * rng.random(int(counts.sum())) ** 3).astype(int)
        words, stops = self._words[ranks].tolist(), np.cumsum(counts).tolist()
        endings = rng.choice(len(_ENDINGS), size=n, p=_ENDING_SHARES)
        return [
            " ".join(words[start:stop]) + _ENDINGS[ending]
            for start, stop, ending in zip([0, *stops[:-1]], stops, endings, strict=True)
        ]


def _invented_word(rng: np.random.Generator) -> str:
    syllables = 1 + rng.binomial(3, 0.4)
    letters = "".join(
        rng.choice(list("bcdfghklmnprstvz")) + rng.choice(list("aeiou")) for _ in range(syllables)
    )
    return letters + str(
        rng.choice(["", "n", "s", ",", ".", ".\n"], p=[0.5, 0.2, 0.2, 0.05, 0.03, 0.02])
    )


def make_rows(prompts: int, seed: int = 0) -> Iterator[list[Row]]:
    """Makes rows of UltraFeedback's raw schema, some hundreds at a time.

    Args:
        prompts: How many in all; the collections have their share of them.
        seed: Fixes everything.
    """
    import numpy as np

    labels = _labels(prompts)
    incomplete = round(_INCOMPLETE * prompts / FULL_SIZE)
    step = prompts // (incomplete + 1)
    three = {step * (number + 1) for number in range(incomplete)}
    texts = Texts()
    for start in range(0, prompts, _ROWS_AT_ONCE):
        rng = np.random.default_rng([seed, start])
        numbers = range(start, min(start + _ROWS_AT_ONCE, prompts))
        sizes = [3 if number in three else 4 for number in numbers]
        yield _make_chunk(rng, texts, [labels[number] for number in numbers], sizes)


def _labels(prompts: int) -> list[str]:
    labels = []
    done, seen = 0, 0
    for source, count in SOURCES.items():
        seen += count
        stop = round(prompts * seen / FULL_SIZE)
        labels.extend([source] * (stop - done))
        done = stop
    return labels


def _make_chunk(
    rng: np.random.Generator, texts: Texts, sources: Sequence[str], sizes: Sequence[int]
) -> list[Row]:
    instructions = texts.of_length(rng, _PROMPT, len(sources))
    completions = iter(_make_completions(rng, texts, sizes))
    rows = []
    for source, instruction, size in zip(sources, instructions, sizes, strict=True):
        models = rng.permutation(MODELS)[:size].tolist()
        asked = source == "truthful_qa"
        rows.append(
            {
                "source": str(rng.choice(FLAN_LABELS)) if source == "flan" else source,
                "instruction": instruction,
                "models": models,
                "completions": [{"model": model, **next(completions)} for model in models],
                "correct_answers": texts.of_length(rng, _SYSTEM_PROMPT, 3) if asked else ["None"],
                "incorrect_answers": texts.of_length(rng, _SYSTEM_PROMPT, 3) if asked else ["None"],
            }
        )
    return rows


def _make_completions(
    rng: np.random.Generator, texts: Texts, sizes: Sequence[int]
) -> Iterator[Row]:
    n = sum(sizes)
    ratings = _ratings(rng, sizes)
    means = [statistics.fmean(int(r) for r in given if r != "N/A") for given in ratings]
    noise = rng.normal(0, 0.5, n)
    rationales = iter(texts.of_length(rng, _RATIONALE, _RATIONALES * n))
    for response, critique, system_prompt, given, mean, extra in zip(
        texts.of_length(rng, _RESPONSE, n),
        texts.of_length(rng, _CRITIQUE, n),
        texts.of_length(rng, _SYSTEM_PROMPT, n),
        ratings,
        means,
        noise.tolist(),
        strict=True,
    ):
        yield {
            "principle": PRINCIPLES[len(response) % len(PRINCIPLES)],
            "custom_system_prompt": system_prompt,
            "response": response,
            "annotations": _annotations(given, rationales),
            "critique": critique,
            "overall_score": float(min(10, max(1, round(2 * mean + extra)))),
            "fine-grained_score": mean,
        }


def _ratings(rng: np.random.Generator, sizes: Sequence[int]) -> list[list[str]]:
    """Four ratings of each completion, as the data spell them."""
    import numpy as np

    n = sum(sizes)
    prompts = np.repeat(rng.normal(_MEAN_RATING, _SPREAD_OF_PROMPTS, len(sizes)), sizes)
    answers = prompts + rng.normal(0, _SPREAD_OF_ANSWERS, n)
    aspects = answers[:, None] + rng.normal(0, _SPREAD_OF_ASPECTS, (n, len(ASPECTS)))
    ratings = np.clip(np.rint(aspects), 1, 5).astype(int).astype(str).astype(object)
    ratings[rng.random(n) < _NOT_APPLICABLE, ASPECTS.index("honesty")] = "N/A"
    return ratings.tolist()  # type: ignore[no-any-return]


def _annotations(ratings: Sequence[str], rationales: Iterator[str]) -> Row:
    following, honesty, truthfulness, helpfulness = ratings
    return {
        "instruction_following": {"Rating": following, "Rationale": next(rationales)},
        "honesty": {"Rating": honesty, "Rationale": next(rationales)},
        "truthfulness": {
            "Type": ["None"],
            "Rationale": next(rationales),
            "Rating": truthfulness,
            "Rationale For Rating": next(rationales),
        },
        "helpfulness": {
            "Type": ["1", "2"],
            "Rationale": next(rationales),
            "Rating": helpfulness,
            "Rationale For Rating": next(rationales),
        },
    }


def write_jsonl(path: Path, chunks: Iterator[list[Row]]) -> None:
    """Writes rows as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for rows in chunks:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_parquet(path: Path, chunks: Iterator[list[Row]]) -> None:
    """Writes rows as Parquet, in groups of about a thousand."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(chunks)
    table = pa.Table.from_pylist(first)
    gathered = [table]
    with pq.ParquetWriter(path, table.schema) as writer:
        for rows in chunks:
            gathered.append(pa.Table.from_pylist(rows, schema=table.schema))
            if sum(map(len, gathered)) >= _ROWS_IN_GROUP:
                writer.write_table(pa.concat_tables(gathered))
                gathered = []
        if gathered:
            writer.write_table(pa.concat_tables(gathered))


WRITERS = {"jsonl": write_jsonl, "parquet": write_parquet}


@dataclass
class Clock:
    """What the steps of a stage took.

    Attributes:
        seconds: Wall time by step.
        cpu_seconds: Processor time by step, of all threads.
        peak_gb: The process's peak memory by the end of each step.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    peak_gb: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, step: str) -> None:
        """Ends a step; one that ends again goes on."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.seconds[step] = self.seconds.get(step, 0.0) + wall - self._wall
        self.cpu_seconds[step] = self.cpu_seconds.get(step, 0.0) + cpu - self._cpu
        self.peak_gb[step] = _peak_gb()
        self._wall, self._cpu = wall, cpu


def _peak_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e9 / 1024)


def scan(path: Path, clock: Clock) -> dict[str, Any]:
    """Opens a file and finds its usable prompts."""
    from ultrarm_eval.documents.preference import PreferenceDocuments
    from ultrarm_eval.plugins import registry
    from ultrarm_eval.sources.preference_data import open_named_or_local

    _import_for(path)
    clock.lap("imports")
    data = open_named_or_local(str(path), "train", registry().sources())
    clock.lap("open")
    documents = PreferenceDocuments(data)
    clock.lap("scan")
    return {"counts": documents.counts.as_dict()}


def requests(path: Path, clock: Clock) -> dict[str, Any]:
    """Our own way to requests: prompt and completion of each, one at a time."""
    from ultrarm_eval.documents.preference import PreferenceDocuments
    from ultrarm_eval.metrics.within_prompt import completions_to_score
    from ultrarm_eval.plugins import registry
    from ultrarm_eval.rules import ComparisonRules
    from ultrarm_eval.sources.preference_data import open_named_or_local

    _import_for(path)
    clock.lap("imports")
    data = open_named_or_local(str(path), "train", registry().sources())
    clock.lap("open")
    documents = PreferenceDocuments(data)
    clock.lap("scan")
    rules = ComparisonRules()
    made = prompt_characters = completion_characters = 0
    for document in documents:
        prompt_characters += len(document.prompt[0]["content"])
        for index in completions_to_score(document, rules):
            completion_characters += len(document.completions[index])
            made += 1
    clock.lap("documents")
    return {
        "requests": made,
        "mean_prompt_characters": prompt_characters / len(documents),
        "mean_completion_characters": completion_characters / made,
    }


def harness(path: Path, clock: Clock) -> dict[str, Any]:
    """The harness's way to requests, which holds all documents and requests at once."""
    task = _load_task(path, clock)
    task.asks_judge = True
    task.build_all_requests(rank=0, world_size=1)
    clock.lap("build_all_requests")
    return {"requests": len(task.instances)}


def metrics(path: Path, clock: Clock) -> dict[str, Any]:
    """The metrics of all prompts from random rewards, and their aggregation."""
    import numpy as np
    from lm_eval.api.metrics import stderr_for_metric

    from ultrarm_eval.lm_eval_plugin.harness_values import Reward
    from ultrarm_eval.metrics.within_prompt import completions_to_score
    from ultrarm_eval.rules import ComparisonRules

    task = _load_task(path, clock)
    rng, rules = np.random.default_rng(0), ComparisonRules()
    values: defaultdict[str, list[Any]] = defaultdict(list)
    documents = task.doc_iterator()
    while batch := [document for _, document in islice(documents, _ROWS_AT_ONCE)]:
        clock.lap("documents")
        for document in batch:
            scored = len(completions_to_score(document.document, rules))
            rewards = [Reward(value) for value in rng.normal(size=scored).tolist()]
            for name, value in task.process_results(document, rewards).items():
                values[name].append(value)
        clock.lap("process_results")
    aggregation = task.aggregation()
    figures = {name: aggregation[name](of_prompts) for name, of_prompts in values.items()}
    for name, of_prompts in values.items():
        stderr = stderr_for_metric(aggregation[name], _BOOTSTRAPS)
        if stderr is not None:
            figures[f"{name}_stderr"] = stderr(of_prompts)
    clock.lap("aggregation")
    return {"figures": figures}


STAGES = {"scan": scan, "requests": requests, "harness": harness, "metrics": metrics}


def _import_for(path: Path) -> None:
    """Keeps the time of this large import out of the time of opening."""
    if path.suffix == ".parquet":
        import datasets  # noqa: F401


def _load_task(path: Path, clock: Clock) -> Any:
    from lm_eval.tasks import TaskManager, get_task_dict

    import ultrarm_eval.lm_eval_plugin.comparison_task  # noqa: F401

    clock.lap("imports")
    manager = TaskManager(include_defaults=False, metadata={"data": str(path)})
    task = get_task_dict([TASK], manager)[TASK]
    clock.lap("load_task")
    return task


@dataclass(frozen=True)
class Case:
    """One thing that is measured.

    Attributes:
        prompts: How many prompts the file has.
        format: `jsonl` or `parquet`.
        stage: One of `STAGES`.
        cold: Whether `datasets` has not converted the file yet.
    """

    prompts: int
    format: str
    stage: str
    cold: bool

    @property
    def state(self) -> str:
        """The format, and for Parquet whether it was opened before."""
        if self.format != "parquet":
            return self.format
        return f"{self.format}, {'first opening' if self.cold else 'opened before'}"


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds.

    Attributes:
        seconds: Wall time without imports.
        cpu_seconds: Processor time without imports.
        peak_gb: Peak memory, imports included.
        imports_gb: Peak memory when only the imports were done.
        seconds_by_step: Wall time of each step.
        peak_gb_by_step: Peak memory by the end of each step.
        spread: Least and greatest wall time of the rounds.
    """

    seconds: float
    cpu_seconds: float
    peak_gb: float
    imports_gb: float
    seconds_by_step: dict[str, float]
    peak_gb_by_step: dict[str, float]
    spread: tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the data, measures, prints, and writes the figures if asked to."""
    options = _parser().parse_args(arguments)
    if options.stage is not None:
        return _run_here(options.stage, options.data)
    folder: AbstractContextManager[Any] = (
        tempfile.TemporaryDirectory() if options.folder is None else nullcontext(options.folder)
    )
    with folder as name:
        data, measured = _measure_all(Path(name), options)
    print(_table(measured))
    targets = _targets(measured)
    for line in targets.values():
        print(f"\n{line['says']}")
    if options.output is not None:
        written = _as_json(options, data, measured, targets)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each stage (default: 3)")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[1_000, 4_000, 16_000, FULL_SIZE],
        help="numbers of prompts (default: 1000 4000 16000 63967)",
    )
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument(
        "--folder", type=Path, help="where the data is written and left (default: a temporary one)"
    )
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--stage", choices=[*STAGES, *WRITERS], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    return parser


def _run_here(stage: str, path: Path) -> int:
    """Runs one stage in this process, and prints what it took as JSON."""
    clock = Clock()
    if stage in WRITERS:
        WRITERS[stage](path, make_rows(int(path.stem)))
        clock.lap("write")
        found: dict[str, Any] = {"bytes": path.stat().st_size}
    else:
        found = STAGES[stage](path, clock)
    print(json.dumps({**asdict(clock), "found": found}))
    return 0


def _run_apart(stage: str, path: Path, cache: Path) -> dict[str, Any]:
    """Runs one stage in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--stage", stage, "--data", str(path)]
    variables = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(cache),
        "PYTHONPATH": str(ROOT),
    }
    finished = subprocess.run(  # noqa: S603
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        raise RuntimeError(f"stage {stage} failed:\n{finished.stderr}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def _measure_all(
    folder: Path, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[Case, Figures]]:
    folder.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {}
    measured: dict[Case, Figures] = {}
    for size in options.sizes:
        of_size = data[str(size)] = {}
        for form in options.formats:
            path, cache = folder / f"{size}.{form}", folder / f"cache_{size}"
            written = _run_apart(form, path, cache)
            of_size[f"{form}_bytes"] = written["found"]["bytes"]
            of_size[f"{form}_write_seconds"] = round(written["seconds"]["write"], 1)
            cases = [case for case in _cases(size, form) if case.stage in options.stages]
            runs: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
            for number in range(options.rounds):
                for case in cases:
                    if case.cold:
                        shutil.rmtree(cache, ignore_errors=True)
                    runs[case].append(_run_apart(case.stage, path, cache))
                    print(f"round {number + 1}: {case}", file=sys.stderr)
            for case, results in runs.items():
                measured[case] = _medians(results)
                of_size.setdefault("found", {})[case.stage] = _rounded(results[0]["found"])
            shutil.rmtree(cache, ignore_errors=True)
            if options.folder is None:
                path.unlink()
    return data, measured


def _cases(size: int, form: str) -> list[Case]:
    """What is measured of a file; a first opening of Parquet stands before the next ones."""
    cases = []
    for stage in STAGES:
        if form == "parquet" and stage != "metrics":
            cases.append(Case(size, form, stage, cold=True))
        cases.append(Case(size, form, stage, cold=False))
    return cases


def _medians(runs: Sequence[Mapping[str, Any]]) -> Figures:
    def total(run: Mapping[str, Any], what: str) -> float:
        return float(sum(value for step, value in run[what].items() if step != "imports"))

    def of_step(what: str, step: str) -> float:
        return float(statistics.median(run[what][step] for run in runs))

    steps = list(runs[0]["seconds"])
    seconds = [total(run, "seconds") for run in runs]
    peaks = {step: of_step("peak_gb", step) for step in steps}
    return Figures(
        seconds=statistics.median(seconds),
        cpu_seconds=statistics.median(total(run, "cpu_seconds") for run in runs),
        peak_gb=peaks[steps[-1]],
        imports_gb=peaks["imports"],
        seconds_by_step={step: of_step("seconds", step) for step in steps},
        peak_gb_by_step=peaks,
        spread=(min(seconds), max(seconds)),
    )


def _table(measured: Mapping[Case, Figures]) -> str:
    lines = [
        "| prompts | file | stage | wall time | CPU time | CPU per 1,000 | peak memory | steps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, figures in measured.items():
        per_thousand = figures.cpu_seconds / case.prompts * 1000
        lines.append(
            f"| {case.prompts:,} | {case.state} | {case.stage} | {figures.seconds:.1f} s "
            f"| {figures.cpu_seconds:.1f} s | {per_thousand:.2f} s | {figures.peak_gb:.2f} GB "
            f"| {_steps(figures)} |"
        )
    return "\n".join(lines)


def _steps(figures: Figures) -> str:
    return ", ".join(
        f"{step} {seconds:.1f} s (to {figures.peak_gb_by_step[step]:.2f} GB)"
        for step, seconds in figures.seconds_by_step.items()
    )


def _targets(measured: Mapping[Case, Figures]) -> dict[str, dict[str, Any]]:
    """Whether the way to requests stays within its limits, by stage, at its slowest."""
    targets = {}
    for stage in ("requests", "harness"):
        full = [f for c, f in measured.items() if c.stage == stage and c.prompts == FULL_SIZE]
        if not full:
            continue
        seconds, peak = max(f.seconds for f in full), max(f.peak_gb for f in full)
        met = seconds < SECONDS_ALLOWED and peak < GB_ALLOWED
        targets[stage] = {
            "met": met,
            "seconds": round(seconds, 1),
            "peak_gb": round(peak, 3),
            "says": (
                f"{stage}: at most {seconds:.0f} s and {peak:.2f} GB at full size; target "
                f"{SECONDS_ALLOWED} s and {GB_ALLOWED} GB {'met' if met else 'MISSED'}."
            ),
        }
    return targets


def _as_json(
    options: argparse.Namespace,
    data: Mapping[str, Any],
    measured: Mapping[Case, Figures],
    targets: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "rounds": options.rounds,
        "data": data,
        "targets": targets,
        "measured": [
            {**asdict(case), **_rounded(asdict(figures))} for case, figures in measured.items()
        ],
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


if __name__ == "__main__":
    sys.exit(main())
