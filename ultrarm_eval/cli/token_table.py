"""The reward after each token as a readable table: number, token, reward, change, bar."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.terminal import aligned, printable, shortened, width

_DIGITS = 4
_HALF = 10
_LONGEST_TOKEN = 24
_PART = "⋯"
_NOTHING = "-"
_MOST_CUT = 4
_FULL, _LEFT_HALF, _RIGHT_HALF, _AXIS = "█", "▌", "▐", "│"
_BEYOND = ("◂", "▸")


def token_table(found: TokenRewards) -> str:
    """The table: one line per token, a rule where the completion starts, and the reward.

    A bar shows how much the token changed the reward: left of the axis down, right of it up. The
    bars are scaled to the completion's largest change; larger ones before it are cut off.

    Args:
        found: The rewards.
    """
    changes = _changes(found.rewards)
    # A completion that changes next to nothing does not blow up what comes before it.
    least = _largest(changes) / _MOST_CUT
    largest = max(_largest(changes[found.completion_start :]), least)
    rows = [("#", "token", "reward", "change")]
    for number, token in enumerate(found.tokens, start=1):
        reward, change = found.rewards[number - 1], changes[number - 1]
        shown = shortened(printable(token, show_spaces=True) or _PART, _LONGEST_TOKEN)
        written = _NOTHING if reward is None else f"{reward:.{_DIGITS}f}"
        rows.append((str(number), shown, written, "" if change is None else _signed(change)))
    head, *lines = aligned(rows, texts=(1,)).split("\n")
    axis = max(map(width, (head, *lines))) + 2
    lines = [
        f"{line}{' ' * (axis - width(line))}{_bar(change, largest)}"
        for line, change in zip(lines, changes, strict=True)
    ]
    is_empty = found.completion_start == len(lines)
    words = "completion (empty)" if is_empty else "completion"
    rule = f"── {words} ".ljust(axis + 2 * _HALF + 1, "─")
    lines.insert(found.completion_start, rule)
    lines = [head, *lines, *_legend(found, changes, largest), f"reward {found.reward:.6f}"]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _changes(rewards: Sequence[float | None]) -> list[float | None]:
    """The change caused by each token; None if there is no reward before it."""
    pairs = pairwise(rewards)
    return [None, *(None if a is None or b is None else b - a for a, b in pairs)]


def _largest(changes: Sequence[float | None]) -> float:
    return max((abs(change) for change in changes if change is not None), default=0.0)


def _signed(change: float) -> str:
    # Adding zero makes a negative zero a positive one.
    return f"{round(change, _DIGITS) + 0.0:+.{_DIGITS}f}"


def _halves(change: float | None, largest: float) -> int:
    """The bar's length in half blocks, before it is cut off."""
    return round(2 * _HALF * abs(change) / largest) if change and largest else 0


def _bar(change: float | None, largest: float) -> str:
    halves = _halves(change, largest)
    full, half = divmod(min(halves, 2 * _HALF), 2)
    is_up = change is not None and change > 0
    blocks = _FULL * full
    if halves > 2 * _HALF:
        blocks = blocks[1:] + _BEYOND[1] if is_up else _BEYOND[0] + blocks[1:]
    if is_up:
        return " " * _HALF + _AXIS + blocks + _LEFT_HALF * half
    return (_RIGHT_HALF * half + blocks).rjust(_HALF) + _AXIS


def _legend(found: TokenRewards, changes: Sequence[float | None], largest: float) -> list[str]:
    said = []
    if largest:
        said.append(f"{_FULL} is a change of {largest / _HALF:.2g}")
    if any(_halves(change, largest) > 2 * _HALF for change in changes):
        said.append(f"{_BEYOND[0]} and {_BEYOND[1]} mark bars that are cut off")
    if "" in found.tokens:
        said.append(f"{_PART} is part of a character that a later token completes")
    return [f"{'; '.join(said)}."] if said else []
