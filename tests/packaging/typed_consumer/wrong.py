"""Uses the public API wrongly: each line is refused with the error that its comment names."""

import ultrarm_eval
from ultrarm_eval import Document, Judge, hookimpl, load_documents, load_judge, preference_accuracy
from ultrarm_eval import load_jugde  # refused: attr-defined


class Half:
    """A judge without settings and fingerprint."""

    def score(self, prompts: list[str], completions: list[str]) -> list[float]:
        """Gives nothing."""
        return []


@hookimpl
def register_judges(register: int) -> None:
    """Takes the wrong thing."""


load_judge(3)  # refused: arg-type
load_judge("demo").score([3], ["a"])  # refused: list-item
load_judge("demo").rewards  # refused: attr-defined
load_documents(3)  # refused: arg-type
load_documents("demo", gap=1)  # refused: call-arg
load_documents("demo")[0].completion  # refused: attr-defined
Document("What is blue?")  # refused: arg-type
half: Judge = Half()  # refused: assignment
preference_accuracy([], [], tie="half")  # refused: call-arg
preference_accuracy([], [["a"]])  # refused: list-item
register_judges("a")  # refused: arg-type
ultrarm_eval.load_jugde  # refused: attr-defined
