"""Our own judges and pair sources, registered as anyone's are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_JUDGE

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import JudgeFactory
    from ultrarm_eval.sources.source import PairSource


@hookimpl
def register_judges(register: Callable[[str, JudgeFactory | str], None]) -> None:
    """Registers the judges that come along."""
    # As paths, so that listing the judges does not import torch.
    register(DEFAULT_JUDGE, "ultrarm_eval.judges.ultrarm:UltraRMJudge")
    register(AUTO_JUDGE, "ultrarm_eval.judges.auto:auto_judge")
    register("critique", "ultrarm_eval.judges.critique:CritiqueJudge")
    register("dpo", "ultrarm_eval.judges.dpo:PreferenceJudge")
    register("likelihood", "ultrarm_eval.judges.likelihood:LikelihoodJudge")
    register("eurus", "ultrarm_eval.judges.eurus:EurusJudge")
    register(
        "sequence-classification",
        "ultrarm_eval.judges.sequence_classification:SequenceClassificationJudge",
    )


@hookimpl
def register_pair_sources(register: Callable[[PairSource], None]) -> None:
    """Registers the schemas of UltraFeedback and its derivatives, and the demo's data."""
    from ultrarm_eval.sources import binarized, ultrafeedback

    for source in (binarized.PLAIN, binarized.BINARIZED, ultrafeedback.RAW, ultrafeedback.DEMO):
        register(source)
