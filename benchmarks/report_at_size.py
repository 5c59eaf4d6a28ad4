"""What a report on 100,000 pairs costs: to make it, and to open it in a browser.

    python benchmarks/report_at_size.py --rounds 5 -o results/benchmarks/report_at_size.json

The run is synthetic and of UltraFeedback's shape: prompts with four answers of about 1,300
characters and ratings of four aspects, rewards drawn around the ratings, samples as lm-eval writes
them. Opening is measured in headless Chromium from the call to the first pairs shown, with the page
of the bundled demo's 1,193 pairs in turn as the baseline.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
SOURCES = ("evol_instruct", "false_qa", "flan", "sharegpt", "truthful_qa", "ultrachat")
WORDS = ("answer", "list", "one", "word", "the", "of", "a", "is", "read", "here", "there", "long")
STAMP = "2026-01-01T00-00-00.000000"
TASK = "ultrafeedback_pairs"
DEMO_RUN = Path("results/demo/run")


def main() -> int:
    """Measures, and prints and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pairs, written = write_run(folder / "run", given.pairs)
        made = [make_report(folder / "run", folder / "large.html") for _ in range(given.rounds)]
        make_report(DEMO_RUN, folder / "demo.html")
        opened: dict[str, list[float]] = {"large": [], "demo": []}
        with _browser() as open_page:
            for name in (*opened, *list(opened) * given.rounds):
                opened[name].append(open_page(folder / f"{name}.html"))
        # The first opening of each starts the browser's own machinery.
        times = {name: found[1:] for name, found in opened.items()}
        figures = {
            "pairs": pairs,
            "samples_megabytes": round(written / 1e6, 1),
            "rounds": given.rounds,
            "report_seconds": _spread([seconds for seconds, _ in made]),
            "report_peak_megabytes": _spread([peak for _, peak in made]),
            "page_megabytes": round((folder / "large.html").stat().st_size / 1e6, 3),
            "demo_page_megabytes": round((folder / "demo.html").stat().st_size / 1e6, 3),
            "opening_seconds": _spread(times["large"]),
            "opening_demo_seconds": _spread(times["demo"]),
            "opening_ratio": _spread(
                [a / b for a, b in zip(times["large"], times["demo"], strict=True)]
            ),
        }
    text = json.dumps(figures, indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    return 0


def write_run(folder: Path, pairs: int) -> tuple[int, int]:
    """Writes a run with at least so many pairs; how many they are, and the bytes of its samples."""
    from ultrarm_eval.metrics.of_prompt import prompt_metrics
    from ultrarm_eval.rules import ComparisonRules

    folder.mkdir(parents=True)
    draw = random.Random(0)
    done = documents = 0
    path = folder / f"samples_{TASK}_{STAMP}.jsonl"
    values: list[float] = []
    with path.open("w", encoding="utf-8") as file:
        while done < pairs:
            document = _document(documents, draw)
            means = [sum(int(r[i]) for r in document["aspects"].values()) / 4 for i in range(4)]
            rewards = {i: draw.gauss(mean, 1.5) for i, mean in enumerate(means)}
            if len(set(document["ratings"])) < 2:
                continue
            metrics = prompt_metrics(document, rewards, ComparisonRules())
            responses = [[str(rewards[i]), "False"] for i in range(4)]
            written = json.dumps(document, indent=2, ensure_ascii=False)
            sample = {
                "doc_id": documents,
                "doc": document,
                "target": "0",
                "arguments": {
                    f"gen_args_{i}": {"arg_0": document["prompt"][0]["content"], "arg_1": text}
                    for i, text in enumerate(document["completions"])
                },
                "resps": [[response] for response in responses],
                "filtered_resps": responses,
                "filter": "none",
                "metrics": list(metrics),
                "doc_hash": hashlib.sha256(written.encode()).hexdigest(),
                **metrics,
            }
            file.write(json.dumps(sample, ensure_ascii=False) + "\n")
            done += metrics["acc_pairs"][1]
            values.append(metrics["acc"])
            documents += 1
    results = {
        "results": {TASK: {"alias": TASK, "acc,none": statistics.fmean(values)}},
        "configs": {TASK: {"metadata": {"data_used": "synthetic", "ties": "half"}}},
        "n-samples": {TASK: {"original": documents, "effective": documents}},
        "config": {"model": "ultrarm", "judge": "ultrarm", "pretrained": "synthetic"},
    }
    (folder / f"results_{STAMP}.json").write_text(json.dumps(results), encoding="utf-8")
    return done, path.stat().st_size


def make_report(run: Path, page: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of `ultrarm-eval report` in a process of its own."""
    program = Path(sys.executable).parent / "ultrarm-eval"
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own arguments
        [str(program), "report", str(run), "-o", str(page)], stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The report on {run} was not made.")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


class _browser:  # noqa: N801 - used as a function
    """Opens pages in Chromium, one window for each."""

    def __enter__(self) -> Callable[[Path], float]:
        from playwright.sync_api import sync_playwright

        self._driver = sync_playwright().start()
        self._chromium: Any = self._driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        return self._open

    def _open(self, path: Path) -> float:
        page = self._chromium.new_page()
        started = time.perf_counter()
        page.goto(path.absolute().as_uri())
        page.wait_for_selector(".pair")
        seconds = time.perf_counter() - started
        page.close()
        return seconds

    def __exit__(self, *_: object) -> None:
        self._chromium.close()
        self._driver.stop()


def _document(row: int, draw: random.Random) -> dict[str, Any]:
    aspects = {name: [str(draw.randint(1, 5)) for _ in range(4)] for name in ASPECTS}
    quarters = [sum(int(ratings[i]) for ratings in aspects.values()) for i in range(4)]
    texts = [_text(draw, draw.randint(100, 2500)) for _ in range(4)]
    return {
        "format": "ultrarm_eval.document/2",
        "row": row,
        "source": draw.choice(SOURCES),
        "prompt": [{"role": "user", "content": f"{row}: {_text(draw, draw.randint(40, 1500))}"}],
        "completions": texts,
        "lengths": [len(text) for text in texts],
        "models": [f"model-{i}" for i in range(4)],
        "preference": "fine_grained",
        "ratings": [f"{quarter}/4" for quarter in quarters],
        "aspects": aspects,
    }


def _text(draw: random.Random, characters: int) -> str:
    return " ".join(draw.choices(WORDS, k=characters // 4))[:characters]


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
