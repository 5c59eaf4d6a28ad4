"""Refuses weights of a checkpoint that its network would not use, because rewards may need them.

transformers loads such a checkpoint and at most logs it: a gate, a second head, a bias of the head
or an adapter that was not merged would be left out of the reward without a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.adapters import refuse_adapter_weights
from ultrarm_eval.checkpoints.network_parts import body_prefix, weights_behind_body
from ultrarm_eval.errors import CheckpointError

#: Names that play no part in a reward, and why.
HARMLESS = {
    r"(^|\.)rotary_emb\.inv_freq$": "a buffer that is computed from the configuration",
    r"(^|\.)position_ids$": "a buffer that counts from 0",
    r"\.num_batches_tracked$": "a batch norm's counter of training steps",
    r"(^|\.)embeddings\.token_type_ids$": "a buffer of zeros",
    r"\.(attn|attention)\.masked_bias$": "the constant of an attention mask",
    r"^(transformer\.)?h\.\d+\.attn(\.attention)?\.bias$": "the causal mask of GPT-2, -J and -Neo",
    r"^(roberta|longformer)\.pooler\.dense\.": "a layer that their classifiers never use",
}
_NO_PART = re.compile("|".join(f"({pattern})" for pattern in HARMLESS))
#: The same for a model that is not a language model: language heads kept from earlier training.
LANGUAGE_HEADS = {
    r"^lm_head\.(weight|bias)$": "a decoder's",
    r"^lm_head\.(dense|layer_norm|decoder)\.(weight|bias)$": "RoBERTa's",
    r"^embed_out\.weight$": "GPT-NeoX's",
    r"^cls\.(predictions|seq_relationship)\.": "BERT's",
    r"^(lm|mask)_predictions\.": "DeBERTa's",
    r"^(generator|discriminator)_(lm_head|predictions)\.": "ELECTRA's",
    r"^vocab_(transform|layer_norm|projector)\.(weight|bias)$": "DistilBERT's",
    r"^predictions\.(bias|(dense|LayerNorm|decoder)\.(weight|bias))$": "ALBERT's",
    r"^sop_classifier\.classifier\.(weight|bias)$": "ALBERT's",
    r"^decoder\.(weight|bias)$": "ModernBERT's",
}
# The head of transformers' decoders with one label.
_CLASSIFIER_HEAD = "score"
# A value head next to it: GRM's classifiers were trained from models with one, and keep it.
_EARLIER_HEADS = {
    r"^v_head\.summary\.(\d+\.)?(weight|bias)$": "the value head of the GRM it was trained from"
}
# Weights of language heads, with a row for each token.
_LANGUAGE_HEAD_WEIGHTS = frozenset({"lm_head.weight", "embed_out.weight", "decoder.weight"})
_CLASSIFIER_ENDINGS = ("ForSequenceClassification", "RewardModel")
#: Prefixes of the names of reward heads.
_HEAD = re.compile(
    r"^(score|classifier|(v|value|reward|regression|score)_head|regression_layer|gating)\."
)
#: Heads of published types by the prefix of their names: if a type is not recognized by its class,
#: its weights still suggest one.
_HEADS_OF_KINDS = {
    "v_head.": "a value head, as in TRL's policies, GRM or Athene-RM",
    "value_head.": "a value head, as in OpenRLHF's older reward models",
    "regression_layer.": "a head of several objectives, as in ArmoRM or QRM",
    "gating.": "a gate over several objectives, as in ArmoRM or QRM",
    "score_head.": "a head of Safe-RLHF",
    "score.0.": "two layers after the body, as in Qwen2.5-Math-RM or INF-ORM",
}


def refuse_unread(
    name: str,
    network: nn.Module,
    keys: Collection[str],
    shapes: Mapping[str, Sequence[int]],
    *,
    is_quantized: bool = False,
) -> None:
    """Refuses unused weights before loading.

    If the files lack names of the network, transformers may rename some weights, so unused ones are
    known only after loading.

    Args:
        name: The checkpoint, for messages.
        network: The network that its configuration describes, on any device.
        keys: The names of its weights.
        shapes: Their shapes, as far as they are known.
        is_quantized: Whether they are quantized: then only weights after the body are checked, and
            a weight may have companions (`score.weight.absmax`).

    Raises:
        CheckpointError: There are such weights.
    """
    refuse_adapter_weights(name, keys)
    known = set(network.state_dict(keep_vars=True))
    left_over = set(keys) - known
    if is_quantized:
        companions = (body_prefix(network), *(f"{key}." for key in known), "lm_head.")
        require_read(name, network, (key for key in left_over if not key.startswith(companions)))
        return
    if {key for key, _ in network.named_parameters()} <= set(keys):
        require_read(name, network, left_over)
    _refuse_head_of_another_kind(name, network, left_over, shapes)


def _refuse_head_of_another_kind(
    name: str, network: Any, left_over: Collection[str], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Refuses a weight with a language head's name that does not have a row for each token."""
    tokens = getattr(getattr(network, "config", None), "vocab_size", 0)
    for key in sorted(_LANGUAGE_HEAD_WEIGHTS & set(left_over)):
        shape = shapes.get(key)
        if shape is not None and len(shape) == 2 and shape[0] < tokens // 2:
            raise CheckpointError(
                f"{name}: its weight {key!r} has the shape {list(shape)}, so it is not a language "
                f"head of {tokens} tokens but a second head, which this model "
                f"({type(network).__name__}) does not use: its rewards would be wrong."
            )


