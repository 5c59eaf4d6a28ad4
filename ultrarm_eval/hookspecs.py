"""The hooks of plugins. Built-in items are registered through the same hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ultrarm_eval.benchmarks.benchmark import Benchmark
    from ultrarm_eval.judges.base import JudgeFactory
    from ultrarm_eval.sources.source import PairSource
    from ultrarm_eval.text_format.template import Template

PROJECT_NAME = "ultrarm_eval"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
#: Marks a function of a plugin as the implementation of a hook, such as `register_judges`.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec
def register_judges(register: Callable[[str, JudgeFactory | str], None]) -> None:
    """Adds judges.

    A judge without weights is any `ultrarm_eval.judges.base.Judge`. A type of reward model is a
    class like those of `ultrarm_eval.reward_models`, with a `name`, an `architecture` and a
    `make_head`. Only an `ultrarm_eval.checkpoints.architecture.Architecture` in its class attribute
    `architecture` is needed for ``judge=auto``, ``inspect-checkpoint`` and the hints in error
    messages. ``judge=auto`` uses the judge whose architecture recognizes a checkpoint; general
    architectures have lower priority, and several matches are refused by name. For a transformers
    decoder with its own head the base classes are
    `ultrarm_eval.checkpoints.headed_decoder.HeadedDecoder` (which weights, what module) and
    `ultrarm_eval.reward_models.headed_judge.HeadedJudge`; two_scores.py in the example plugin is a
    complete type.

    Args:
        register: Call it with a name (``judge=NAME``) and a factory, or the factory's path
            ``"module:object"``, which is imported when the judge is used. The factory is called
            with the settings of the run (``pretrained`` among them) as keyword arguments and
            returns a `ultrarm_eval.judges.base.Judge`.
    """


@hookspec
def register_pair_sources(register: Callable[[PairSource], None]) -> None:
    """Adds sources of preference data: a schema to recognize, or a data set to load by name.

    Args:
        register: Call it with each `ultrarm_eval.sources.source.PairSource`.
    """


@hookspec
def register_benchmarks(register: Callable[[Benchmark], None]) -> None:
    """Adds benchmarks of right and wrong completions, for use in task files.

    Args:
        register: Call it with each `ultrarm_eval.benchmarks.benchmark.Benchmark`. A task file
            names it under `dataset_kwargs`, as `suite: NAME`, and has the class
            `ultrarm_eval.lm_eval_plugin.comparison_task.ComparisonTask`.
    """


@hookspec
def register_templates(register: Callable[[Template], None]) -> None:
    """Adds prompt templates (``template=NAME``).

    Args:
        register: Call it with each `ultrarm_eval.text_format.template.Template`. Stored rewards are
            keyed by its `source`: change that if it produces different text than before.
    """
