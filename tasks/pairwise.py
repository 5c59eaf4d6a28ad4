"""The task classes that the YAML files next to this one name.

Harness releases up to 0.4.11 look for them in a module of the YAML's own folder only.
"""

from ultrarm_eval.lm_eval_plugin.comparison_task import (
    ComparisonTask,
    DemoTask,
    PreferencePairsTask,
)

#: What task files of others may call it.
PairwiseTask = ComparisonTask

__all__ = ["ComparisonTask", "DemoTask", "PairwiseTask", "PreferencePairsTask"]
