"""Judges as users load them: two at the same time, and one beside a model under evaluation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from gpu_check.accuracy import EXACT, largest_difference
from gpu_check.memory import GIB, held_by_another_process, only_free
from gpu_check.random_models import SMALL_SHAPES, attentive_model
from gpu_check.step_run import StepRun
from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.device import free_bytes
from ultrarm_eval.data.rows import JsonLines
from ultrarm_eval.demo import demo_data_path, demo_judge_path
from ultrarm_eval.engine.token_budget import bytes_per_token
from ultrarm_eval.errors import DeviceError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.local_network import LocalNetwork

#: The demo's tokenizer has so many.
_VOCABULARY = 1000
_TOKENIZER_FILES = ("tokenizer.model", "tokenizer_config.json")
_PROMPTS, _PROMPTS_OF_DRY_RUN = 60, 4
# Little enough that each of two budgets comes from it and not from its upper bound.
_FREE_FOR_TWO = 3 * GIB // 4
_FREE_BESIDE = 2 * GIB
_ANOTHER_HOLDS = 8 * GIB
# What the driver takes for another process.
_ANOTHERS_CONTEXT = 2 * GIB
# bfloat16's rounding through the small shape's layers, where a wrong text is off by the spread.
_HALF_ALLOWED = 0.15
_NEW_TOKENS = 16
_LITTLE = 64 * 1024**2


def check_two(run: StepRun) -> None:
    """Two judges score at once in one process, each with a budget of its own."""
    prompts, answers = _texts(_PROMPTS if run.is_on_card else _PROMPTS_OF_DRY_RUN)
    with ExitStack() as stack:
        folders = [stack.enter_context(_checkpoint(run.shape, seed)) for seed in (1, 2)]
        dtypes = ("bfloat16", "float32")
        judges = [
            _judge_of(folder, run.device_name, dtype)
            for folder, dtype in zip(folders, dtypes, strict=True)
        ]
        expected = [_loop(folder, prompts, answers) for folder in folders]
        if run.is_on_card:
            stack.enter_context(only_free(run.device, _FREE_FOR_TWO))
        free = free_bytes(run.device)
        budgets = [_budget(judge) for judge in judges]
        with ThreadPoolExecutor(2) as threads:
            at_once = [threads.submit(judge.score, prompts, answers) for judge in judges]
            found = [one.result() for one in at_once]
        told = [
            {
                **_told(judge, dtype, rewards, loop),
                "budget": budget,
                "budget_afterwards": _budget(judge),
                "budget_bytes": budget * bytes_per_token(judge.checkpoint.config, judge.dtype),
            }
            for judge, dtype, rewards, loop, budget in zip(
                judges, dtypes, found, expected, budgets, strict=True
            )
        ]
    run.note(free_gib=free / GIB, texts=len(answers), judges=told)
    for one in told:
        _require_right(run, one)
        run.require(
            one["budget_bytes"] <= free / 2 or one["budget"] == 256,
            f"a budget of {one['budget']} tokens is more than half of what is free",
        )
    run.summarise(
        "; ".join(
            f"{one['dtype']}: {one['largest_difference']:.2g} off, budget {one['budget']}"
            + (
                f" halved to {one['budget_afterwards']}"
                if one["budget_afterwards"] != one["budget"]
                else ""
            )
            for one in told
        )
    )


def check_beside_a_model(run: StepRun) -> None:
    """A judge takes what a model under evaluation leaves, and leaves that one as it is."""
    device = run.device
    prompts, answers = _texts(_PROMPTS if run.is_on_card else _PROMPTS_OF_DRY_RUN)
    shape = SMALL_SHAPES[run.shape]
    dtype = torch.bfloat16 if run.is_on_card else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(LlamaConfig(**shape)).eval()
    finally:
        torch.set_default_dtype(before)
    written = _written(model, device)
    name = str(dtype).removeprefix("torch.")
    with ExitStack() as stack:
        folder = stack.enter_context(_checkpoint(run.shape, 3))
        loop = _loop(folder, prompts, answers)
        if run.is_on_card:
            _see_another_process(run, device)
            # Too little for the weights: refused before they are loaded.
            with only_free(device, _LITTLE):
                run.require(
                    _is_refused(folder, run.device_name), "too little memory is not refused"
                )
            stack.enter_context(only_free(device, _FREE_BESIDE))
        free = free_bytes(device)
        judge = _judge_of(folder, run.device_name, name)
        rewards = judge.score(prompts, answers)
        budget = _budget(judge)
        told = {
            **_told(judge, name, rewards, loop),
            "budget": budget,
            "budget_bytes": budget * bytes_per_token(judge.checkpoint.config, judge.dtype),
            "free_before_gib": free / GIB,
        }
        same = _written(model, device) == written
    run.note(texts=len(answers), judge=told, the_model_writes_the_same=same)
    _require_right(run, told)
    run.require(same, "the model under evaluation writes something else afterwards")
    run.require(
        told["budget_bytes"] <= free / 2 or budget == 256,
        "the budget is more than half of the rest",
    )
    run.summarise(
        f"{told['largest_difference']:.2g} off, budget {budget} of {free / GIB:.1f} GiB that are "
        "free; the model writes the same before and after"
    )


def _see_another_process(run: StepRun, device: torch.device) -> None:
    """What another process holds is not free, and is free again when it has ended."""
    torch.cuda.empty_cache()
    before = free_bytes(device)
    with held_by_another_process(device, _ANOTHER_HOLDS):
        missed = before - free_bytes(device)
    run.note(another_process={"holds_gib": _ANOTHER_HOLDS / GIB, "missed_gib": missed / GIB})
    run.require(
        _ANOTHER_HOLDS <= missed <= _ANOTHER_HOLDS + _ANOTHERS_CONTEXT,
        f"another process holds {_ANOTHER_HOLDS / GIB:.0f} GiB; {missed / GIB:.1f} GiB are missed",
    )


def _is_refused(folder: Path, device: str) -> bool:
    try:
        _judge_of(folder, device, "bfloat16")
    except DeviceError:
        return True
    return False


def _judge_of(folder: Path, device: str, dtype: str) -> CheckpointJudge:
    """A judge with its weights, loaded as a user loads it, its budget found from the memory."""
    return cast(CheckpointJudge, load_judge(str(folder), device=device, dtype=dtype))


def _budget(judge: CheckpointJudge) -> int:
    return cast(LocalNetwork, judge.network).limits().max_tokens


def _told(
    judge: CheckpointJudge, dtype: str, rewards: Sequence[float], loop: Sequence[float]
) -> dict[str, Any]:
    spread = float(torch.tensor(loop).std())
    return {
        "dtype": dtype,
        "attention": cast(LocalNetwork, judge.network).attention,
        "spread_of_rewards": spread,
        "largest_difference": largest_difference(rewards, loop),
        "allowed": (EXACT if dtype == "float32" else _HALF_ALLOWED) * max(1.0, spread),
    }


def _require_right(run: StepRun, one: dict[str, Any]) -> None:
    run.require(
        one["largest_difference"] <= one["allowed"],
        f"{one['dtype']}: {one['largest_difference']:.2g} off the loop, "
        f"{one['allowed']:.2g} is allowed",
    )


def _loop(folder: Path, prompts: list[str], answers: list[str]) -> list[float]:
    """Rewards of one text at a time in float32 on the CPU."""
    return _judge_of(folder, "cpu", "float32").score_one_at_a_time(prompts, answers)


def _texts(prompts: int) -> tuple[list[str], list[str]]:
    """The demo's answers, each with its prompt."""
    asked: list[str] = []
    answers: list[str] = []
    for number, row in enumerate(JsonLines(demo_data_path())):
        if number == prompts:
            break
        for completion in row["completions"]:
            asked.append(row["instruction"])
            answers.append(completion["response"])
    return asked, answers


@contextmanager
def _checkpoint(shape: str, seed: int) -> Iterator[Path]:
    """A random judge's folder with the demo's tokenizer."""
    model = attentive_model(
        {**SMALL_SHAPES[shape], "vocab_size": _VOCABULARY}, torch.device("cpu"), seed
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save_pretrained(folder)
        for file in _TOKENIZER_FILES:
            shutil.copy(demo_judge_path() / file, folder)
        yield folder


def _written(model: LlamaForCausalLM, device: torch.device) -> list[int]:
    """What a model writes, greedily."""
    ids = torch.arange(3, 3 + _NEW_TOKENS, device=device)[None]
    with torch.inference_mode():
        for _ in range(_NEW_TOKENS):
            following = model(ids).logits[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat([ids, following], dim=1)
    return [int(token) for token in ids[0]]
