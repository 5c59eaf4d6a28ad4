"""What a plugin can add. What comes along, comes through the same hooks."""

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
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec
def register_judges(register: Callable[[str, JudgeFactory | str], None]) -> None:
    """Adds judges.

    Args:
        register: Call it with a name (``judge=NAME``) and a factory, or the factory's path
            ``"module:object"``, which is imported when the judge is used. The factory is called
            with the settings of the run (``pretrained`` among them) as keyword arguments and
            returns a `ultrarm_eval.judges.base.Judge`.
    """


@hookspec
def register_pair_sources(register: Callable[[PairSource], None]) -> None:
    """Adds forms of preference data: a schema to recognise, or a data set to load by name.

    Args:
        register: Call it with each `ultrarm_eval.sources.source.PairSource`.
    """


@hookspec
def register_benchmarks(register: Callable[[Benchmark], None]) -> None:
    """Adds benchmarks of right and wrong completions, for task files that name them.

    Args:
        register: Call it with each `ultrarm_eval.benchmarks.benchmark.Benchmark`. A task file
            names it under `dataset_kwargs`, as `suite: NAME`, and has the class
            `ultrarm_eval.lm_eval_plugin.comparison_task.ComparisonTask`.
    """


@hookspec
def register_templates(register: Callable[[Template], None]) -> None:
    """Adds ways to write a conversation as one text (``template=NAME``).

    Args:
        register: Call it with each `ultrarm_eval.text_format.template.Template`. Rewards are kept
            apart by its `source`: change that where it writes something else than before.
    """
