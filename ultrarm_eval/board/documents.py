"""Which results of a task are over the same documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.board.entry import Entry


@dataclass(frozen=True)
class Documents:
    """Documents over which a task's results are compared.

    Attributes:
        number: How many there are, where it is known.
        digest: Their digest, where it is known.
    """

    number: int | None
    digest: str | None

    def are_others(self, entry: Entry) -> bool:
        """Whether a result is over other documents than these, as far as is known."""
        by_digest = None not in (self.digest, entry.data_digest) and (
            self.digest != entry.data_digest
        )
        by_number = None not in (self.number, entry.documents) and self.number != entry.documents
        return by_digest or by_number


def compared_documents(entries: Sequence[Entry]) -> Documents:
    """The documents that most whole results are over; of several, those that are more.

    A result over other documents answers another question, and is not ranked among these.
    """
    whole = [entry for entry in entries if not entry.partial]
    of_all = Counter((entry.data_digest, entry.documents) for entry in whole)
    # Without any digest their number is all that tells.
    known = {pair: n for pair, n in of_all.items() if pair[0] is not None} or of_all
    if not known:
        return Documents(None, None)
    (digest, number), _ = max(known.items(), key=lambda item: (item[1], item[0][1] or 0, str(item)))
    return Documents(number, digest)
