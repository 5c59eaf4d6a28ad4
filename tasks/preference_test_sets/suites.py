"""The task class that the YAML files next to this one name.

Harness releases up to 0.4.11 look for it in a module of the YAML's own folder only.
"""

from ultrarm_eval.lm_eval_plugin.comparison_task import ComparisonTask

#: What task files of others may call it.
SuiteTask = ComparisonTask

__all__ = ["ComparisonTask", "SuiteTask"]