def require_read(name: str, network: nn.Module, left_over: Iterable[str]) -> None:
    """Refuses weights that were not used, except those that play no part in a reward.

    Args:
        name: The checkpoint, for messages.
        network: The network.
        left_over: Names of weights that it did not use.

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
    kind = head_of_a_kind(unread)
    own = weights_behind_body(network)
    second = next((key for key in unread if _HEAD.match(key)), None)
    if second is not None and own:
        hint = (
            f"{second!r} looks like a second head in addition to {own[0]!r}{_known(second)}, and "
            "it is unknown which of them gives the reward. If the reward does not depend on it, "
            "remove it from a copy."
        )
    elif kind is not None:
        hint = f"This looks like {kind}. If it gives the reward, name it: head=NAME."
    else:
        hint = "Check that its config.json belongs to these weights."
    raise CheckpointError(
        f"{name}: it has weights that this model ({type(network).__name__}) does not use, so its "
        f"rewards would be wrong: {len(unread)}, such as {unread[0]!r}. {hint}"
    )


def _known(key: str) -> str:
    """The published type of head that a weight belongs to, in brackets."""
    found = (what for beginning, what in _HEADS_OF_KINDS.items() if key.startswith(beginning))
    return next((f" ({what})" for what in found), "")


def plays_no_part(key: str) -> bool:
    """Whether a weight of this name plays no part in the rewards of any model."""
    return _NO_PART.search(key) is not None


def without_language_heads(network: nn.Module, keys: Collection[str]) -> frozenset[str]:
    """The stored weights, except those of a language head that a classifier does not have.

    Args:
        network: The network.
        keys: The names of the weights.
    """
    if not type(network).__name__.endswith(_CLASSIFIER_ENDINGS):
        return frozenset(keys)
    heads = re.compile("|".join(f"({pattern})" for pattern in LANGUAGE_HEADS))
    own = set(network.state_dict(keep_vars=True))
    return frozenset(key for key in keys if key in own or not heads.search(key))


def _harmless(network: Any) -> re.Pattern[str]:
    patterns = [
        *HARMLESS,
        *_left_from_before(network),
        *(getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ()),
    ]
    if type(network).__name__.endswith(_CLASSIFIER_ENDINGS):
        patterns += LANGUAGE_HEADS
    return re.compile("|".join(f"({pattern})" for pattern in patterns))


def _left_from_before(network: Any) -> Mapping[str, str]:
    """Heads from earlier training, next to the classifier that was trained last and is used."""
    name = type(network).__name__
    is_classifier = getattr(network, "head_name", None) == _CLASSIFIER_HEAD
    is_classifier = is_classifier or name.endswith("ForSequenceClassification")
    return _EARLIER_HEADS if is_classifier and hasattr(network, _CLASSIFIER_HEAD) else {}


def head_of_a_kind(keys: Collection[str]) -> str | None:
    """Describes a model by its published type of head; None if it has no such head.

    Args:
        keys: The names of its weights.
    """
    for beginning, what in _HEADS_OF_KINDS.items():
        key = next((key for key in sorted(keys) if key.startswith(beginning)), None)
        if key is not None:
            return f"a model with {what}: it has {key}"
    return None
