"""One server: whether it is given work, and how much it works on."""

from __future__ import annotations

import enum

from ultrarm_eval.engine.server.protocol import ServerFacts, ServerProtocol


class State(enum.Enum):
    """Whether a server is given work."""

    WORKS = "works"
    LEFT_OUT = "left out"
    REFUSED = "refused"


class Server:
    """A server, and how it does.

    Attributes:
        url: Its address.
        protocol: Speaks with it.
        state: Whether it is given work.
        facts: What it says of itself; None before it was reached.
        said: What went wrong with it last.
        failures: How often in a row.
        suspect: How many of its answers were none that a right server gives.
        requests: How many it works on.
        tokens: How many tokens those have.
        limit: How many requests it is given at once.
        not_before: Until when it asks to be left alone.
        failed_at: When a failure was last counted: what was sent before fails with it.
        has_answered: Whether it has answered since it was last seen to refuse something.
        most_texts: The most texts of a request, as far as is known.
    """

    def __init__(self, protocol: ServerProtocol, limit: int) -> None:
        """Takes how it is spoken to, and the most requests that it is given at once."""
        self.protocol, self.url = protocol, protocol.client.url
        self.state, self.facts, self.said = State.LEFT_OUT, None, "not asked yet"
        self.failures = self.suspect = self.requests = self.tokens = 0
        self._most, self.limit = limit, float(limit)
        self.not_before = self.failed_at = 0.0
        self.has_answered, self.most_texts = False, None

    facts: ServerFacts | None
    most_texts: int | None

    def is_free(self, now: float) -> bool:
        """Whether it can be given a request."""
        works = self.state is State.WORKS and now >= self.not_before
        return works and self.requests < max(1, int(self.limit))

    def has_room_for(self, texts: int) -> bool:
        """Whether it takes so many texts in a request."""
        return self.most_texts is None or texts <= self.most_texts

    def works(self, facts: ServerFacts) -> None:
        """It has passed its checks.

        Args:
            facts: What it says of itself.
        """
        self.state, self.facts, self.failures = State.WORKS, facts, 0
        self.most_texts = facts.max_texts

    def succeeded(self) -> None:
        """Counts an answer."""
        self.failures, self.has_answered = 0, True
        self.limit = min(float(self._most), self.limit + 1 / max(self.limit, 1.0))

    def slow_down(self) -> None:
        """It has too much to do: half of what it works on."""
        self.limit = max(1.0, min(self.limit, float(self.requests)) / 2)
