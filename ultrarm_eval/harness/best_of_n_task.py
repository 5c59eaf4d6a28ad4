"""Deprecated name of `ultrarm_eval.lm_eval_plugin.best_of_n_task`."""

from ultrarm_eval.lm_eval_plugin.best_of_n_task import BestOfNTask

__all__ = ["BestOfNTask"]
