"""Finding texts that a judge cannot score, by the places that their user knows them by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ultrarm_eval.errors import UnwritableTextError
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.messages import Prompt


def check_texts(judge: Judge, texts: Iterable[tuple[Prompt, str, object]]) -> None:
    """Has a judge look at all texts before the first is scored, if it can.

    Args:
        judge: Any judge; those with a method `check` can.
        texts: Prompt and completion of each text, and where it is from.

    Raises:
        UnwritableTextError: The judge's template refuses a prompt; it says where that stands.
        UltrarmEvalError: A prompt or a completion is none.
    """
    check = getattr(judge, "check", None)
    if not callable(check):
        return
    for prompt, completion, where in texts:
        _check(check, prompt, completion, where)


@contextmanager
def texts_from(places: Sequence[object]) -> Iterator[None]:
    """Says of a text that cannot be written where it is from, and not which of the texts it is.

    Args:
        places: Where each of the texts is from that are scored, planned or checked inside.

    Raises:
        UnwritableTextError: A template refuses a text.
    """
    try:
        yield
    except UnwritableTextError as error:
        raise error.of(places[error.text]) from error


def _check(check: Callable[..., None], prompt: Prompt, completion: str, where: object) -> None:
    try:
        check([prompt], [completion])
    except UnwritableTextError as error:
        raise error.of(where) from error
