"""Texts, and stores of their rewards."""

from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.text_format.tokens import Tokens


def identity(ids):
    return Tokens.of(ids).identity


TEXTS = [identity((1, 2, 3)), identity((1, 2)), identity((4,))]
ONE, TWO, OTHER = identity((1,)), identity((2,)), identity((9,))
PROMPTS = [f"question {i}" for i in range(12)]
ANSWERS = [f"answer {i}" for i in range(12)]


def opened(path, fingerprint="a"):
    return ScoreStore(path, fingerprint, {"template": "raw"})
