"""Weights of a checkpoint that its network would not read: refused, because rewards need them.

transformers loads such a checkpoint and at most logs it: a gate, a second head, a bias of the head
or an adapter that was not merged would be left out of the reward without a word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from torch import nn

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.adapters import refuse_adapter_weights

#: Names that play no part in a reward, and why.
HARMLESS = {
    r"(^|\.)rotary_emb\.inv_freq$": "a buffer that is computed from the configuration",
    r"(^|\.)position_ids$": "a buffer that counts from 0",
    r"\.attn(ention)?\.masked_bias$": "the constant of an attention mask",
}
#: The same for a model that is no language model: heads of one, kept from the training before.
LANGUAGE_HEADS = {
    r"^lm_head\.": "a decoder's or RoBERTa's",
    r"^cls\.(predictions|seq_relationship)\.": "BERT's",
    r"^(lm|mask)_predictions\.": "DeBERTa's",
    r"^(generator|discriminator)_(lm_head|predictions)\.": "ELECTRA's",
}
_CLASSIFIER_ENDINGS = ("ForSequenceClassification", "RewardModel")


def refuse_unread(name: str, network: nn.Module, keys: Collection[str]) -> None:
    """Refuses weights that are seen from their names alone to be read by nothing.

    Where names of the network are not among them, transformers knows other names for some, and
    what is left over is known when it has loaded them.

    Args:
        name: The checkpoint, for messages.
        network: The network that its configuration describes, on any device.
        keys: The names of its weights.

    Raises:
        CheckpointError: There are such weights.
    """
    refuse_adapter_weights(name, keys)
    known = set(network.state_dict(keep_vars=True))
    needed = {key for key, _ in network.named_parameters()}
    if needed <= set(keys):
        require_read(name, network, set(keys) - known)


def require_read(name: str, network: nn.Module, left_over: Iterable[str]) -> None:
    """Refuses weights that nothing read, but for those that play no part in a reward.

    Args:
        name: The checkpoint, for messages.
        network: The network.
        left_over: Names of weights that it did not read.

    Raises:
        CheckpointError: There are such weights.
    """
    harmless = _harmless(network)
    # Older versions of transformers saved buffers that are computed from the configuration.
    computed = {key for key, _ in network.named_buffers()}
    unread = sorted({*map(str, left_over)} - computed)
    unread = [key for key in unread if not harmless.search(key)]
    if not unread:
        return
    from ultrarm_eval.judges.recognition import what_is_not_read

    kind = what_is_not_read({}, unread)
    hint = (
        "Does its config.json belong to these weights?"
        if kind is None
        else f"This looks like {kind}. No judge here reads it yet."
    )
    raise CheckpointError(
        f"{name}: it has weights that this model ({type(network).__name__}) does not use, so its "
        f"rewards would be others: {len(unread)}, among them {unread[0]!r}. {hint}"
    )


def _harmless(network: Any) -> re.Pattern[str]:
    patterns = [*HARMLESS, *(getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ())]
    if type(network).__name__.endswith(_CLASSIFIER_ENDINGS):
        patterns += LANGUAGE_HEADS
    return re.compile("|".join(f"({pattern})" for pattern in patterns))
