"""An engine's values of its probe texts, which show whether a later run uses the same model.

The weights of a judge are part of its fingerprint, but the weights on a server are not visible: the
same name may stand for another model tomorrow. So a score store keeps the servers' values of the
probes with the rewards, and later runs have to match them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import ConfigurationError, ScoreStoreError

_FORMAT = "ultrarm_eval.witness/1"


@dataclass(frozen=True)
class Witness:
    """An engine's values of its probe texts.

    Attributes:
        texts: Identifies the texts.
        values: Their values.
        tolerance: The allowed deviation of another value of the same text.
    """

    texts: str
    values: Sequence[float]
    tolerance: float

    @property
    def key(self) -> bytes:
        """Its key in a score store; no text has such a key."""
        return f"{_FORMAT}:{self.texts}".encode()

    def to_json(self) -> str:
        """Its form in a score store."""
        return json.dumps({"format": _FORMAT, **vars(self), "values": list(self.values)})

    @classmethod
    def from_json(cls, written: str) -> Witness | None:
        """Parses a witness; None for anything else."""
        try:
            found = json.loads(written)
            if not isinstance(found, dict) or found.pop("format", None) != _FORMAT:
                return None
            return cls(**found)
        except (TypeError, ValueError, RecursionError):
            return None

    def difference(self, other: Witness) -> str | None:
        """How two witnesses contradict each other, in words; None if they do not."""
        allowed = max(self.tolerance, other.tolerance)
        apart = [abs(a - b) for a, b in zip(self.values, other.values, strict=False)]
        if len(self.values) == len(other.values) and all(one <= allowed for one in apart):
            return None
        most = max(range(len(apart)), key=apart.__getitem__, default=None)
        if most is None:
            return "values of different texts"
        return (
            f"{self.values[most]:.6g} and {other.values[most]:.6g} for one text (rounding "
            f"explains at most {allowed:.2g})"
        )


def require_same_model(store: ScoreStore, witness: Witness) -> None:
    """Refuses to add to a store with rewards of another model; a new store keeps the witness.

    Args:
        store: The store.
        witness: The engine's witness.

    Raises:
        ConfigurationError: The store has rewards of another model, precision or activation.
    """
    try:
        known = store.find_details([witness.key]).get(witness.key)
        former = None if known is None else Witness.from_json(known)
        if former is None:
            store.add_details({witness.key: witness.to_json()})
            return
    except ScoreStoreError:
        # Logged when rewards are stored: the run continues without it.
        return
    difference = former.difference(witness)
    if difference is not None:
        raise ConfigurationError(
            f"score_store={store.path}: its rewards were computed with another model or precision "
            f"under the same name: {difference}. Serve the checkpoint of pretrained as before, or "
            "give another file."
        )
