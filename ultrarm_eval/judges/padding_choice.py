"""The padding token of a converted checkpoint: a token that no text of its judge contains.

transformers' sequence classification classes read a text at the last token that is not the
configuration's padding token (earlier versions: before the first padding token). A text that ends
with that token would silently be read too early.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

_FOR_PADDING = re.compile(r"pad|reserved|unused|extra_id", re.IGNORECASE)


def chosen_padding(
    tokenizer: Any, config: Any, used: Collection[int], bos_id: int | None
) -> int | None:
    """Chooses a checkpoint's padding token.

    Its own if no text contains it; else another special token of its tokenizer that no text
    contains. Tokens that begin every text or end texts are the last choice.

    Args:
        tokenizer: Its tokenizer.
        config: Its configuration.
        used: Tokens of the judge's texts, including all that templates write.
        bos_id: The token that every text begins with; None if there is none.

    Returns:
        Its id; None if there is no such token.
    """
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    special = {
        number: token.content
        for number, token in added.items()
        if token.special and number < config.vocab_size
    }
    ends = _ends(tokenizer, config)
    for number in _candidates(tokenizer, config, special):
        if number in special and number not in used and number not in ends | {bos_id}:
            return number
    # A text that is only BOS is read at it anyway.
    if bos_id in special:
        return bos_id
    return next((one for one in sorted(ends) if one in special and one not in used), None)


def _candidates(tokenizer: Any, config: Any, special: dict[int, str]) -> Iterator[int]:
    for named in (getattr(config, "pad_token_id", None), tokenizer.pad_token_id):
        if named is not None:
            yield int(named)
    yield from (number for number in sorted(special) if _FOR_PADDING.search(special[number]))
    if tokenizer.unk_token_id is not None:
        yield int(tokenizer.unk_token_id)
    yield from sorted(special)


def _ends(tokenizer: Any, config: Any) -> set[int]:
    """The tokens that end texts, according to the tokenizer and the configuration."""
    named = getattr(config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return {int(one) for one in (*several, tokenizer.eos_token_id) if one is not None}
