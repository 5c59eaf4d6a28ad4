"""What can go wrong with a request to a server: each kind is answered in another way."""

from __future__ import annotations


class ServerFailure(Exception):  # noqa: N818 - a family, never raised itself
    """A request did not give what it should; the message says why, without the server's address."""


class UnreachableError(ServerFailure):
    """No connection, one that was cut, or no answer in time: the server is left out for a while."""


class FaultyError(ServerFailure):
    """An error of the server's own, or an answer that cannot be read: likewise."""


class OverloadedError(ServerFailure):
    """The server has too much to do.

    Attributes:
        seconds: How long it asks to be left alone; None if it does not say.
    """

    def __init__(self, message: str, seconds: float | None) -> None:
        """Says how long it asks for."""
        super().__init__(message)
        self.seconds = seconds


class RequestRefusedError(ServerFailure):
    """The server refuses what was sent: one of the texts may be the reason.

    Attributes:
        is_too_large: Whether it is the size of the request.
    """

    def __init__(self, message: str, *, is_too_large: bool = False) -> None:
        """Says whether it is too large."""
        super().__init__(message)
        self.is_too_large = is_too_large


class ImplausibleAnswerError(ServerFailure):
    """An answer has values that cannot be right: none of it is used."""


class UnusableServerError(ServerFailure):
    """The server cannot give these rewards, and will not do so later: another model, say."""
