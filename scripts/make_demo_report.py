"""Makes the demo run and its report anew, `results/demo`, or checks that they come out again.

    python scripts/make_demo_report.py [-o FOLDER] [--check FOLDER]

The stock `lm_eval` command runs the demo judge on the bundled data as `make demo` does, with
samples; `ultrarm-eval` makes the report and the comparison with the same judge without its
template. What only says where and on which machine it ran is left out of the files.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chromium import chromium_page

TASK = "ultrafeedback_pairs_demo"
# Folder of the run, and what the judge is told beside its checkpoint.
RUNS = {"run": "", "run_without_template": ",template=raw"}
# One name whenever it runs: the real time stands in the results as `date`.
STAMP = "2026-01-01T00-00-00"
_OF_MACHINE = ("pretty_env_info", "git_hash", "upper_git_hash")
#: Fields that differ from run to run and from one set of versions to another.
NOT_COMPARED = (
    "date",
    "total_evaluation_time_seconds",
    "scoring_seconds",
    "lm_eval_version",
    "engine_version",
    "transformers_version",
    "ultrarm_eval_version",
    "facts",
)
TOLERANCE = 1e-5


def main() -> int:
    """Makes the files, or compares new ones with those of a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/demo"))
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="compare with it, write none")
    given = parser.parse_args()
    if given.check is None:
        make(given.output)
        _take_picture(given.output / "report.html", given.output / "report.png")
        return 0
    with TemporaryDirectory() as scratch:
        make(Path(scratch))
        found = [*differences(given.check, Path(scratch))]
    for difference in found:
        print(difference)
    print(f"{len(found)} differences beyond {TOLERANCE:g}, times apart.")
    return 1 if found else 0


def make(folder: Path) -> None:
    """Runs the demo, and makes its report and the comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, setting in RUNS.items():
        _run(folder / name, setting)
    run, other = (str(folder / name) for name in RUNS)
    for ending in ("html", "json"):
        _call(
            "ultrarm-eval", "report", run, "-o", str(folder / f"report.{ending}"), "--tokens", "20"
        )
        _call("ultrarm-eval", "compare", run, other, "-o", str(folder / f"comparison.{ending}"))


def differences(expected: Path, found: Path) -> Iterator[str]:
    """Where the numbers and texts of two folders differ, times apart."""
    for name in RUNS:
        yield from _differ(f"{name}/results", _results(expected / name), _results(found / name))
        yield from _differ(f"{name}/samples", _samples(expected / name), _samples(found / name))
    for name in ("report.json", "comparison.json"):
        contents = [json.loads((f / name).read_text(encoding="utf-8")) for f in (expected, found)]
        yield from _differ(name, *contents)
    for name in ("report.html", "comparison.html"):
        if not (found / name).read_text(encoding="utf-8").startswith("<!doctype html>"):
            yield f"{name}: this is no page"


def _run(folder: Path, setting: str) -> None:
    with TemporaryDirectory() as scratch:
        _call(
            "lm_eval", "--model", "ultrarm", "--model_args", f"pretrained=demo{setting}",
            "--tasks", TASK, "--device", "cpu", "--output_path", scratch, "--log_samples",
        )  # fmt: skip
        (results,) = Path(scratch).rglob("results_*.json")
        (samples,) = Path(scratch).rglob("samples_*.jsonl")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        content = json.loads(results.read_text(encoding="utf-8"))
        for name in _OF_MACHINE:
            content.pop(name, None)
        content["configs"][TASK]["metadata"].pop("config_source", None)
        (folder / f"results_{STAMP}.json").write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        shutil.copyfile(samples, folder / f"samples_{TASK}_{STAMP}.jsonl")


def _take_picture(page: Path, picture: Path) -> None:
    """Shows the upper part of a page in Chromium, where there is one."""
    if shutil.which("chromium") is None:
        print("There is no chromium: the picture of the report stays as it is.")
        return
    with chromium_page(1200, 1500) as shown:
        shown.goto(page.absolute().as_uri())
        shown.screenshot(path=picture)


def _call(command: str, *arguments: str) -> None:
    program = Path(sys.executable).parent / command
    subprocess.run([str(program), *arguments], check=True)  # noqa: S603 - our own arguments


def _results(folder: Path) -> Any:
    return json.loads((folder / f"results_{STAMP}.json").read_text(encoding="utf-8"))


def _samples(folder: Path) -> list[Any]:
    path = folder / f"samples_{TASK}_{STAMP}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _differ(where: str, expected: Any, found: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in dict.fromkeys([*expected, *found]):
            if name not in NOT_COMPARED:
                yield from _differ(f"{where}.{name}", expected.get(name), found.get(name))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differ(f"{where}[{index}]", one, other)
    elif not _same(expected, found):
        yield f"{where}: {expected!r:.80} and now {found!r:.80}"


def _same(expected: Any, found: Any) -> bool:
    numbers = [_number(value) for value in (expected, found)]
    if None in numbers:
        return bool(expected == found)
    return math.isclose(numbers[0], numbers[1], rel_tol=TOLERANCE, abs_tol=TOLERANCE)  # type: ignore[arg-type]


def _number(value: Any) -> float | None:
    """A number, also where lm-eval wrote it as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
