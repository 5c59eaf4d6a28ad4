"""Diagnoses a drift between an engine and torch, by reproducing known mistakes with torch.

Each known mistake is made on purpose with torch; if the engine's rewards match those of a mistake,
that mistake is the likely cause.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from scipy.special import expit

from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt
from ultrarm_eval.settings import DTYPES
from ultrarm_eval.text_format.tokens import Tokens

#: Makes the judge with other settings, with torch and without loading its weights.
Make = Callable[..., CheckpointJudge]

# Rewards of another checkpoint are uncorrelated; rounded rewards stay correlated.
_ALIKE = 0.9
# Two engines in the same dtype do not drift from float32 by the same amount.
_LIKE_ROUNDING = 8.0
_EXACT = "float32"
# Rewards in another order match once both lists are sorted.
_FEWER = 1000


def causes_of_drift(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    found: Sequence[float],
    expected: Sequence[float],
    allowed: float,
) -> list[str]:
    """The likely causes of a drift, each in a sentence; a fallback if no known mistake matches.

    Args:
        judge: The judge that computes with torch.
        make: Makes the judge with other settings.
        prompts: Prompts.
        completions: Completions, one for each prompt.
        found: The engine's rewards.
        expected: Torch's, one text at a time.
        allowed: The largest drift that counts as agreement.
    """
    texts = [judge.encoded(p, c) for p, c in zip(prompts, completions, strict=True)]
    drifting = [i for i in range(len(texts)) if not abs(found[i] - expected[i]) <= allowed]
    if not drifting:
        return []
    said = [
        f"The likely cause is {name}: with it reproduced, the largest drift is {drift:.3g}."
        for name, rewards in _mistakes(judge, make, prompts, completions, texts, expected)
        if (drift := _explained(found, rewards, drifting)) <= allowed
    ]
    return said or _in_general(judge, make, prompts, completions, texts, found, expected, drifting)


def _mistakes(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    texts: Sequence[Tokens],
    expected: Sequence[float],
) -> Iterator[tuple[str, Mapping[int, float]]]:
    """Mistakes, and the rewards that they cause, by text."""
    plain = dict(enumerate(expected))
    for name, rewards in (
        ("", plain),
        *_other_tokens(judge, make, prompts, completions, texts),
    ):
        if name:
            yield name, rewards
        activated = {index: float(expit(reward)) for index, reward in rewards.items()}
        yield "a sigmoid applied to the rewards" + (f", and {name}" if name else ""), activated


def _other_tokens(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    texts: Sequence[Tokens],
) -> Iterator[tuple[str, Mapping[int, float]]]:
    opening, eos = judge.encoder.opening, judge.tokenizer.eos_token_id
    size = len(opening)
    most = judge.checkpoint.positions or math.inf
    if opening:
        lost = {
            i: ids[size:]
            for i, ids in enumerate(map(list, texts))
            if len(ids) > size and tuple(ids[:size]) == opening
        }
        yield "a missing BOS", _computed(judge, lost)
        doubled = {i: [*opening, *t] for i, t in enumerate(texts) if len(t) + size <= most}
        yield "a duplicate BOS", _computed(judge, doubled)
    if eos is not None:
        closed = {i: [*t, eos] for i, t in enumerate(texts) if len(t) < most}
        yield "an EOS appended to the text", _computed(judge, closed)
    other = "text" if judge.encoder.special_tokens == "parse" else "parse"
    name = {
        "parse": "special-token text in answers (`</s>`) parsed as control tokens",
        "text": "control tokens tokenized as text",
    }[other]
    others = make(special_tokens=other)
    read = [others.encoded(p, c) for p, c in zip(prompts, completions, strict=True)]
    yield name, _computed(judge, {i: list(t) for i, t in enumerate(read) if t != texts[i]})


def _computed(judge: CheckpointJudge, texts: Mapping[int, list[int]]) -> dict[int, float]:
    return {i: judge.network.compute_alone(Tokens.of(ids)) for i, ids in texts.items()}


def _explained(
    found: Sequence[float], rewards: Mapping[int, float], drifting: Sequence[int]
) -> float:
    """The remaining drift; infinite if a mistake explains less than half of the drifting texts."""
    covered = [i for i in drifting if i in rewards]
    if 2 * len(covered) < len(drifting):
        return math.inf
    differences = [abs(found[i] - rewards[i]) for i in covered]
    return max(d if math.isfinite(d) else math.inf for d in differences)


def _in_general(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    texts: Sequence[Tokens],
    found: Sequence[float],
    expected: Sequence[float],
    drifting: Sequence[int],
) -> list[str]:
    if _spread(sorted(found), sorted(expected)) < _spread(found, expected) / _FEWER:
        return ["The rewards look right but are in another order."]
    said = []
    agreeing = sorted(set(range(len(texts))) - set(drifting))
    shortest = min(len(texts[i]) for i in drifting)
    if agreeing and shortest > max(len(texts[i]) for i in agreeing):
        said.append(
            f"All texts that drift have at least {shortest} tokens, and all shorter texts agree. "
            "The likely cause is truncation, or different position ids."
        )
    alike = _correlation(found, expected)
    if alike >= _ALIKE:
        said += _as_rounding(judge, make, prompts, completions, found, expected)
    if not said:
        said.append(
            f"No known mistake explains it (correlation {alike:.3f}). Check that both use the "
            "same checkpoint and revision."
        )
    return said


def _as_rounding(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    found: Sequence[float],
    expected: Sequence[float],
) -> list[str]:
    """The dtype whose rounding error is about as large as the drift, if there is one."""
    own, drift = str(judge.dtype).removeprefix("torch."), _spread(found, expected)
    best = (_LIKE_ROUNDING, "")
    for dtype in DTYPES:
        if dtype == own:
            continue
        try:
            rewards = make(dtype=dtype).score_one_at_a_time(prompts, completions)
        except UltrarmEvalError:
            # It does not fit into memory with the other, or the device does not support the dtype.
            continue
        rounding = _spread(rewards, expected)
        if not 0 < rounding < math.inf:
            continue
        if dtype == _EXACT and _spread(found, rewards) > rounding / 5:
            # The engine is not closer to the exact rewards than this dtype.
            said = (
                f"rounding in {own}: torch in {own} drifts from {_EXACT} by {rounding:.3g}, "
                "the engine by"
            )
        else:
            said = (
                f"another dtype, {dtype}: torch in {dtype} drifts by {rounding:.3g}, the engine by"
            )
        best = min(best, (max(drift / rounding, rounding / drift), said))
    if not best[1]:
        return []
    return [f"The likely cause is {best[1]} {drift:.3g} (root mean square)."]


def _spread(first: Sequence[float], second: Sequence[float]) -> float:
    squares = [(a - b) ** 2 for a, b in zip(first, second, strict=True)]
    return math.sqrt(statistics.fmean(squares))


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's correlation; 0 if one side is constant or NaN."""
    if not all(map(math.isfinite, (*first, *second))):
        return 0.0
    of_first, of_second = statistics.fmean(first), statistics.fmean(second)
    a = [one - of_first for one in first]
    b = [one - of_second for one in second]
    norm = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
    if not norm or not math.isfinite(norm):
        return 0.0
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / norm
