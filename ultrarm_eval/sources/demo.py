"""The bundled demo data, by the word `demo`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ultrarm_eval.data.jsonl import JsonLines
from ultrarm_eval.demo import DEMO_NAME, demo_data_path
from ultrarm_eval.sources import ultrafeedback
from ultrarm_eval.sources.records import Row


def _open_rows() -> Sequence[Row]:
    return JsonLines(demo_data_path())


DEMO = dataclasses.replace(
    ultrafeedback.RAW,
    name=DEMO_NAME,
    describes="the bundled synthetic data, in UltraFeedback's raw schema",
    # Never chosen by columns: the schema belongs to `ultrafeedback`, the word to the demo.
    recognises=lambda columns: False,
    open_rows=_open_rows,
)
