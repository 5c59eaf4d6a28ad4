"""Failures of requests to servers; each type is handled differently."""

from __future__ import annotations


class ServerFailure(Exception):  # noqa: N818 - a family, never raised itself
    """A request failed; the message explains why, without the server's address."""

    def __init__(self, message: str) -> None:
        """Takes the message without its last period, because it is put into other sentences."""
        super().__init__(message.removesuffix("."))


class UnreachableError(ServerFailure):
    """No connection, a broken one, or a timeout: the server gets no requests for a while."""


class FaultyError(ServerFailure):
    """An internal server error, or an invalid response: the server gets no requests for a while."""


class OverloadedError(ServerFailure):
    """The server is overloaded.

    Attributes:
        seconds: How long it asks to wait; None if it does not state that.
    """

    def __init__(self, message: str, seconds: float | None) -> None:
        """Takes how long it asks to wait."""
        super().__init__(message)
        self.seconds = seconds


class RequestRefusedError(ServerFailure):
    """The server rejects a request: one of the texts may be the reason.

    Attributes:
        is_too_large: Whether it is the size of the request.
    """

    def __init__(self, message: str, *, is_too_large: bool = False) -> None:
        """Takes whether the request is too large."""
        super().__init__(message)
        self.is_too_large = is_too_large


class ImplausibleAnswerError(ServerFailure):
    """A response has values that cannot be right: none of it is used."""


class UnusableServerError(ServerFailure):
    """The server can never compute these rewards, for example because it serves another model."""
