"""The task class that the YAML files beside this one name.

Harness releases up to 0.4.11 look for it in a module of the YAML's own folder only.
"""

from ultrarm_eval.lm_eval_plugin.suite_task import SuiteTask

__all__ = ["SuiteTask"]
