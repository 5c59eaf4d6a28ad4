"""Reward models as judges for evaluation harnesses.

Importing this package loads neither torch nor a harness: the names in `__all__` are loaded when
they are first used.

**Public API.** You may build on the names in `__all__` of this package and of these modules:

- `ultrarm_eval.errors`: every error that is raised on purpose.
- `ultrarm_eval.judges.base`: what a judge is, and what it gives.
- `ultrarm_eval.messages`: prompts as chat messages.
- `ultrarm_eval.rules`: which pairs count, and what a tie is worth.
- `ultrarm_eval.sources.answers`: answers and references in a file.
- `ultrarm_eval.data.records`: what a `PairSource` turns rows into.
- `ultrarm_eval.benchmarks.benchmark`, `ultrarm_eval.benchmarks.figures`: a benchmark and its
  metrics.
- `ultrarm_eval.text_format.template`: a prompt template.
- `ultrarm_eval.metrics.preference_accuracy`, `ultrarm_eval.metrics.over_prompts`,
  `ultrarm_eval.metrics.best_of_k`, `ultrarm_eval.metrics.win_rate`: metrics from rewards.
- `ultrarm_eval.stats.interval`: a confidence interval.
- `ultrarm_eval.lm_eval_plugin.comparison_task`, `ultrarm_eval.lm_eval_plugin.generation_task`,
  `ultrarm_eval.lm_eval_plugin.best_of_n_task`, `ultrarm_eval.lm_eval_plugin.generation_metrics`:
  what task files of lm-eval name.
- `ultrarm_eval.inspect_plugin`: scorers and a task for inspect_ai.
- `ultrarm_eval.lighteval`: tasks for lighteval.
- `ultrarm_eval.cli`: the command `ultrarm-eval`, as the function `main`.

Commands and their options, settings, the names of judges, templates, tasks and metrics, and the
keys and columns of results are public, too. All other modules are internal and may change at any
time.

**Versions** follow semantic versioning: a patch release changes nothing public. Until 1.0, a minor
release (0.1 to 0.2) may remove or change public names, and from 1.0 on, only a major release may.
Nothing public goes without notice: the old name or spelling works for at least one minor release
more and gives a warning, and the changelog names both. A change that moves the value of a
metric raises the version of its tasks.

**Provisional modules** are for reward models with their own heads. Their names in `__all__` may
change in any minor release without a deprecation period; the changelog says so:

- `ultrarm_eval.checkpoints.architecture`, `ultrarm_eval.checkpoints.headed_decoder`,
  `ultrarm_eval.checkpoints.heads`, `ultrarm_eval.checkpoints.survey`,
  `ultrarm_eval.checkpoints.tokenizer`, `ultrarm_eval.checkpoints.weight_map`: what recognizes and
  reads a checkpoint.
- `ultrarm_eval.engine.reads`, `ultrarm_eval.judges.reward_head`,
  `ultrarm_eval.reward_models.headed_judge`: what computes the reward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ultrarm_eval._version import __version__
    from ultrarm_eval.benchmarks.benchmark import Benchmark
    from ultrarm_eval.checkpoints.decoder_reward_model import LlamaRewardModel
    from ultrarm_eval.documents.document import Document
    from ultrarm_eval.documents.preference import load_documents
    from ultrarm_eval.errors import UltrarmEvalError
    from ultrarm_eval.hookspecs import hookimpl
    from ultrarm_eval.judges.base import Judge, Judgement, TokenJudge
    from ultrarm_eval.judges.judged_answers import JudgedAnswers, judge_answers
    from ultrarm_eval.judges.loading import load_judge
    from ultrarm_eval.metrics.preference_accuracy import PreferenceAccuracy, preference_accuracy
    from ultrarm_eval.sources.source import PairSource
    from ultrarm_eval.text_format.template import Template

__all__ = [
    # Score.
    "load_judge",
    "load_documents",
    "judge_answers",
    "preference_accuracy",
    # What these take and give.
    "Judge",
    "TokenJudge",
    "Judgement",
    "JudgedAnswers",
    "Document",
    "PreferenceAccuracy",
    "UltrarmEvalError",
    # Extend.
    "hookimpl",
    "PairSource",
    "Benchmark",
    "Template",
    # The bare model.
    "LlamaRewardModel",
    "__version__",
]

_LAZY = {
    "Benchmark": "ultrarm_eval.benchmarks.benchmark",
    "Document": "ultrarm_eval.documents.document",
    "Judge": "ultrarm_eval.judges.base",
    "JudgedAnswers": "ultrarm_eval.judges.judged_answers",
    "Judgement": "ultrarm_eval.judges.base",
    "LlamaRewardModel": "ultrarm_eval.checkpoints.decoder_reward_model",
    "PairSource": "ultrarm_eval.sources.source",
    "PreferenceAccuracy": "ultrarm_eval.metrics.preference_accuracy",
    "Template": "ultrarm_eval.text_format.template",
    "TokenJudge": "ultrarm_eval.judges.base",
    "UltrarmEvalError": "ultrarm_eval.errors",
    "hookimpl": "ultrarm_eval.hookspecs",
    "judge_answers": "ultrarm_eval.judges.judged_answers",
    "load_documents": "ultrarm_eval.documents.preference",
    "load_judge": "ultrarm_eval.judges.loading",
    "preference_accuracy": "ultrarm_eval.metrics.preference_accuracy",
    "__version__": "ultrarm_eval._version",
}


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
