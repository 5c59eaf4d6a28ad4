"""The task classes that the YAML files beside this one name.

Harness releases up to 0.4.11 look for them in a module of the YAML's own folder only.
"""

from ultrarm_eval.lm_eval_plugin.pairwise_task import DemoTask, PairwiseTask
from ultrarm_eval.lm_eval_plugin.preference_pairs_task import PreferencePairsTask

__all__ = ["DemoTask", "PairwiseTask", "PreferencePairsTask"]
