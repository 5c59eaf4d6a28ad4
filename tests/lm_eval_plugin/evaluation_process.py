"""What one process of a data parallel run does; started as a script with a JSON of evaluations."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ultrarm_eval.lm_eval_plugin.processes import join_processes

TASK = "ultrafeedback_pairs"


def main(order: dict[str, Any]) -> None:
    import lm_eval.evaluator
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import setup_logging

    setup_logging("INFO")
    # It asks pip for a list of packages after each run.
    lm_eval.evaluator.add_env_info = lambda results: None
    scored = watch_batches(order)
    for name, evaluation in order["evaluations"].items():
        scored.clear()
        task = evaluation.get("task", TASK)
        metadata = {"data": evaluation["data"], **evaluation.get("metadata", {})}
        watch_scores(evaluation.get("unscored", ()))
        results = simple_evaluate(
            model="ultrarm" if task == TASK else writer(),
            model_args=evaluation.get("settings"),
            tasks=[task],
            task_manager=TaskManager(include_defaults=False, metadata=metadata),
            device="cpu",
            bootstrap_iters=10,
            use_cache=evaluation.get("use_cache"),
        )
        found: dict[str, Any] = {"scored": list(scored)}
        if results is not None:
            found["processes"] = int(os.environ.get("WORLD_SIZE", "1"))
            found["undefined"] = results["configs"][task]["metadata"].get("undefined")
            found["metrics"] = {k: v for k, v in results["results"][task].items() if "," in k}
            metadata = results["configs"][task]["metadata"]
            found["answers_without_score"] = metadata.get("answers_without_score")
            found["counts"] = results["config"].get("judge_counts")
            found["samples"] = sorted(results["samples"][task], key=lambda s: int(s["doc_id"]))
        report(order, f"{name}.{rank()}", found)


def watch_scores(unscored: Any) -> None:
    """Has the demo judge find no score for the answers to some documents."""
    from ultrarm_eval.judges.base import Judgement
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    if not unscored:
        return
    real = UltraRMJudge.judgements

    def judgements(self: Any, prompts: Any, completions: Any) -> Any:
        for i, judgement in real(self, prompts, completions):
            number = int(prompts[i][0]["content"].split()[3])
            lacks = number in unscored and completions[i].endswith(("word ", " "))
            yield i, Judgement(None) if lacks else judgement

    UltraRMJudge.may_abstain = True  # type: ignore[attr-defined]
    UltraRMJudge.judgements = judgements  # type: ignore[method-assign]


def writer() -> Any:
    """A language model that joins the processes as our judges do, and answers with the prompt."""
    from lm_eval.api.model import LM

    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    class Writer(RewardModelLM):
        is_reward_judge = False

        def __init__(self) -> None:
            LM.__init__(self)
            self.accelerator = join_processes(lambda: None)
            if self.accelerator is not None:
                self._rank = self.accelerator.process_index
                self._world_size = self.accelerator.num_processes

        def generate_until(self, requests: Any) -> list[str]:
            turns: dict[str, int] = {}
            answers = []
            for request in requests:
                turn = turns[request.args[0]] = turns.get(request.args[0], -1) + 1
                answers.append(f"{request.args[0][-9:]} {'word ' * turn}")
            return answers

        def get_model_info(self) -> dict[str, Any]:
            return {}

        tokenizer_name = "writer"

        tok_encode = None

    return Writer()


def watch_batches(order: dict[str, Any]) -> list[int]:
    """The sizes of the batches that are computed; blocks in the one after `block_after`."""
    from ultrarm_eval.engine import torch_engine

    real, sizes = torch_engine._score_batch, []
    block_after = order.get("block_after")

    def score_batch(model: Any, texts: Any, batch: Any) -> list[float]:
        if block_after is not None and len(sizes) == block_after:
            report(order, f"blocked.{rank()}", os.getpid())
            time.sleep(600)
        rewards = real(model, texts, batch)
        sizes.append(len(batch.texts))
        return rewards

    torch_engine._score_batch = score_batch
    return sizes


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def report(order: dict[str, Any], name: str, found: Any) -> None:
    path = Path(order["folder"]) / f"{name}.json"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(found, default=str))
    unfinished.rename(path)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
