"""Probe texts, whose values show that a server returns raw rewards of one model, in order.

A server gets all of them when it is checked, and each later request contains some, in random
places. Before any value of a response is used, they reveal another model behind the same address,
an activation that was switched on, another precision, or values in another order.

A shuffle of n texts and k probes goes undetected only if it leaves each of the k in its place:
once in (n + k)! / n! times, 10^5 for 4 texts and over 10^18 for 64. A swap of two single values is
detected less often, at the rate of the probes' share; no server is known to do that. The cost is k
texts of about twenty tokens in addition to up to 64 texts of hundreds, under one percent; their
common prefix is in a server's prefix cache.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import expit

from ultrarm_eval.engine.raw_rewards import why_not_raw
from ultrarm_eval.engine.server.failures import ImplausibleAnswerError, UnusableServerError
from ultrarm_eval.engine.server.protocol import SentText
from ultrarm_eval.engine.witness import Witness

# The allowed deviation of a value from that at the start, as a fraction of the spread between
# different texts: rounding depends on the other texts in a batch.
_ROUNDING = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 6e-2}
# Above this fraction, a value does not identify its text.
_MOST = 1 / 8
# The allowed factor over the rounding observed at the start.
_MARGIN = 4
# The number of probes per request, and texts per additional probe; a single text has no order.
_PROBES, _TEXTS_FOR_ONE = 6, 16
_PROBES_OF_ONE = 2
# A constant, up to rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Measured:
    """A server's values of the probes.

    Attributes:
        values: All of them in one request.
        again: The same in another order.
        activated: With the model's activation; None if a request cannot switch it on.
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
    """The reference values of the probes.

    Attributes:
        texts: The probes.
        values: Their values.
        tolerance: The allowed deviation of another value of the same text.
        riders: The probes sent with requests: their values differ by more than the tolerance.
    """

    texts: tuple[SentText, ...]
    values: tuple[float, ...]
    tolerance: float
    riders: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[SentText], measured: Sequence[Measured], dtype: str) -> Reference:
        """The reference from the values of servers that were checked one by one.

        Args:
            texts: The probes.
            measured: The values of each server.
            dtype: The dtype of the servers.
        """
        values = measured[0].values
        spread = max(values) - min(values)
        drift = max(one.drift for one in measured)
        scale = max(spread, max(map(abs, values)) / 4)
        tolerance = min(max(_ROUNDING[dtype] * scale, _MARGIN * drift), _MOST * spread)
        # The shortest first, each with a different value.
        riders: list[int] = []
        for index in sorted(range(len(texts)), key=lambda i: len(texts[i].ids)):
            if all(abs(values[index] - values[other]) > 2 * tolerance for other in riders):
                riders.append(index)
        return cls(tuple(texts), values, tolerance, tuple(riders))

    def witness(self) -> Witness:
        """The same values for a score store."""
        written = json.dumps([text.ids for text in self.texts])
        return Witness(hashlib.sha256(written.encode()).hexdigest(), self.values, self.tolerance)

    def choose(self, texts: int) -> list[int]:
        """A random choice of probes for a request with so many texts."""
        return random.sample(self.riders, self.riding(texts))

    def riding(self, texts: int) -> int:
        """The number of probes in a request with so many texts."""
        most = _PROBES_OF_ONE if texts == 1 else _PROBES + texts // _TEXTS_FOR_ONE
        return min(len(self.riders), most)

    def require(self, probes: Sequence[int], values: Sequence[float]) -> None:
        """Rejects probe values that differ from those at the start.

        Args:
            probes: Which probes.
            values: Their values in the response.

        Raises:
            ImplausibleAnswerError: A value differs.
        """
        for probe, value in zip(probes, values, strict=True):
            known = self.values[probe]
            # Written so that a NaN fails, too.
            if not abs(value - known) <= self.tolerance:
                raise ImplausibleAnswerError(
                    f"the value of a probe changed from {known:.6g} to {value:.6g} (rounding "
                    f"explains at most {self.tolerance:.2g}): "
                    f"{_what_changed(self, probes, values)}"
                )


def _what_changed(reference: Reference, probes: Sequence[int], values: Sequence[float]) -> str:
    known = [reference.values[probe] for probe in probes]
    near = reference.tolerance
    if _near([float(expit(one)) for one in known], values, near):
        return "it applies a sigmoid"
    if len(known) > 1 and _near(sorted(known), sorted(values), near):
        return "its values are in another order than the texts"
    return "another model or precision, or values in another order than the texts"


def require_steady(measured: Measured) -> None:
    """Rejects a server with varying values for one text, or values in another order.

    Raises:
        UnusableServerError: Its values vary, or are in another order.
    """
    values, again = measured.values, measured.again
    if not all(map(math.isfinite, (*values, *again))):
        raise UnusableServerError(
            f"it returns {next(v for v in (*values, *again) if not math.isfinite(v))} for a short "
            "text. Weights or activations overflowed: serve the model in bfloat16 or float32 "
            "instead of float16, and check that the checkpoint is not damaged."
        )
    _require_various(values)
    spread = max(values) - min(values)
    if measured.drift > _MOST * spread:
        order = _near(sorted(values), sorted(again), _MOST * spread / 4)
        what = (
            "values in another order than the texts"
            if order
            else "different values for the same text"
        )
        raise UnusableServerError(
            f"it returns {what}: they differ by {measured.drift:.3g}, while values of different "
            f"texts differ by at most {spread:.3g}. A proxy or cache in between may mix up "
            "responses; otherwise serve the model in a more precise dtype."
        )


def _require_various(values: Sequence[float]) -> None:
    largest = max(map(abs, values))
    if all(value == 1.0 for value in values):
        what = "1 for every text, the softmax of a single label"
    elif all(abs(abs(value) - 1.0) < _CONSTANT for value in values):
        what = "1 or -1 for every text, a normalized embedding"
    elif max(values) - min(values) <= _CONSTANT * max(largest, _CONSTANT):
        what = f"{values[0]:.6g} for {len(values)} different texts"
    else:
        return
    raise UnusableServerError(
        f"it returns {what}. That is not a reward. Serve the model for classification, with its "
        "head, and without an activation."
    )


def require_raw(measured: Measured) -> None:
    """Rejects a server whose values are not proven to be raw; see `why_not_raw`.

    Raises:
        UnusableServerError: A sigmoid may have been applied to them.
    """
    why = why_not_raw(measured.values, measured.again, measured.activated)
    if why is not None:
        raise UnusableServerError(
            f"{why}. Serve the model with raw rewards: set "
            'problem_type="regression" in its config.json, use vLLM\'s --pooler-config '
            "'{\"use_activation\": false}', or use a newer version of the server."
        )


def require_agreement(known: Reference, at: str, measured: Measured, name: str) -> None:
    """Rejects a server whose values differ from the reference.

    Args:
        known: The reference values of the probes.
        at: Their source, for the message.
        measured: This server's values.
        name: The server's name in the message.

    Raises:
        UnusableServerError: They differ.
    """
    apart = [abs(a - b) for a, b in zip(known.values, measured.values, strict=True)]
    most = max(range(len(apart)), key=apart.__getitem__)
    if apart[most] > known.tolerance:
        raise UnusableServerError(
            f"{name} returns {measured.values[most]:.6g} for a probe whose value is "
            f"{known.values[most]:.6g} according to {at} (rounding explains at most "
            f"{known.tolerance:.2g}): {_what_changed(known, range(len(apart)), measured.values)}"
        )


def _near(some: Sequence[float], others: Sequence[float], tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(some, others, strict=True))
