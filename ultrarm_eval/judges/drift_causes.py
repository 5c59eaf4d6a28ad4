"""What a drift between an engine and torch looks like, by rewards that torch gives on purpose.

Each known mistake is made here: the rewards that it gives are computed by torch, and where the
engine's are those, that is what it looks like.
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

#: Makes the judge with other settings, by torch and without loading its weights.
Make = Callable[..., CheckpointJudge]

# Rewards of another checkpoint have nothing to do with each other; rounding leaves them alike.
_ALIKE = 0.9
# Two engines in one dtype do not drift from float32 by the same amount.
_LIKE_ROUNDING = 8.0
_EXACT = "float32"
# Rewards in another order are those of others, and sorted they are not.
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
    """What rewards that drift look like, each in a sentence; the last resort if nothing fits.

    Args:
        judge: The judge that computes by torch.
        make: Makes it with other settings.
        prompts: Prompts.
        completions: Completions, one for each prompt.
        found: The engine's rewards.
        expected: Torch's, one text at a time.
        allowed: The largest drift that is none.
    """
    texts = [judge.encoded(p, c) for p, c in zip(prompts, completions, strict=True)]
    drifting = [i for i in range(len(texts)) if not abs(found[i] - expected[i]) <= allowed]
    if not drifting:
        return []
    said = [
        f"It looks like {name}: against that the largest drift is {drift:.3g}."
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
    """Mistakes, and the rewards that they give, by text; of those that they are of."""
    plain = dict(enumerate(expected))
    for name, rewards in (
        ("", plain),
        *_other_tokens(judge, make, prompts, completions, texts),
    ):
        if name:
            yield name, rewards
        activated = {index: float(expit(reward)) for index, reward in rewards.items()}
        yield "a sigmoid over the rewards" + (f", and {name}" if name else ""), activated


def _other_tokens(
    judge: CheckpointJudge,
    make: Make,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    texts: Sequence[Tokens],
) -> Iterator[tuple[str, Mapping[int, float]]]:
    bos, eos = judge.encoder.bos_id, judge.tokenizer.eos_token_id
    most = judge.checkpoint.positions or math.inf
    if bos is not None:
        lost = {i: list(t)[1:] for i, t in enumerate(texts) if len(t) > 1 and next(iter(t)) == bos}
        yield "a BOS that is lost", _computed(judge, lost)
        doubled = {i: [bos, *t] for i, t in enumerate(texts) if len(t) < most}
        yield "a BOS that stands twice", _computed(judge, doubled)
    if eos is not None:
        closed = {i: [*t, eos] for i, t in enumerate(texts) if len(t) < most}
        yield "an EOS behind the text", _computed(judge, closed)
    other = "text" if judge.encoder.special_tokens == "parse" else "parse"
    name = {
        "parse": "control tokens that are made of what answers spell (`</s>`)",
        "text": "control tokens that are read as text",
    }[other]
    others = make(special_tokens=other)
    read = [others.encoded(p, c) for p, c in zip(prompts, completions, strict=True)]
    yield name, _computed(judge, {i: list(t) for i, t in enumerate(read) if t != texts[i]})


def _computed(judge: CheckpointJudge, texts: Mapping[int, list[int]]) -> dict[int, float]:
    return {i: judge.network.compute_alone(Tokens.of(ids)) for i, ids in texts.items()}


def _explained(
    found: Sequence[float], rewards: Mapping[int, float], drifting: Sequence[int]
) -> float:
    """The drift that is left of what drifted; infinite where a mistake is not of half of it."""
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
        return ["It looks like the right rewards in another order."]
    said = []
    agreeing = sorted(set(range(len(texts))) - set(drifting))
    shortest = min(len(texts[i]) for i in drifting)
    if agreeing and shortest > max(len(texts[i]) for i in agreeing):
        said.append(
            f"All that drift have {shortest} tokens or more, and all shorter ones agree: it looks "
            "like texts that are cut, or positions that are counted otherwise."
        )
    alike = _correlation(found, expected)
    if alike >= _ALIKE:
        said += _as_rounding(judge, make, prompts, completions, found, expected)
    if not said:
        said.append(
            f"It looks like no mistake that is known (correlation {alike:.3f}): is it the same "
            "checkpoint, and of the same revision?"
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
    """The dtype whose rounding is about as large as the drift, if there is one."""
    own, drift = str(judge.dtype).removeprefix("torch."), _spread(found, expected)
    best = (_LIKE_ROUNDING, "")
    for dtype in DTYPES:
        if dtype == own:
            continue
        try:
            rewards = make(dtype=dtype).score_one_at_a_time(prompts, completions)
        except UltrarmEvalError:
            # It does not fit beside the other, or the device has no such dtype.
            continue
        rounding = _spread(rewards, expected)
        if not 0 < rounding < math.inf:
            continue
        if dtype == _EXACT and _spread(found, rewards) > rounding / 5:
            # The engine is not nearer to the exact rewards than this dtype is.
            said = f"what {own} rounds: it drifts from {_EXACT} by {rounding:.3g}, the engine by"
        else:
            said = f"another dtype, {dtype}: it drifts by {rounding:.3g} here, the engine by"
        best = min(best, (max(drift / rounding, rounding / drift), said))
    if not best[1]:
        return []
    return [f"It looks like {best[1]} {drift:.3g} (root mean square)."]


def _spread(first: Sequence[float], second: Sequence[float]) -> float:
    squares = [(a - b) ** 2 for a, b in zip(first, second, strict=True)]
    return math.sqrt(statistics.fmean(squares))


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's correlation; 0 where one does not vary, or is no number."""
    if not all(map(math.isfinite, (*first, *second))):
        return 0.0
    of_first, of_second = statistics.fmean(first), statistics.fmean(second)
    a = [one - of_first for one in first]
    b = [one - of_second for one in second]
    norm = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
    if not norm or not math.isfinite(norm):
        return 0.0
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / norm
