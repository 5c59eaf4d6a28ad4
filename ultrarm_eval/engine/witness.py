"""What an engine gave for texts of its own: whether a later run's is the same model.

The weights of a judge are in its fingerprint, but those that a server computes with are not seen:
the same name may stand for another model tomorrow. So a score store keeps what the servers gave for
the engine's probes, beside the rewards, and who adds to it has to give the same.
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
    """The values of an engine's own texts.

    Attributes:
        texts: Tells these texts from others.
        values: Their values.
        tolerance: How far another value of the same text may be from it.
    """

    texts: str
    values: Sequence[float]
    tolerance: float

    @property
    def key(self) -> bytes:
        """What a score store knows it by; no text is known by such bytes."""
        return f"{_FORMAT}:{self.texts}".encode()

    def to_json(self) -> str:
        """As a score store keeps it."""
        return json.dumps({"format": _FORMAT, **vars(self), "values": list(self.values)})

    @classmethod
    def from_json(cls, written: str) -> Witness | None:
        """Reads one; None for anything else."""
        try:
            found = json.loads(written)
            if not isinstance(found, dict) or found.pop("format", None) != _FORMAT:
                return None
            return cls(**found)
        except (TypeError, ValueError, RecursionError):
            return None

    def difference(self, other: Witness) -> str | None:
        """In what two witnesses contradict each other, in words; None if they do not."""
        allowed = max(self.tolerance, other.tolerance)
        apart = [abs(a - b) for a, b in zip(self.values, other.values, strict=False)]
        if len(self.values) == len(other.values) and all(one <= allowed for one in apart):
            return None
        most = max(range(len(apart)), key=apart.__getitem__, default=None)
        if most is None:
            return "values of other texts"
        return (
            f"{self.values[most]:.6g} and {other.values[most]:.6g} for one text (at most "
            f"{allowed:.2g} is rounding)"
        )


def require_same_model(store: ScoreStore, witness: Witness) -> None:
    """Refuses to add to a store whose rewards are of another model; a new store keeps the witness.

    Args:
        store: The store.
        witness: What the engine gave.

    Raises:
        ConfigurationError: The store's rewards are of another model, precision or activation.
    """
    try:
        known = store.find_details([witness.key]).get(witness.key)
        former = None if known is None else Witness.from_json(known)
        if former is None:
            store.add_details({witness.key: witness.to_json()})
            return
    except ScoreStoreError:
        # Said where rewards are to be stored: the run goes on without it.
        return
    difference = former.difference(witness)
    if difference is not None:
        raise ConfigurationError(
            f"score_store={store.path}: what computes now is another model, or in another "
            f"precision, than what computed its rewards under the same name: {difference}. Serve "
            "the checkpoint of pretrained as before, or give another file."
        )
