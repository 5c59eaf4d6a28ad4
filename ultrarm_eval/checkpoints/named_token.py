"""A token of a checkpoint that a user names in a setting, by its id or by its text."""

from __future__ import annotations

import re

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import tokenizer_of
from ultrarm_eval.errors import CheckpointError, ConfigurationError, OtherKindError

_QUOTED = re.compile(r"'(.+)'|\"(.+)\"", re.DOTALL)
_NAMED = 6


def token_id(survey: Survey, setting: str, named: str) -> int:
    """The id of the token that a user named.

    Args:
        survey: The checkpoint's small files.
        setting: The setting, for messages.
        named: An id, or the text of one token; in quotes if the text is a number.

    Raises:
        CheckpointError: The tokenizer has a token that the model does not have.
        ConfigurationError: The text is not one token, or the model has no such id.
        OtherKindError: Its config.json names no model type.
    """
    if survey.model_type == "":
        raise OtherKindError(f"{survey.name}: its config.json names no model_type.")
    size = int(survey.values.get("vocab_size") or 0)
    quoted = _QUOTED.fullmatch(named)
    if quoted is None and named.isdecimal():
        number = int(named)
        if size and number >= size:
            raise ConfigurationError(
                f"{setting}={named}: {survey.name} has {size} tokens, so an id must be an integer "
                f"from 0 to {size - 1}. To name a token by this text, put it in quotes: "
                f"{setting}=\"'{named}'\"."
            )
        return number
    text = named if quoted is None else str(quoted[1] or quoted[2])
    tokenizer = tokenizer_of(survey).tokenizer
    ids = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) != 1 and text in tokenizer.get_vocab():
        # By its entry in the vocabulary, such as that of a token with a leading space.
        ids = [tokenizer.get_vocab()[text]]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        pieces = tokenizer.convert_ids_to_tokens(ids[:_NAMED])
        raise ConfigurationError(
            f"{setting}={named}: the tokenizer of {survey.name} splits it into {len(ids)} tokens "
            f"({', '.join(map(repr, pieces))}), but a reward is the logit of one token. Use the "
            "text of one token, or its id."
        )
    if size and ids[0] >= size:
        raise CheckpointError(
            f"{survey.name}: its tokenizer has the id {ids[0]} for {text!r}, but the model has "
            f"{size} tokens: they do not belong together."
        )
    return int(ids[0])
