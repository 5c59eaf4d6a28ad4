"""Scores the answers of a Parquet data set with a reward model, on a Ray cluster.

    python score_parquet.py DATA -o REWARDS --pretrained openbmb/UltraRM-13b --workers 64

The data are divided into parts, rows of a file. Ray Data hands each to a reader, which reads it and
encodes its rows on a CPU to find those that cannot be scored, and then to a scorer, which has a
judge on GPUs of its own and writes the rewards. A run that is started again goes on with the parts
that are missing. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

import scored_parquet
from scored_parquet.parts import open_parts
from scored_parquet.places import Place
from scored_parquet.scored_parts import Counts, finished_parts, remove_temporary, write_summary
from scored_parquet.workers import PartReader, PartScorer, Run

from ultrarm_eval.cli.judge_options import JudgeChoice, add_judge_options, chosen_judge
from ultrarm_eval.engine_settings import ENGINES, TORCH, VLLM, EngineSettings
from ultrarm_eval.errors import ConfigurationError, ScoringError, UltrarmEvalError
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.judges.auto import judge_for
from ultrarm_eval.judges.inspection import judge_to_look_at
from ultrarm_eval.setting import settings_in

logger = logging.getLogger("score_parquet")

#: Minutes of a 13B model on one GPU: little is lost with a part, and starting one costs nothing.
ROWS_PER_PART = 20_000
# What each worker has of its own, or what would be one file for all of them.
_NOT_HERE = {
    "device": "Ray gives each worker its GPUs; --gpus-per-worker says how many.",
    "data_parallel_size": "Each worker is one copy of the model; --workers says how many.",
    "parallelize": "Use --engine vllm with --tensor-parallel-size.",
    "score_store": "The parts that are written are what a run goes on from.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Scores a data set.

    Args:
        arguments: The command line; the process's own if None.

    Returns:
        0, or 2 for input that cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    options = parsed(arguments)
    try:
        counts = score(options)
    except UltrarmEvalError as error:
        print(f"score_parquet: {error}", file=sys.stderr)
        return 2
    print(json.dumps(counts.to_json(), indent=2))
    return 0


def score(options: argparse.Namespace) -> Counts:
    """Scores the parts that are missing.

    Args:
        options: The command line.

    Returns:
        What became of all rows of the data.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used, or scoring failed.
    """
    run, output = run_of(options), Place.of(options.output)
    counts = finished_parts(run.parts, output, run.columns, run.fingerprint)
    missing = [number for number in range(len(run.parts)) if number not in counts]
    rows = sum(part.stop - part.start for part in run.parts)
    logger.info(
        "%s rows in %s parts, %s of them to score; judge %s.",
        f"{rows:,}",
        f"{len(run.parts):,}",
        f"{len(missing):,}",
        run.fingerprint[:12],
    )
    if missing:
        counts |= _score_parts(run, missing, options.workers, gpus_of(options, run.judge))
    remove_temporary(output)
    total = Counts.total(counts.values())
    total.require_whole(output, rows)
    write_summary(output, total, run.columns, run.fingerprint)
    return total


def run_of(options: argparse.Namespace) -> Run:
    """Looks at the data and the judge, before any worker is started.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used.
    """
    choice = choice_of(options)
    columns, parts = open_parts(
        Place.of(options.data),
        Place.of(options.output),
        options.rows_per_part,
        prompt=options.prompt,
        answer=options.answer,
        prefix=options.prefix,
    )
    # Rewards do not depend on how many GPUs compute them, and this machine may have none.
    ways = settings_in(EngineSettings).keys() - {"engine"}
    settings = {name: value for name, value in choice.settings.items() if name not in ways}
    judge = judge_to_look_at(choice.kind, {"pretrained": choice.pretrained, **settings})
    return Run(parts, columns, choice, judge.fingerprint())


def _score_parts(run: Run, missing: Sequence[int], workers: int, gpus: float) -> dict[int, Counts]:
    """Scores parts on the cluster; each is on disk before its counts come."""
    import ray
    from ray.data import ActorPoolStrategy

    # Workers know this script and its modules by what is sent to them: they need no copy of them.
    ray.cloudpickle.register_pickle_by_value(scored_parquet)
    ray.init(ignore_reinit_error=True)
    wanted, there = workers * gpus, ray.cluster_resources().get("GPU", 0)
    if wanted > there:
        logger.warning(
            "%d workers with %g GPUs each want %g, and the cluster has %g now: those that find "
            "none wait until it grows.",
            workers,
            gpus,
            wanted,
            there,
        )
    given = {"run": run}
    numbers = ray.data.from_items([{"part": n} for n in missing], override_num_blocks=len(missing))
    # At most as many readers as scorers; a part that is read waits in the object store.
    read = numbers.map(
        PartReader,
        fn_constructor_kwargs=given,
        num_cpus=1,
        compute=ActorPoolStrategy(min_size=1, max_size=workers),
    )
    # One part in work and one at hand: more would wait at a worker while others have nothing.
    scored = read.map_batches(
        PartScorer,
        fn_constructor_kwargs=given,
        batch_size=1,
        num_gpus=gpus,
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
    )
    counts: dict[int, Counts] = {}
    try:
        for row in scored.iter_rows():
            found = counts[row["part"]] = Counts.from_json(json.loads(row["counts"]))
            logger.info(
                "%d of %d: %s: %d scored, %d refused, %.1f s",
                len(counts),
                len(missing),
                run.parts[row["part"]],
                found.scored,
                found.refused.total(),
                row["seconds"],
            )
    except ray.exceptions.RayError as error:
        raise ScoringError(
            f"{len(missing) - len(counts)} of {len(missing)} parts are not scored; the same "
            f"command goes on with them. {_told(error)}"
        ) from error
    return counts


def _told(error: BaseException) -> str:
    """What went wrong in a worker: our own message where there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UltrarmEvalError):
            return str(cause)
        cause = getattr(cause, "cause", None) or cause.__cause__
    return str(error)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="score_parquet.py", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "data", metavar="DATA", help="Parquet file or folder; s3://, gs://, hdfs://"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="REWARDS", help="folder of the rewards, likewise"
    )
    add_judge_options(
        parser,
        ("revision", "template", "dtype", "max_length", "engine", "tensor_parallel_size"),
        needs_checkpoint=True,
    )
    parser.set_defaults(engine=VLLM)
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="copies of the judge (default: 1)"
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=_share,
        metavar="K",
        help="by default those that the engine computes on, 1 with --engine torch; 0 for CPUs",
    )
    parser.add_argument("--prompt", metavar="COLUMN", help="by default found by its name")
    parser.add_argument("--answer", metavar="COLUMN", help="by default found by its name")
    parser.add_argument(
        "--prefix", default="", metavar="TEXT", help="what names of added columns begin with"
    )
    parser.add_argument(
        "--rows-per-part",
        type=_count,
        default=ROWS_PER_PART,
        metavar="N",
        help=f"the most rows of a file of rewards (default: {ROWS_PER_PART})",
    )
    return parser.parse_args(arguments)


