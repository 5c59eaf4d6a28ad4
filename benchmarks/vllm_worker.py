"""The other side of `vllm_speed.py`: vLLM in an environment of its own, asked over pipes.

It needs vLLM alone, and nothing of this package. A request is a line of JSON on the standard
input, its answer a line on the standard output; what vLLM prints goes to the standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def start(model: str, settings: dict[str, Any]) -> Any:
    """Starts vLLM with one classifier, as its documentation has it used."""
    from vllm import LLM
    from vllm.config import PoolerConfig

    pooler = PoolerConfig(task="classify", pooling_type="LAST", use_activation=False)
    return LLM(
        model,
        runner="pooling",
        convert="classify",
        dtype="float32",
        pooler_config=pooler,
        **settings,
    )


def score(llm: Any, texts: list[list[int]]) -> dict[str, Any]:
    """Scores texts; what earlier requests left in the prefix cache is dropped first."""
    if not llm.reset_prefix_cache():
        raise RuntimeError("vLLM did not empty its prefix cache.")
    prompts = [{"prompt_token_ids": ids} for ids in texts]
    start = time.perf_counter()
    outputs = llm.classify(prompts, use_tqdm=False)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "rewards": [output.outputs.probs[0] for output in outputs],
        "computed_tokens": sum(
            len(output.prompt_token_ids) - int(output.num_cached_tokens or 0) for output in outputs
        ),
    }


def main() -> None:
    """Answers requests until the input ends."""
    # vLLM's own processes write to the same descriptors, so the answers get one that they have not.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    given = json.loads(sys.stdin.readline())
    began = time.perf_counter()
    llm = start(given["model"], given["settings"])
    config = llm.llm_engine.vllm_config
    import torch
    import transformers
    import vllm

    said = {
        "vllm": vllm.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "start_s": time.perf_counter() - began,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "block_size": config.cache_config.block_size,
        "prefix_caching": bool(config.cache_config.enable_prefix_caching),
        "enforce_eager": bool(config.model_config.enforce_eager),
    }
    answers.write(json.dumps(said) + "\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(score(llm, json.loads(line)["texts"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
