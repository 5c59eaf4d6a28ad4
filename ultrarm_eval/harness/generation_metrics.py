"""Deprecated name of `ultrarm_eval.lm_eval_plugin.generation_metrics`."""

from ultrarm_eval.lm_eval_plugin.generation_metrics import process_results, reward, win_rate

__all__ = ["process_results", "reward", "win_rate"]
