"""Running commands and keeping their exit codes, output and files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from .commands import Command

# What a run may depend on beside its inputs is the same in every recording.
SETTLED = {
    "COLUMNS": "100",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "LC_ALL": "C.UTF-8",
    "NO_COLOR": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
_WHERE = "import pathlib, ultrarm_eval as u; print(pathlib.Path(u.__file__).resolve().parents[1])"


def install(venv: Path, checkout: Path) -> None:
    """Makes a checkout the one that an environment has installed.

    PYTHONPATH would not do: the tasks and the `.pth` file are found through the installation.
    """
    python = str(venv / "bin" / "python")
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    subprocess.run(  # noqa: S603 - the environment's own pip
        [python, "-m", "pip", "install", *options, "-e", str(checkout)], check=True
    )
    found = _checkout(venv)
    if found != checkout.resolve():
        raise SystemExit(f"{venv} imports the package from {found} and not from {checkout}.")


def record(
    commands: Sequence[Command],
    venv: Path,
    inputs: Path,
    output: Path,
    *,
    jobs: int,
    timeout: float,
    resume: bool = False,
) -> None:
    """Runs commands and writes a folder for each.

    Args:
        commands: In an order in which each comes after those it needs.
        venv: The environment whose programs are run.
        inputs: What `inputs` made.
        output: The recording's folder; what it has of these commands is replaced.
        jobs: How many run at once.
        timeout: Seconds that each may take.
        resume: Leaves out what is recorded there already.
    """
    venv, inputs, output = venv.absolute(), inputs.resolve(), output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    began, day = time.monotonic(), _today()
    about = {
        "checkout": str(_checkout(venv)),
        "venv": str(venv),
        "inputs": str(inputs),
        "recording": str(output),
        "python": str((venv / "bin" / "python").resolve().parents[1]),
        "home": str(Path.home()),
    }
    _write_about(output, about, {day})
    done = {command.name: threading.Event() for command in commands}

    def run(command: Command) -> None:
        for need in command.needs:
            done[need].wait()
        try:
            if not (resume and (output / command.name / "command.json").is_file()):
                _run(command, venv, inputs, output, timeout)
        finally:
            done[command.name].set()

    with ThreadPoolExecutor(jobs) as pool:
        for waited in [pool.submit(run, command) for command in commands]:
            waited.result()
    _write_about(output, about, {day, _today()})
    print(f"{len(commands)} commands in {time.monotonic() - began:.0f} s: {output}")


def _run(command: Command, venv: Path, inputs: Path, output: Path, timeout: float) -> None:
    folder = output / command.name
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / "files"
    files.mkdir(parents=True)
    (files / "inputs").symlink_to(inputs)
    # Copies: what looks for results in a folder follows no links.
    for need in command.needs:
        shutil.copytree(output / need / "files", files / "runs" / need)
    began = time.monotonic()
    # A cache that an earlier command has filled would have this one say less.
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            **SETTLED,
            "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "HF_HOME": f"{scratch}/hub",
            "TMPDIR": scratch,
        }
        environment.pop("PYTHONPATH", None)
        (folder / "scratch").write_text(scratch)
        code = _call(command, venv, folder, environment, timeout)
    seconds = time.monotonic() - began
    (files / "inputs").unlink()
    shutil.rmtree(files / "runs", ignore_errors=True)
    told = {"line": command.line, "exit_code": code, "seconds": round(seconds, 1)}
    told["scratch"] = (folder / "scratch").read_text()
    (folder / "scratch").unlink()
    (folder / "command.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{seconds:6.1f} s  status {code}  {command.name}", flush=True)


def _call(
    command: Command, venv: Path, folder: Path, environment: Mapping[str, str], timeout: float
) -> int | str:
    program, *arguments = command.line
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as errors:
        try:
            return subprocess.run(  # noqa: S603 - the commands named in this package
                [str(venv / "bin" / program), *arguments],
                cwd=folder / "files",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"longer than {timeout:g} s"


def _checkout(venv: Path) -> Path:
    found = subprocess.run(  # noqa: S603 - asks where the package is
        [str(venv / "bin" / "python"), "-c", _WHERE],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )
    return Path(found.stdout.strip())


def _write_about(output: Path, about: Mapping[str, str], days: set[str]) -> None:
    path = output / "about.json"
    if path.exists():
        days |= set(json.loads(path.read_text(encoding="utf-8")).get("days", ()))
    told = {**about, "days": sorted(days)}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _today() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")
