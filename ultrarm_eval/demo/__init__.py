"""The bundled demo: a tiny reward model and synthetic data in UltraFeedback's raw schema.

With both, everything can be run offline. The demo judge's scores mean nothing for real data.
"""

from __future__ import annotations

from pathlib import Path

DEMO_NAME = "demo"
#: The hint of errors about a checkpoint or data that neither hub nor cache has.
OFFLINE_HELP = (
    "To try everything offline: the name demo stands for a bundled judge and for bundled data, as "
    "in lm_eval --model ultrarm --model_args pretrained=demo --tasks ultrafeedback_pairs "
    '--metadata \'{"data": "demo"}\'.'
)


def demo_judge_path() -> Path:
    """The folder of the demo judge, laid out like UltraRM's checkpoint."""
    return Path(__file__).parent / "judge"


def demo_data_path() -> Path:
    """The demo's held-out data, in UltraFeedback's raw schema."""
    return Path(__file__).parent / "ultrafeedback_demo.jsonl"
