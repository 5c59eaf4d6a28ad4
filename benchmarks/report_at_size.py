"""Measures the report on a run of 100,000 pairs: making it, and opening it in a browser.

Writes a run as the harness does, of synthetic prompts with UltraFeedback's lengths and ratings and
of rewards that are the ratings with noise; makes the report in a process of its own each time, and
opens it in a fresh headless Chromium each time. Beside it, in turn, stand the report on the bundled
demo's 1,193 pairs, which is the baseline, and one with as many texts as a page holds. With
`--before` the report of an earlier checkout is made in turn, and has to be the same to the byte.

    python benchmarks/report_at_size.py --pairs 100000 -o results/benchmarks/report_at_size.json
    python benchmarks/report_at_size.py --before CHECKOUT --rounds 3 -o FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrafeedback_at_size import FULL_SIZE, ROOT, make_rows, write_jsonl

if TYPE_CHECKING:
    from ultrarm_eval.documents.document import Document

TASK, STAMP = "ultrafeedback_pairs", "2026-01-01T00-00-00.000000"
SECONDS_ALLOWED, BYTES_ALLOWED = 3.0, 15_000_000
# Of the full data; somewhat more prompts than needed are made.
_PAIRS_PER_PROMPT = 342_400 / FULL_SIZE
_SPARE = 1.05
# So that about three pairs of four are right.
_NOISE = 0.6
DEMO, LARGE, FULL = "demo", "large", "full of texts"
#: Pairs of each reason that are shown: as by default, and more than a page holds.
SHOWN = {DEMO: 40, LARGE: 40, FULL: 5000}
DEMO_RUN = ROOT / "results" / "demo" / "run"


@dataclass(frozen=True)
class Spread:
    """What was measured over the rounds.

    Attributes:
        median: The middle.
        least: The least.
        most: The most.
    """

    median: float
    least: float
    most: float

    def worded(self, unit: str, digits: int = 2) -> str:
        """In words, with the range in brackets."""
        return (
            f"{self.median:.{digits}f} {unit} ({self.least:.{digits}f} to {self.most:.{digits}f})"
        )


def write_run(folder: Path, pairs: int, seed: int = 0) -> dict[str, int]:
    """Writes results and samples of about so many pairs, as the harness does.

    Args:
        folder: Where; it is made.
        pairs: At least so many, and at most those of one prompt more.
        seed: Fixes prompts and rewards.

    Returns:
        Prompts, pairs and bytes of the samples.
    """
    from ultrarm_eval.documents.preference import PreferenceDocuments
    from ultrarm_eval.plugins import registry
    from ultrarm_eval.sources.preference_data import open_named_or_local

    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.jsonl"
    write_jsonl(data, make_rows(math.ceil(_SPARE * pairs / _PAIRS_PER_PROMPT), seed))
    rows = open_named_or_local(str(data), "train", registry().sources())
    rng = random.Random(seed)
    samples = folder / f"samples_{TASK}_{STAMP}.jsonl"
    values: list[float] = []
    written = 0
    with samples.open("w", encoding="utf-8") as file:
        for number, document in enumerate(PreferenceDocuments(rows)):
            sample, found = _sample(number, document, rng)
            file.write(json.dumps(sample, ensure_ascii=False) + "\n")
            values.append(sample["acc"])
            written += found
            if written >= pairs:
                break
    data.unlink()
    results = _results(values)
    (folder / f"results_{STAMP}.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    return {"prompts": len(values), "pairs": written, "bytes": samples.stat().st_size}


def _sample(number: int, document: Document, rng: random.Random) -> tuple[dict[str, Any], int]:
    from ultrarm_eval.metrics.within_prompt import compare, completions_to_score
    from ultrarm_eval.pairs import preference_pairs
    from ultrarm_eval.rules import ComparisonRules

    ratings = document.main_ratings
    asked = completions_to_score(document, ComparisonRules())
    rewards = {i: float(ratings[i] or 0) + rng.gauss(0, _NOISE) for i in asked}
    pairs = preference_pairs([r if i in rewards else None for i, r in enumerate(ratings)])
    responses = [[str(reward), "False"] for reward in rewards.values()]
    prompt = document.prompt[0]["content"]
    written = document.to_json()
    spelled = json.dumps(written, indent=2, ensure_ascii=False)
    return {
        "doc_id": number,
        "doc": written,
        "target": "0",
        "arguments": {
            f"gen_args_{place}": {"arg_0": prompt, "arg_1": document.completions[i]}
            for place, i in enumerate(asked)
        },
        "resps": [[response] for response in responses],
        "filtered_resps": responses,
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": hashlib.sha256(spelled.encode()).hexdigest(),
        "acc": compare(pairs, rewards).accuracy,
    }, len(pairs)


def _results(values: Sequence[float]) -> dict[str, Any]:
    error = statistics.stdev(values) / math.sqrt(len(values))
    return {
        "results": {TASK: {"acc,none": statistics.fmean(values), "acc_stderr,none": error}},
        "configs": {TASK: {"metadata": {"version": 1.0, "preference": "fine_grained"}}},
        "higher_is_better": {TASK: {"acc": True}},
        "n-samples": {TASK: {"original": len(values), "effective": len(values)}},
        "config": {"model": "ultrarm", "judge": "ultrarm", "pretrained": "noisy-ratings"},
    }


def make_report(run: Path, page: Path, shown: int, checkout: Path = ROOT) -> dict[str, float]:
    """Makes the report in a process of its own: seconds, processor time, and peak memory in GB."""
    command = [sys.executable, "-m", "ultrarm_eval.cli", "report", str(run), "-o", str(page)]
    return _run_apart([*command, "--pairs", str(shown)], checkout)


def _run_apart(command: Sequence[str], checkout: Path = ROOT) -> dict[str, float]:
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        command,
        # One thread: how many wait for each other is no processor time of ours.
        env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        cwd=checkout,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}.")
    # Bytes on macOS, KiB elsewhere.
    peak = usage.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e9 / 1024)
    return {"made": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_gb": peak}


def open_in_browser(page: Path, executable: str) -> dict[str, float]:
    """Opens a page in a fresh Chromium.

    Returns:
        Seconds until the list of pairs is painted, until a search has its result, and until more
        pairs are shown.
    """
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=arguments)
        opened = browser.new_page(viewport={"width": 1200, "height": 900})
        # The browser's own first page costs what it costs once.
        opened.goto("about:blank")
        started = time.perf_counter()
        opened.goto(page.resolve().as_uri())
        opened.wait_for_selector("#list .pair")
        opened.evaluate(_PAINTED)
        shown = time.perf_counter() - started
        searched = opened.evaluate(
            _timed("search.value = 'ba'; search.dispatchEvent(new Event('input'));")
        )
        more = opened.evaluate(_timed("document.getElementById('more').click();"))
        browser.close()
    return {"shown": shown, "searched": searched, "more": more}


_PAINTED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def _timed(action: str) -> str:
    return f"""async () => {{
        const search = document.getElementById("search");
        const started = performance.now();
        {action}
        await {_PAINTED};
        return (performance.now() - started) / 1000;
    }}"""


def measure_before(
    folder: Path, pairs: int, rounds: int, seed: int, before: Path
) -> dict[str, Any]:
    """Writes the run, and makes its report by two checkouts in turn.

    Raises:
        RuntimeError: The two pages differ.
    """
    run = _written(folder, pairs, seed)
    checkouts = {"before": before, "after": ROOT}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for number in range(rounds):
        for name in list(checkouts)[:: 1 if number % 2 else -1]:
            page = folder / f"{name}.html"
            rows[name].append(make_report(run, page, SHOWN[LARGE], checkouts[name]))
        pages = [(folder / f"{name}.html").read_bytes() for name in checkouts]
        if pages[0] != pages[1]:
            raise RuntimeError("The two reports differ; a faster one has to say the same.")
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    ratios = [a["cpu"] / b["cpu"] for a, b in zip(rows["after"], rows["before"], strict=True)]
    return {
        **_machine(None, rounds, seed, run),
        "making": {
            name: {what: asdict(_spread([row[what] for row in found])) for what in found[0]}
            for name, found in rows.items()
        },
        "processor_time_over_before": asdict(_spread(ratios)),
    }


def _written(folder: Path, pairs: int, seed: int) -> Path:
    run = folder / "run"
    # A process inherits the peak memory of the one that starts it: that one writes nothing.
    options = ["--write", str(run), "--pairs", str(pairs), "--seed", str(seed)]
    _run_apart([sys.executable, str(Path(__file__).resolve()), *options])
    return run


def measure(folder: Path, pairs: int, rounds: int, seed: int) -> dict[str, Any]:
    """Writes the run, and measures each round."""
    run = _written(folder, pairs, seed)
    executable = shutil.which("chromium")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in SHOWN}
    for number in range(rounds):
        for name, shown in SHOWN.items():
            page = folder / f"{name}.html"
            made = make_report(DEMO_RUN if name == DEMO else run, page, shown)
            opened = {} if executable is None else open_in_browser(page, executable)
            rows[name].append({**made, "bytes": page.stat().st_size, **opened})
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    ratios = None
    if executable is not None:
        shown_after = {name: [row["shown"] for row in found] for name, found in rows.items()}
        ratios = {
            name: asdict(_spread([a / b for a, b in zip(found, shown_after[DEMO], strict=True)]))
            for name, found in shown_after.items()
            if name != DEMO
        }
    return {
        **_machine(executable, rounds, seed, run),
        "pages": {
            name: {what: asdict(_spread([row[what] for row in found])) for what in found[0]}
            for name, found in rows.items()
        },
        "times_as_long_to_open_as_demo": ratios,
    }


def _machine(executable: str | None, rounds: int, seed: int, run: Path) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "chromium": None if executable is None else _version(executable),
        "rounds": rounds,
        "seed": seed,
        "run": json.loads((run / "written.json").read_text(encoding="utf-8")),
    }


def _spread(values: Sequence[float]) -> Spread:
    least, median, most = min(values), statistics.median(values), max(values)
    return Spread(round(median, 4), round(least, 4), round(most, 4))


def _version(executable: str) -> str:
    command = [executable, "--version"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return finished.stdout.strip()


def as_text(measured: Mapping[str, Any]) -> str:
    """The figures as a table, with the targets they are held against."""
    if "making" in measured:
        return _making_as_text(measured)
    run, rows = measured["run"], []
    for name, found in measured["pages"].items():
        spreads = {what: Spread(**spread) for what, spread in found.items()}
        opened = [
            spreads[what].worded("s") if what in spreads else "no chromium"
            for what in ("shown", "searched", "more")
        ]
        made, size = spreads["made"].worded("s", 1), spreads["bytes"].most / 1e6
        rows.append([name, made, spreads["peak_gb"].worded("GB"), f"{size:.2f} MB", *opened])
    head = ("page", "made in", "peak memory", "size", "opened, list painted", "search", "more")
    ratios = measured["times_as_long_to_open_as_demo"] or {}
    lines = [
        f"{run['pairs']:,} pairs of {run['prompts']:,} prompts, {run['bytes'] / 1e6:.0f} MB of "
        f"samples; median of {measured['rounds']} rounds (least to most)",
        "",
        *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)),
        "",
        *(
            f"Opening {name} takes {Spread(**ratio).worded('times as long as demo')}."
            for name, ratio in ratios.items()
        ),
        f"Targets: {_targets(measured['pages'])}.",
    ]
    return "\n".join(lines)


def _making_as_text(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, found in measured["making"].items():
        spreads = {what: Spread(**spread) for what, spread in found.items()}
        cpu, peak = spreads["cpu"].worded("s", 1), spreads["peak_gb"].worded("GB")
        rows.append([name, cpu, spreads["made"].worded("s", 1), peak])
    head = ("report", "processor time", "wall time", "peak memory")
    ratio = Spread(**measured["processor_time_over_before"]).worded("times")
    return "\n".join(
        [
            *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)),
            "",
            f"Processor time after over before: {ratio}. Both pages are the same to the byte.",
        ]
    )


def _targets(pages: Mapping[str, Mapping[str, Any]]) -> str:
    size = max(found["bytes"]["most"] for found in pages.values())
    said = [f"less than {BYTES_ALLOWED / 1e6:.0f} MB, {_met(size < BYTES_ALLOWED)}"]
    if all("shown" in found for found in pages.values()):
        seconds = max(found["shown"]["most"] for found in pages.values())
        said.append(f"open in less than {SECONDS_ALLOWED:.0f} s, {_met(seconds < SECONDS_ALLOWED)}")
    return "; ".join(said)


def _met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and writes the figures if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="where run and page are written and left (default: temporary)"
    )
    parser.add_argument(
        "--before", type=Path, help="an earlier checkout, whose report is made in turn instead"
    )
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.write is not None:
        written = write_run(options.write, options.pairs, options.seed)
        (options.write / "written.json").write_text(json.dumps(written), encoding="utf-8")
        return 0
    folder: AbstractContextManager[Any] = (
        tempfile.TemporaryDirectory() if options.folder is None else nullcontext(options.folder)
    )
    with folder as name:
        of = (Path(name).resolve(), options.pairs, options.rounds, options.seed)
        before = options.before
        measured = measure(*of) if before is None else measure_before(*of, before.resolve())
    print(as_text(measured))
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
