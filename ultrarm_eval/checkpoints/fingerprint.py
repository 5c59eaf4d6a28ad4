"""Hashes everything that a judge's rewards depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint

_QUICK_TO_HASH = 4 * 1024**3


class Fingerprint:
    """Identifies weights and settings; the weights are hashed on first use."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: Mapping[str, Any],
        others: Mapping[str, Checkpoint] | None = None,
    ) -> None:
        """Remembers what to identify.

        Args:
            checkpoint: The weights.
            settings: The settings that rewards depend on.
            others: Further weights that they depend on, by name.
        """
        self._checkpoint = checkpoint
        self._settings = dict(settings)
        self._others = dict(others or {})
        self._digest: str | None = None
        self._other_digests: dict[str, str] = {}

    def parts(self) -> dict[str, Any]:
        """All that the digest identifies."""
        if self._digest is None:
            self._digest = self._checkpoint.digest()
        for name, checkpoint in self._others.items():
            if name not in self._other_digests:
                self._other_digests[name] = checkpoint.digest()
        return {"weights": self._digest, **self._other_digests, **self._settings}

    def digest(self) -> str:
        """The hash of all parts."""
        return hashlib.sha256(json.dumps(self.parts(), sort_keys=True).encode()).hexdigest()

    def known_digest(self) -> str | None:
        """The hash of all parts; None if it would read many gigabytes only for a report."""
        others = (c for name, c in self._others.items() if name not in self._other_digests)
        is_quick = self.known_weights() is not None and all(map(_is_quick_to_hash, others))
        return self.digest() if is_quick else None

    def known_weights(self) -> str | None:
        """The weights' hash; None if it would read many gigabytes only for a report."""
        if self._digest is None and _is_quick_to_hash(self._checkpoint):
            self._digest = self._checkpoint.digest()
        return self._digest


def _is_quick_to_hash(checkpoint: Checkpoint) -> bool:
    size = checkpoint.weight_bytes(checkpoint.stored_dtype)
    return bool(checkpoint.commit) or size < _QUICK_TO_HASH
