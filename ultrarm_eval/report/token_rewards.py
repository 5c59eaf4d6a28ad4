"""The reward after each token of the answers that a report shows."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import TokenJudge
from ultrarm_eval.judges.loading import load_judge, require_token_judge, takes_setting
from ultrarm_eval.known_settings import identifying
from ultrarm_eval.report.pairs import LONGEST_TEXT, ShownPair, ShownText, SideTokens
from ultrarm_eval.runs.evaluation import Evaluation

logger = logging.getLogger(__name__)

# The most bytes of all tokens in a page, and about the bytes of each.
_MOST_BYTES = 4_000_000
_BYTES_OF_TOKEN = 40
# Relative tolerance for the same computation on other devices or in other batches, in float32.
_SLACK = 1e-3


def judge_of(evaluation: Evaluation, *, pretrained: str | None, device: str | None) -> TokenJudge:
    """Loads the judge that an evaluation's rewards are from.

    Args:
        evaluation: The evaluation.
        pretrained: Where its checkpoint is now; the place that the run names if None.
        device: The device; the judge's own choice if None.

    Raises:
        UltrarmEvalError: The results are not of a judge, or it cannot be loaded.
    """
    config = evaluation.newest.config
    name = config.get("judge")
    if name is None:
        raise ConfigurationError(
            f"{evaluation.label}: these results are not of a judge, so there are no token rewards. "
            "Omit --tokens."
        )
    settings = {
        key: config[key]
        for key in identifying(given=True)
        if config.get(key) is not None and takes_setting(str(name), key)
    }
    parity = settings.get("parity")
    if isinstance(parity, Mapping):
        # A parity preset sets the template and the lengths.
        own = ("revision", "peft", "peft_revision", "dtype", "quantization")
        settings = {key: value for key, value in settings.items() if key in own}
        settings["parity"] = parity.get("name")
    if pretrained is not None and Path(pretrained).is_dir():
        # A local folder has no revisions.
        settings.pop("revision", None)
    if device is not None:
        settings["device"] = device
    where = pretrained or config.get("pretrained")
    judge = load_judge(None if where is None else str(where), judge=str(name), **settings)
    return require_token_judge(judge, str(name))


def with_tokens(
    pairs: Sequence[ShownPair], judges: Mapping[str, TokenJudge], most: int
) -> list[ShownPair]:
    """The pairs, the first ones of each judge with the reward after each token.

    Warns where the last reward differs from the run's: another checkpoint, dtype or device.

    Args:
        pairs: The pairs.
        judges: Judges by label.
        most: The most pairs of each judge.
    """
    left = dict.fromkeys(judges, most)
    room = _MOST_BYTES // _BYTES_OF_TOKEN
    found = []
    for pair in pairs:
        shown = pair
        if _is_whole(pair) and room > 0 and left.get(pair.judge, 0):
            left[pair.judge] -= 1
            shown = _with_tokens(pair, judges[pair.judge])
            room -= sum(len(side.tokens) for side in shown.tokens or ())
        found.append(shown)
    if room <= 0:
        logger.warning(
            "--tokens: the page has room for the tokens of only %d pairs.",
            sum(pair.tokens is not None for pair in found),
        )
    for label in judges:
        _say_if_different(label, [pair for pair in found if pair.judge == label])
    return found


def _is_whole(pair: ShownPair) -> bool:
    return all(one.length <= LONGEST_TEXT for one in (*pair.prompt, pair.chosen, pair.rejected))


def _with_tokens(pair: ShownPair, judge: TokenJudge) -> ShownPair:
    prompt = [{"role": turn.name or "user", "content": turn.text} for turn in pair.prompt]
    sides = [_side(judge, prompt, text) for text in (pair.chosen, pair.rejected)]
    return dataclasses.replace(pair, tokens=(sides[0], sides[1]))


def _side(judge: TokenJudge, prompt: list[dict[str, str]], answer: ShownText) -> SideTokens:
    found = judge.rewards_after_tokens(prompt or None, answer.text)
    changes = [
        None if before is None or after is None else after - before
        for before, after in itertools.pairwise(found.rewards)
    ]
    start = found.completion_start
    tokens = found.tokens[start:]
    return SideTokens(
        tokens,
        found.rewards[start:],
        (None, *changes)[start:],
        # Truncation may have removed only tokens of the prompt.
        cut=found.truncated and answer.text.strip() not in "".join(tokens),
    )


def _say_if_different(label: str, pairs: Sequence[ShownPair]) -> None:
    differences = [
        (abs(last - reward), last, reward)
        for pair in pairs
        for side, reward in zip(pair.tokens or (), pair.rewards[label], strict=False)
        if side.rewards and (last := side.rewards[-1]) is not None
    ]
    if not differences:
        return
    difference, last, reward = max(differences)
    if difference > _SLACK * max(1.0, abs(reward)):
        logger.warning(
            "--tokens: the rewards of %s differ from those of its run (%.4f instead of %.4f). "
            "Check that the checkpoint is the same (--pretrained). In bfloat16 rewards also vary "
            "with the device and the batch.",
            label,
            last,
            reward,
        )
