"""Prompt and completion as an encoder's text pair."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message, Prompt, as_plain_text
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

PAIR_TEMPLATE = "pair"
_TWO = 2


def pair_template(tokenizer: Any) -> Template:
    """The template that writes prompt and completion as ``tokenizer(prompt, completion)`` does.

    OpenAssistant's DeBERTa reward models are used in this way (see their model cards).

    Args:
        tokenizer: The tokenizer.

    Raises:
        ConfigurationError: The tokenizer writes no separator between two texts.
    """
    ids, start, middle, last, after_second = _places(tokenizer)
    separator, closing = ids[middle:last], ids[after_second:]
    opening, between, after = (
        "".join(tokenizer.convert_ids_to_tokens(part)) for part in (ids[:start], separator, closing)
    )

    def render(messages: Sequence[Message], completion: str) -> str:
        return f"{opening}{as_plain_text(messages)}{between}{completion}{after}"

    source = f"{PAIR_TEMPLATE}: {opening}, {between}, {after}"
    return Template(PAIR_TEMPLATE, render, writes_special_tokens=True, source=source)


def reads_token_types(tokenizer: Any, network: Any) -> bool:
    """Whether a model needs token types (`token_type_ids`) for the second of two texts.

    Args:
        tokenizer: The tokenizer.
        network: The model, on any device.

    Raises:
        ConfigurationError: The token types are not 0 for the first text and 1 for the second, each
            with the separator after it.
    """
    if "token_type_ids" not in inspect.signature(network.forward).parameters:
        return False
    kinds = getattr(network.config, "type_vocab_size", None)
    if kinds is not None and kinds < _TWO:
        return False
    alone = list(tokenizer("a").get("token_type_ids") or ())
    both = list(tokenizer("a", "b").get("token_type_ids") or ())
    if not any(alone) and not any(both):
        return False
    try:
        _, _, _, last, _ = _places(tokenizer)
    except ConfigurationError:
        last = 0
    if any(alone) or both != [int(index >= last) for index in range(len(both))]:
        raise ConfigurationError(
            f"The tokenizer gives one text the token types {alone}, and two texts {both}. Only 0 "
            "for the first and 1 for the second text, as in BERT, are supported, so no template "
            "supports this model."
        )
    return True


class PairEncoder(TextEncoder):
    """Encodes prompt and completion as two texts; a completion without a prompt is one text."""

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[str], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        # Not yet truncated: the beginning of the second text has to be found first.
        wholes = list(super()._encode_batch(prompts, completions, numbers))
        conversations = [self._renderer.messages(prompt) for prompt in prompts]
        before = [self._renderer.before(turns)[0] for turns in conversations if turns]
        lengths = iter([len(ids) for ids in self._tokens.encode(before)])
        for whole, messages in zip(wholes, conversations, strict=True):
            yield self._paired(whole, next(lengths) if messages else len(whole.tokens))

    def _most_tokens(self) -> int | None:
        return None

    def _paired(self, whole: EncodedText, start: int) -> EncodedText:
        ids = list(whole.tokens)
        kept = self._cut(ids, self.max_length)
        cut = len(ids) - len(kept)
        if cut:
            start = max(start - cut, len(self.opening))
        return replace(whole, tokens=Tokens.of(kept, start), truncated=cut > 0)

    def place(self, prompt: Prompt, completion: str) -> tuple[EncodedText, int]:
        """See `TextEncoder.place`."""
        (encoded,) = self.encode([prompt], [completion])
        start = encoded.tokens.start
        if start is None or start >= len(encoded.tokens):
            # Without a prompt there is one text, after the opening token.
            start = len(self.opening)
        return encoded, start


def _places(tokenizer: Any) -> tuple[list[int], int, int, int, int]:
    """The ids of the text pair "a" and "b", and the indices where each begins and ends.

    Raises:
        ConfigurationError: There is no separator between them.
    """
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in "ab")
    ids = list(tokenizer("a", "b")["input_ids"])
    start = _find(ids, list(first), 0)
    middle = start + len(first)
    last = _find(ids, list(second), middle)
    if start < 0 or last <= middle:
        raise ConfigurationError(
            f"template={PAIR_TEMPLATE} needs a tokenizer that writes two texts with a separator; "
            "this one has none. Use template=chat, or a Jinja file that writes prompt and "
            "completion (raw writes only the completion)."
        )
    return ids, start, middle, last, last + len(second)


def _find(ids: list[int], part: list[int], start: int) -> int:
    """The index at which a part begins; -1 if the ids do not contain it."""
    places = range(max(start, 0), len(ids) - len(part) + 1)
    return next((i for i in places if part and ids[i : i + len(part)] == part), -1)
