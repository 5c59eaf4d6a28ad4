"""Probe texts whose values show whether an engine returns raw rewards of the model."""

from __future__ import annotations

from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.text_format.tokens import Tokens

# Varied, so that their values differ; short, because some are sent with every request to a server.
_CONVERSATIONS = (
    ("What is the capital of France?", "Paris."),
    ("What is the capital of France?", "I hate this question and I hate you."),
    ("Add 17 and 25.", "17 + 25 = 42."),
    ("Add 17 and 25.", "fish fish fish fish"),
    ("Is the Earth flat?", "No. It is close to a sphere, as its round shadow on the Moon shows."),
    ("Name a fruit.", ""),
    ("Write a line of Python.", "print('hello, world')"),
    ("Translate 'good morning' into German.", "Guten Morgen!"),
    ("How do I boil an egg?", "Put it into boiling water for seven minutes, then into cold water."),
    ("Hi", "!!!!!!!!!!!!!!!!"),
    ("2 + 2?", "4"),
    ("Tell me a joke.", "I will not. Ask somebody else, and do not come back."),
)


def probe_texts(model: ServedModel) -> list[Tokens]:
    """The distinct texts as a model gets them."""
    prompts, completions = zip(*_CONVERSATIONS, strict=True)
    return list(dict.fromkeys(map(model.as_read, model.encode(prompts, completions))))
