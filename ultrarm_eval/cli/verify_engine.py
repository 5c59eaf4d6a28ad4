"""`ultrarm-eval verify --engine`: checks another engine's rewards against torch."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ultrarm_eval.cli.judge_options import JudgeChoice
from ultrarm_eval.cli.requests import Requests
from ultrarm_eval.cli.reward_drift import largest_difference, said_of_drift
from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.errors import RewardError
from ultrarm_eval.known_settings import known_settings

if TYPE_CHECKING:
    from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
    from ultrarm_eval.judges.verified_texts import VerifiedTexts

#: The largest drift of another engine that passes, by dtype, where the user sets none.
THRESHOLDS = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.1}


def is_of_another_engine(choice: JudgeChoice) -> bool:
    """Whether the options name an engine other than torch."""
    return choice.settings.get("engine", TORCH) not in (TORCH, "auto")


def verify_engine(options: argparse.Namespace, choice: JudgeChoice, requests: Requests) -> int:
    """Compares an engine with one text at a time by torch, and prints the result.

    Args:
        options: The command's options.
        choice: The judge, with the engine.
        requests: The texts of the data.

    Returns:
        1 if the difference is above the threshold, else 0.

    Raises:
        UltrarmEvalError: The engine refuses the judge, or a text of the data.
    """
    from ultrarm_eval.judges.drift_causes import causes_of_drift
    from ultrarm_eval.judges.judgements import texts_from

    judge = choice.make_batched()
    prompts, completions = list(requests.prompts), list(requests.completions)
    with texts_from(requests.places):
        found = judge.score(prompts, completions)
    lines = []
    for added in _added(judge, requests):
        try:
            rewards = judge.score(added.prompts, added.completions)
        except RewardError as error:
            lines.append(f"texts {added.kind} are refused: {error.problem}")
            continue
        lines.append(f"including {len(added):,} texts {added.kind}")
        prompts += added.prompts
        completions += added.completions
        found += rewards
    settings = judge.settings()
    dtype, name = str(settings["dtype"]), str(settings["engine"])
    # One model at a time has to fit.
    del judge
    gc.collect()
    here = partial(by_torch(choice).make_batched, dtype=dtype)
    single = here()
    expected = single.score_one_at_a_time(prompts, completions)
    allowed = THRESHOLDS[dtype] if options.threshold is None else options.threshold
    passed = largest_difference(found, expected) <= allowed
    lines = [
        f"{len(found):,} texts, {len(requests.pairs):,} pairs, {dtype}, engine={name} "
        f"({settings.get('server_software') or settings['engine_version']})",
        *lines,
        f"{name} vs. one text at a time with torch: "
        f"{said_of_drift(found, expected, requests.pairs)}",
    ]
    if not passed:
        make = partial(_made, here)
        lines += causes_of_drift(single, make, prompts, completions, found, expected, allowed)
    if dtype != "float32":
        del single
        gc.collect()
        full = here(dtype="float32").score_one_at_a_time(prompts, completions)
        lines += [
            f"{name} vs. float32 with torch: {said_of_drift(found, full, requests.pairs)}",
            f"{dtype} with torch vs. float32: {said_of_drift(expected, full, requests.pairs)}",
        ]
    lines.append(f"{'within' if passed else 'OVER'} the threshold of {allowed:g}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0 if passed else 1


def by_torch(choice: JudgeChoice) -> JudgeChoice:
    """The same judge, computed by torch in this process."""
    known = known_settings()
    kept: Mapping[str, Any] = {
        name: value
        for name, value in choice.settings.items()
        if name not in known or not known[name].engines or TORCH in known[name].engines
    }
    return dataclasses.replace(choice, settings={**kept, "engine": TORCH})


def _added(judge: CheckpointJudge, requests: Requests) -> Sequence[VerifiedTexts]:
    from ultrarm_eval.judges.verified_texts import longest_texts, spelled_texts

    texts = (spelled_texts, longest_texts)
    made = [make(judge, requests.prompts, requests.completions) for make in texts]
    return [one for one in made if len(one)]


def _made(here: Any, **other: Any) -> CheckpointJudge:
    judge: CheckpointJudge = here(**other)
    return judge
