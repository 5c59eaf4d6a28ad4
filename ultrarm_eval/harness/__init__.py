"""Deprecated names of modules in `ultrarm_eval.lm_eval_plugin`; removed after 0.1."""

import warnings

warnings.warn(
    "ultrarm_eval.harness has been renamed to ultrarm_eval.lm_eval_plugin: import "
    "generation_metrics and best_of_n_task from there. The old name is removed in the next "
    "release.",
    FutureWarning,
    stacklevel=2,
)
