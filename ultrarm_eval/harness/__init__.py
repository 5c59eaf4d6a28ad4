"""Old names of what task files import from `ultrarm_eval.lm_eval_plugin`; they go after 0.1."""

import warnings

warnings.warn(
    "ultrarm_eval.harness is now ultrarm_eval.lm_eval_plugin: import generation_metrics and "
    "best_of_n_task from there. The old name goes with the next release.",
    FutureWarning,
    stacklevel=2,
)
