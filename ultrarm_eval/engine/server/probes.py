"""Texts whose values show that a server gives raw rewards of one model, in the order of the texts.

A server is asked for all of them when it is checked, and each request after that carries some, in
random places. What these show of every answer before any of it is used: another model behind the
same address, an activation that was switched on, a precision that was changed, values in another
order. A shuffle of n texts and k probes goes unseen only if it leaves each of the k where it was:
once in (n + k)! / n! times, 10^5 for 4 texts and over 10^18 for 64. What
goes unseen more often is an exchange of two single values, which no server is known to do: it is
found at the rate of the probes' share.

The cost is k texts of about twenty tokens beside up to 64 texts of hundreds, under one percent; the
tokens that all of them begin with are in a server's prefix cache.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import expit

from ultrarm_eval.engine.server.failures import ImplausibleAnswerError, UnusableServerError
from ultrarm_eval.engine.server.protocol import SentText
from ultrarm_eval.engine.witness import Witness

# How far a value may be from that of the start, as a share of how far the values of different
# texts lie apart: rounding depends on what is computed beside a text.
_ROUNDING = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 6e-2}
# Above this share, a value says too little of which text it belongs to.
_MOST = 1 / 8
# What is allowed over the rounding that was seen at the start.
_MARGIN = 4
# A request carries so many probes, and one more for so many texts; a single text has no order.
_PROBES, _TEXTS_FOR_ONE = 6, 16
_PROBES_OF_ONE = 2
# A constant, up to rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Measured:
    """The values that a server gave for the probes.

    Attributes:
        values: Of all of them in one request.
        again: Of the same in another order.
        activated: With the model's activation; None where a request cannot ask for it.
    """

    values: tuple[float, ...]
    again: tuple[float, ...]
    activated: tuple[float, ...] | None

    @property
    def drift(self) -> float:
        """The largest difference between two values of the same text."""
        return max(abs(a - b) for a, b in zip(self.values, self.again, strict=True))


@dataclass(frozen=True)
class Reference:
    """What the probes' values are.

    Attributes:
        texts: The probes.
        values: Their values.
        tolerance: How far another value of the same text may be from it.
        riders: Which of them go along with requests: their values lie further apart than that.
    """

    texts: tuple[SentText, ...]
    values: tuple[float, ...]
    tolerance: float
    riders: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[SentText], measured: Sequence[Measured], dtype: str) -> Reference:
        """What servers gave, which were checked one by one.

        Args:
            texts: The probes.
            measured: Of each server.
            dtype: What they compute in.
        """
        values = measured[0].values
        spread = max(values) - min(values)
        drift = max(one.drift for one in measured)
        scale = max(spread, max(map(abs, values)) / 4)
        tolerance = min(max(_ROUNDING[dtype] * scale, _MARGIN * drift), _MOST * spread)
        # The shortest first, each with a value of its own.
        riders: list[int] = []
        for index in sorted(range(len(texts)), key=lambda i: len(texts[i].ids)):
            if all(abs(values[index] - values[other]) > 2 * tolerance for other in riders):
                riders.append(index)
        return cls(tuple(texts), values, tolerance, tuple(riders))

    def witness(self) -> Witness:
        """The same for a score store."""
        written = json.dumps([text.ids for text in self.texts])
        return Witness(hashlib.sha256(written.encode()).hexdigest(), self.values, self.tolerance)

    def choose(self, texts: int) -> list[int]:
        """Which probes go along with so many texts, at random."""
        return random.sample(self.riders, self.riding(texts))

    def riding(self, texts: int) -> int:
        """How many probes go along with so many texts."""
        most = _PROBES_OF_ONE if texts == 1 else _PROBES + texts // _TEXTS_FOR_ONE
        return min(len(self.riders), most)

    def require(self, probes: Sequence[int], values: Sequence[float]) -> None:
        """Refuses values of probes that are others than at the start.

        Args:
            probes: Which probes.
            values: What was answered for them.

        Raises:
            ImplausibleAnswerError: One is another.
        """
        for probe, value in zip(probes, values, strict=True):
            known = self.values[probe]
            # A NaN is near nothing.
            if not abs(value - known) <= self.tolerance:
                raise ImplausibleAnswerError(
                    f"a text whose value was {known:.6g} has {value:.6g} now (at most "
                    f"{self.tolerance:.2g} is rounding): {_what_changed(self, probes, values)}"
                )


def _what_changed(reference: Reference, probes: Sequence[int], values: Sequence[float]) -> str:
    known = [reference.values[probe] for probe in probes]
    near = reference.tolerance
    if _near([float(expit(one)) for one in known], values, near):
        return "it applies a sigmoid"
    if len(known) > 1 and _near(sorted(known), sorted(values), near):
        return "its values are in another order than the texts"
    return "another model, another precision, or values in another order than the texts"


def require_steady(measured: Measured) -> None:
    """Refuses a server that gives one text various values, or texts' values in another order.

    Raises:
        UnusableServerError: It does.
    """
    values, again = measured.values, measured.again
    if not all(map(math.isfinite, (*values, *again))):
        raise UnusableServerError(
            f"it gives {next(v for v in (*values, *again) if not math.isfinite(v))} for a short "
            "text. Weights or activations overflowed: serve the model in bfloat16 or float32 "
            "rather than float16, and check that the checkpoint is undamaged."
        )
    _require_various(values)
    spread = max(values) - min(values)
    if measured.drift > _MOST * spread:
        order = _near(sorted(values), sorted(again), _MOST * spread / 4)
        what = (
            "values in another order than the texts"
            if order
            else "the same text other values when it is asked again"
        )
        raise UnusableServerError(
            f"it gives {what}: they differ by {measured.drift:.3g}, and those of different texts "
            f"by {spread:.3g} at most. What stands between, such as a proxy or a cache, may mix "
            "answers; else serve the model in a larger dtype."
        )


def _require_various(values: Sequence[float]) -> None:
    largest = max(map(abs, values))
    if all(value == 1.0 for value in values):
        what = "1 for every text: a softmax of a single label"
    elif all(abs(abs(value) - 1.0) < _CONSTANT for value in values):
        what = "1 or -1 for every text: a normalised embedding"
    elif max(values) - min(values) <= _CONSTANT * max(largest, _CONSTANT):
        what = f"{values[0]:.6g} for {len(values)} different texts"
    else:
        return
    raise UnusableServerError(
        f"it gives {what}. That is no reward: serve the model for classification, with its head, "
        "and without an activation."
    )


def require_raw(measured: Measured) -> None:
    """Refuses a server whose values are not shown to be raw.

    A value outside of 0 to 1 is none of a sigmoid. Where all are inside, the server's own activated
    values prove it: they are the sigmoid of raw ones, and not these themselves.

    Raises:
        UnusableServerError: They may have gone through a sigmoid.
    """
    values, activated = measured.values, measured.activated
    if any(not 0.0 <= value <= 1.0 for value in values):
        return
    if activated is not None:
        near = max(measured.drift * _MARGIN, 1e-3)
        if _near([float(expit(value)) for value in values], activated, near) and not _near(
            values, activated, near
        ):
            return
        if all(one == 1.0 for one in activated):
            return
    raise UnusableServerError(
        f"all its values of {len(values)} texts lie between 0 and 1, as those of a sigmoid do, and "
        "asked for raw ones it gives the same as for others. Serve the model so that its rewards "
        'are raw: with problem_type="regression" in its config.json, or with vLLM\'s '
        "--pooler-config '{\"use_activation\": false}', or by a newer version of the server."
    )


def require_agreement(known: Reference, at: str, measured: Measured, name: str) -> None:
    """Refuses a server whose values are not those that are known.

    Args:
        known: What the probes' values are.
        at: Where they are from, for the message.
        measured: What this server gave.
        name: What the message calls it.

    Raises:
        UnusableServerError: They differ.
    """
    apart = [abs(a - b) for a, b in zip(known.values, measured.values, strict=True)]
    most = max(range(len(apart)), key=apart.__getitem__)
    if apart[most] > known.tolerance:
        raise UnusableServerError(
            f"{name} gives {measured.values[most]:.6g} for a text that has {known.values[most]:.6g}"
            f" by {at} (at most {known.tolerance:.2g} is rounding): "
            f"{_what_changed(known, range(len(apart)), measured.values)}"
        )


def _near(some: Sequence[float], others: Sequence[float], tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(some, others, strict=True))
