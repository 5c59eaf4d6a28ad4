"""The bundled demo: a tiny reward model and synthetic data in UltraFeedback's raw schema.

Both exist to run the whole way offline. The demo judge is no judge of anything real.
"""

from __future__ import annotations

from pathlib import Path

DEMO_NAME = "demo"
#: What to type where neither hub nor cache has what is needed.
OFFLINE_HELP = (
    "To try everything offline: the name demo stands for a bundled judge and for bundled data, as "
    "in lm_eval --model ultrarm --model_args pretrained=demo --tasks ultrafeedback_pairs_demo."
)


def demo_judge_path() -> Path:
    """The folder of the demo judge, laid out like UltraRM's checkpoint."""
    return Path(__file__).parent / "judge"


def demo_data_path() -> Path:
    """The demo's held-out data, in UltraFeedback's raw schema."""
    return Path(__file__).parent / "ultrafeedback_demo.jsonl"
