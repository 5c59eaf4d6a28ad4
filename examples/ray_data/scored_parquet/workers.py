"""What workers do with a part: a reader on a CPU first, then a scorer that has a judge.

Ray makes these classes and calls them; nothing in them knows of it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from scored_parquet.asked_rows import asked_rows
from scored_parquet.columns import Columns
from scored_parquet.parts import Part
from scored_parquet.rewards import with_rewards
from scored_parquet.scored_parts import write_scored
from ultrarm_eval import load_judge
from ultrarm_eval.cli.judge_options import JudgeChoice
from ultrarm_eval.engine_settings import EngineSettings
from ultrarm_eval.errors import ConfigurationError, ScoringError, UltrarmEvalError
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.inspection import judge_to_look_at
from ultrarm_eval.setting import settings_in

# Settings that say where and how values are computed; texts do not depend on them.
_COMPUTING = ("device", "quantization", "parallelize", *settings_in(EngineSettings))


@dataclass(frozen=True)
class Run:
    """What every worker knows.

    Attributes:
        parts: All parts of the data.
        columns: The columns to read, and what added ones are called.
        judge: The judge.
        fingerprint: Its fingerprint.
    """

    parts: Sequence[Part]
    columns: Columns
    judge: JudgeChoice
    fingerprint: str

    @property
    def settings(self) -> dict[str, Any]:
        """The judge's settings, its checkpoint among them."""
        return {"pretrained": self.judge.pretrained, **self.judge.settings}


class PartReader:
    """Reads parts and encodes their rows, on a CPU, without the judge's weights."""

    def __init__(self, run: Run) -> None:
        """Opens the judge's tokenizer and template."""
        self._run = run
        given = {n: v for n, v in run.settings.items() if n not in _COMPUTING}
        self._encoder = judge_to_look_at(run.judge.kind, {**given, "device": "cpu"}).encoder

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Reads a part: its number in, its number and its rows as an Arrow stream out."""
        part = self._run.parts[row["part"]]
        rows = asked_rows(part.read(), part.start, self._run.columns, self._encoder)
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
        return {"part": row["part"], "rows": stream.getvalue().to_pybytes()}


class PartScorer:
    """A judge with its weights, which scores parts and writes them."""

    def __init__(self, run: Run) -> None:
        """The judge is loaded for the first part: what is wrong with it ends the run in a line."""
        logging.basicConfig(level=logging.INFO)
        self._run = run
        self._loaded: Judge | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Scores and writes one part: what the reader gives in, counts and seconds out.

        Raises:
            ScoringError: It cannot be scored or written. Of a class that crosses processes.
        """
        (number,), (stream,) = batch["part"], batch["rows"]
        run, part = self._run, self._run.parts[number]
        try:
            judge = self._judge()
            started = time.monotonic()
            rows = pa.ipc.open_stream(stream).read_all()
            scored = with_rewards(rows, run.columns, judge, run.fingerprint)
            counts = write_scored(part, scored, run.columns, run.fingerprint)
        except UltrarmEvalError as error:
            raise ScoringError(f"{part}: {error}") from error
        seconds = time.monotonic() - started
        return {"part": [number], "counts": [json.dumps(counts.to_json())], "seconds": [seconds]}

    def _judge(self) -> Judge:
        """The judge, loaded.

        Raises:
            ConfigurationError: It is not that of the run: another checkpoint lies here.
        """
        if self._loaded is None:
            settings = self._run.settings
            kind, pretrained = self._run.judge.kind, settings.pop("pretrained")
            judge = load_judge(pretrained, judge=kind, **settings)
            if judge.fingerprint() != self._run.fingerprint:
                raise ConfigurationError(
                    f"The judge of this worker has the fingerprint {judge.fingerprint()}, and "
                    f"that of the run is {self._run.fingerprint}: {pretrained} is not the same on "
                    "all machines, or ultrarm-eval has another version."
                )
            self._loaded = judge
        return self._loaded
