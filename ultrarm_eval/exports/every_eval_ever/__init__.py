"""Every Eval Ever: the shared schema and database of evaluation results (arXiv 2606.14516).

Written in version 0.3.0 of its schemas (PyPI package every-eval-ever 0.3.0, which has them as
`schemas/eval.schema.json` and `schemas/instance_level_eval.schema.json`): a record for each task
under `data/TASK/ORG/NAME/UUID.json`, and its samples next to it as `UUID_samples.jsonl`.
"""

from __future__ import annotations

from ultrarm_eval.exports.every_eval_ever.export import write_every_eval_ever
from ultrarm_eval.exports.every_eval_ever.record import RELATIONSHIPS, Evaluator

__all__ = ["Evaluator", "RELATIONSHIPS", "write_every_eval_ever"]
