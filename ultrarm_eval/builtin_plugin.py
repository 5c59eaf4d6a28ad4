"""The built-in judges, pair sources, benchmarks and templates, registered through our hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_JUDGE

if TYPE_CHECKING:
    from ultrarm_eval.benchmarks.benchmark import Benchmark
    from ultrarm_eval.judges.base import JudgeFactory
    from ultrarm_eval.sources.source import PairSource
    from ultrarm_eval.text_format.template import Template

# Published types of reward models, by the judge that supports them.
_REWARD_MODELS = {
    "armorm": "armorm:ArmoRMJudge",
    "process": "process.judge:ProcessJudge",
    "ldl": "ldl:LDLJudge",
    "qrm": "qrm:QRMJudge",
    "token-logit": "token_logit:TokenLogitJudge",
    "urm": "urm:URMJudge",
    "athene": "athene:AtheneJudge",
    "beaver": "beaver:BeaverJudge",
    "grm": "grm:GRMJudge",
    "inf-orm": "inf_orm:InfORMJudge",
    "internlm2-reward": "internlm2_reward:InternLM2RewardJudge",
    "openrlhf": "openrlhf:OpenRLHFJudge",
    "qwen2-reward": "qwen2_reward:Qwen2RewardJudge",
    "starling": "starling:StarlingJudge",
    "value-head": "value_head:NamedHeadJudge",
}


@hookimpl
def register_judges(register: Callable[[str, JudgeFactory | str], None]) -> None:
    """Registers the built-in judges."""
    # As paths, so that listing the judges does not import torch.
    register(DEFAULT_JUDGE, "ultrarm_eval.judges.ultrarm:UltraRMJudge")
    register(AUTO_JUDGE, "ultrarm_eval.judges.auto:auto_judge")
    register("eurus", "ultrarm_eval.judges.eurus:EurusJudge")
    register(
        "sequence-classification",
        "ultrarm_eval.judges.sequence_classification:SequenceClassificationJudge",
    )
    for name, path in _REWARD_MODELS.items():
        register(name, f"ultrarm_eval.reward_models.{path}")
    register("likelihood", "ultrarm_eval.judges.likelihood:LikelihoodJudge")
    register("dpo", "ultrarm_eval.judges.dpo:PreferenceJudge")
    register("critique", "ultrarm_eval.judges.critique:CritiqueJudge")


@hookimpl
def register_pair_sources(register: Callable[[PairSource], None]) -> None:
    """Registers the schemas of UltraFeedback and its derivatives, and the demo's data."""
    from ultrarm_eval.sources import binarized, ultrafeedback

    for source in (binarized.PLAIN, binarized.BINARIZED, ultrafeedback.RAW, ultrafeedback.DEMO):
        register(source)


@hookimpl
def register_benchmarks(register: Callable[[Benchmark], None]) -> None:
    """Registers the published benchmarks of reward models."""
    from ultrarm_eval.benchmarks import (
        judgebench,
        llmbar,
        paper_sets,
        ppe,
        preference_test_sets,
        rewardbench,
        rewardbench2,
        rm_bench,
    )

    for benchmark in (
        rewardbench.REWARDBENCH,
        rewardbench2.REWARDBENCH2,
        preference_test_sets.PREFERENCE_TEST_SETS,
        llmbar.LLMBAR,
        judgebench.JUDGEBENCH,
        rm_bench.RM_BENCH,
        ppe.PPE_HUMAN,
        *paper_sets.PAPER_SETS.values(),
    ):
        register(benchmark)


@hookimpl
def register_templates(register: Callable[[Template], None]) -> None:
    """Registers the templates that need no tokenizer."""
    from ultrarm_eval.text_format.plain_templates import PLAIN_TEMPLATES

    for template in PLAIN_TEMPLATES.values():
        register(template)