def choice_of(options: argparse.Namespace) -> JudgeChoice:
    """The judge that the command line names.

    Raises:
        ConfigurationError: A setting is none for workers on a cluster.
    """
    choice = chosen_judge(options)
    if choice.kind == AUTO_JUDGE:
        rest = dict(choice.settings)
        revision = rest.pop("revision", None)
        choice = replace(choice, kind=judge_for(str(choice.pretrained), revision, rest))
    for name, instead in _NOT_HERE.items():
        if name in choice.settings:
            raise ConfigurationError(f"{name} is no setting of this command. {instead}")
    if choice.settings["engine"] not in (VLLM, TORCH):
        others = "|".join(set(ENGINES) - {VLLM, TORCH})
        raise ConfigurationError(
            f"--engine is {VLLM} or {TORCH} here: workers compute. For engine={others} no cluster "
            "is needed, see docs/many-machines.md."
        )
    return choice


def gpus_of(options: argparse.Namespace, choice: JudgeChoice) -> float:
    """GPUs of each worker: by default those that its engine computes on."""
    if options.gpus_per_worker is not None:
        return float(options.gpus_per_worker)
    sizes = ("tensor_parallel_size", "pipeline_parallel_size")
    return float(int(choice.settings.get(sizes[0]) or 1) * int(choice.settings.get(sizes[1]) or 1))


def _count(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1, not {written!r}")
    return int(written)


def _share(written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of at least 0, not {written!r}")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
