"""The interface to inspect_ai: the scorers `reward` and `preference`, and the task `preference`.

The entry point `ultrarm_eval` of the group `inspect_ai` names this package; inspect_ai imports it
for names that begin with `ultrarm_eval/`. Nothing heavy is imported before a scorer or a task is
made.
"""

from importlib.util import find_spec

from ultrarm_eval.errors import MissingPackageError

if find_spec("inspect_ai") is None:
    raise MissingPackageError("inspect_ai", "inspect")

from ultrarm_eval.inspect_plugin.metrics import (
    by_category,
    length_controlled,
    stderr_by_category,
)
from ultrarm_eval.inspect_plugin.preference_scorer import preference_scorer
from ultrarm_eval.inspect_plugin.preference_task import no_answer, preference
from ultrarm_eval.inspect_plugin.reward_scorer import reward

__all__ = [
    "reward",
    "preference",
    "preference_scorer",
    "no_answer",
    "length_controlled",
    "by_category",
    "stderr_by_category",
]
