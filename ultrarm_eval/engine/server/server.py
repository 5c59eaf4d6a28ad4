"""The state and load of one server."""

from __future__ import annotations

import enum

from ultrarm_eval.engine.server.protocol import ServerFacts, ServerProtocol


class State(enum.Enum):
    """Whether a server gets requests."""

    WORKS = "works"
    LEFT_OUT = "left out"
    REFUSED = "refused"


class Server:
    """A server and its state.

    Attributes:
        url: Its address.
        protocol: Its protocol.
        state: Whether it gets requests.
        facts: Its information about itself; None before it was reached.
        said: Its last error.
        failures: The number of failures in a row.
        suspect: The number of its implausible responses.
        requests: The number of its current requests.
        tokens: The tokens of those requests.
        limit: Its maximum number of concurrent requests.
        not_before: The end of the wait that it asked for.
        failed_at: When a failure was last counted: requests sent before are part of it.
        has_answered: Whether it has responded since it last rejected something.
        most_texts: The maximum number of texts per request, as far as known.
    """

    def __init__(self, protocol: ServerProtocol, limit: int) -> None:
        """Takes its protocol and its maximum number of concurrent requests."""
        self.protocol, self.url = protocol, protocol.client.url
        self.state, self.facts, self.said = State.LEFT_OUT, None, "not contacted yet"
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
        """Whether it accepts so many texts in a request."""
        return self.most_texts is None or texts <= self.most_texts

    def works(self, facts: ServerFacts) -> None:
        """Records that it has passed its checks.

        Args:
            facts: Its information about itself.
        """
        self.state, self.facts, self.failures = State.WORKS, facts, 0
        self.most_texts = facts.max_texts

    def succeeded(self) -> None:
        """Counts a response."""
        self.failures, self.has_answered = 0, True
        self.limit = min(float(self._most), self.limit + 1 / max(self.limit, 1.0))

    def slow_down(self) -> None:
        """Halves its limit after an overload."""
        self.limit = max(1.0, min(self.limit, float(self.requests)) / 2)
