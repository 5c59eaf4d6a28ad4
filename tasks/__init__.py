"""Task files of lm-evaluation-harness; installed as `ultrarm_eval.tasks`."""
