"""Measures what the installed .pth file costs an interpreter that never imports the harness.

In one throw-away environment the .pth file is put in place and taken away in turn, and `python -c
pass` is timed each time; neighbours in time are compared, so that a busy machine disturbs both
alike. The package itself is installed throughout.

    python benchmarks/startup_cost.py --rounds 300 -o results/startup_cost.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PTH = "ultrarm_eval_bridge.pth"
_IMPORT_TIME = re.compile(r"import time:\s*\d+ \|\s*(\d+) \| site$", re.MULTILINE)


@dataclass(frozen=True)
class Spread:
    """Differences between the two states, in milliseconds.

    Attributes:
        median: The middle of the differences.
        lower: The 25th percentile.
        upper: The 75th percentile.
        error: Half the width of the median's 95% confidence interval.
    """

    median: float
    lower: float
    upper: float
    error: float

    def __str__(self) -> str:
        return (
            f"{self.median:+.3f} ms +- {self.error:.3f} "
            f"(quartiles {self.lower:+.3f} to {self.upper:+.3f})"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and writes the figures if asked to."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        python, pth = _make_environment(Path(folder))
        baseline, wall = _measure(python, pth, options.rounds, _wall_time)
        _, site = _measure(python, pth, options.rounds, _site_time)
    wall_cost, site_cost = _spread(wall), _spread(site)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    print(f"python -c pass without the .pth file: {baseline:.2f} ms (median)")
    print(f"added by it, wall time of the process: {wall_cost}")
    print(f"added by it, -X importtime of `site`:  {site_cost}")
    if options.output is not None:
        written = {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "rounds": options.rounds,
            "baseline_ms": round(baseline, 3),
            "wall_ms": {name: round(value, 4) for name, value in asdict(wall_cost).items()},
            "site_ms": {name: round(value, 4) for name, value in asdict(site_cost).items()},
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=200, help="pairs of starts (default: 200)")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    return parser


def _make_environment(folder: Path) -> tuple[Path, Path]:
    """A bare environment with the package and its .pth file as a wheel installs them."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)  # noqa: S603
    site_packages = Path(
        sysconfig.get_path("purelib", vars={"base": str(venv), "platbase": str(venv)})
    )
    shutil.copytree(ROOT / "ultrarm_eval", site_packages / "ultrarm_eval")
    pth = site_packages / PTH
    shutil.copy2(ROOT / PTH, pth)
    return venv / ("Scripts" if os.name == "nt" else "bin") / "python", pth


def _measure(
    python: Path, pth: Path, rounds: int, measure: Callable[[Path], float]
) -> tuple[float, list[float]]:
    """Starts the interpreter with and without the file in turn.

    Returns:
        The median without the file, and each round's difference, in milliseconds.
    """
    away = pth.with_suffix(".away")
    without_file, differences = [], []
    for number in range(rounds + 1):
        taken = {}
        # Alternating who goes first cancels what the first of two starts pays for both.
        for present in ((True, False), (False, True))[number % 2]:
            if present and away.exists():
                away.rename(pth)
            elif not present and pth.exists():
                pth.rename(away)
            taken[present] = measure(python)
        # The first round fills caches.
        if number:
            without_file.append(taken[False])
            differences.append(taken[True] - taken[False])
    if away.exists():
        away.rename(pth)
    return statistics.median(without_file), differences


def _wall_time(python: Path) -> float:
    started = time.perf_counter()
    subprocess.run([str(python), "-c", "pass"], check=True, env=_variables())  # noqa: S603
    return (time.perf_counter() - started) * 1e3


def _site_time(python: Path) -> float:
    finished = subprocess.run(  # noqa: S603
        [str(python), "-X", "importtime", "-c", "pass"],
        check=True,
        env=_variables(),
        capture_output=True,
        text=True,
    )
    found = _IMPORT_TIME.search(finished.stderr)
    if found is None:
        raise RuntimeError(f"-X importtime does not name site:\n{finished.stderr}")
    return int(found.group(1)) / 1e3


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _spread(differences: Sequence[float]) -> Spread:
    lower, _, upper = statistics.quantiles(differences, n=4)
    # The median of n values of a normal-like spread: 1.57 * IQR / sqrt(n), as in notched box plots.
    error = 1.57 * (upper - lower) / len(differences) ** 0.5
    return Spread(statistics.median(differences), lower, upper, error)


if __name__ == "__main__":
    sys.exit(main())
