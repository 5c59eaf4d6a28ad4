"""Applies an adapter to its base's config.json: the class it was trained in, labels, tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.adapter_config import SEQUENCE_CLASSIFICATION
from ultrarm_eval.checkpoints.adapter_variants import ADAPTER_CONFIG
from ultrarm_eval.checkpoints.adapters import Adapter
from ultrarm_eval.checkpoints.classifier_families import HEADS, stated_labels
from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING, stock_classes
from ultrarm_eval.errors import CheckpointError

_EMBEDDINGS = re.compile(r"(^|\.)(embed_tokens|wte|word_embeddings|embed_in)$")
_LANGUAGE_HEAD = "lm_head"


def adapted_values(
    adapter: Adapter, base: str, values: Mapping[str, Any], fetch: Fetch
) -> dict[str, Any]:
    """The config.json of the model as the adapter was trained: with its class, labels and tokens.

    A base is usually a language model that the adapter turned into a classifier: its config.json
    names the language model's class, and no labels.

    Args:
        adapter: The adapter.
        base: The base, for messages.
        values: The content of the base's config.json.
        fetch: How to get the base's files.

    Raises:
        CheckpointError: The adapter was trained in a class that the base does not name, or the
            base's weights are quantized.
    """
    if values.get("quantization_config"):
        raise CheckpointError(
            f"{adapter.name}: its base {base} is stored quantized (config.json: "
            "quantization_config), and nothing can be merged into such weights. Use the same "
            f"model in full precision: pretrained=BASE,peft={adapter.name} (quantization=int8 "
            "quantizes it after merging)."
        )
    found = dict(values)
    if _is_classifier(adapter, values):
        found["architectures"] = [_classifier_class(adapter, base, values)]
        # transformers sets two labels if there are none.
        found |= {} if stated_labels(values) else {"num_labels": 1}
    rows = _labels(adapter)
    if rows is not None and rows != stated_labels(values):
        found = {name: one for name, one in found.items() if name not in ("id2label", "label2id")}
        found["num_labels"] = rows
    tokens = _rows_of_embedding(adapter)
    if tokens is not None:
        _set_vocabulary(found, tokens)
    pad = pad_token_id(adapter.fetch, fetch)
    if pad is not None:
        found["pad_token_id"] = pad
    if unties_head(adapter, values):
        found["tie_word_embeddings"] = False
    return found


def unties_head(adapter: Adapter, values: Mapping[str, Any]) -> bool:
    """Whether the adapter changes only one of an embedding and the language head tied to it.

    PEFT applies the change only to that one, so the two are no longer the same weight.

    Args:
        adapter: The adapter.
        values: The content of the base's config.json.
    """
    parts = adapter.weights.parts
    changed = {
        *(module for module, of in parts.changes.items() if of.keys() - {"rows"}),
        *(weight.removesuffix(".weight") for weight in parts.whole),
    }
    touched = any(_EMBEDDINGS.search(one) or one == _LANGUAGE_HEAD for one in changed)
    is_tied = adapter.config.ties_weights and _LANGUAGE_HEAD not in changed
    if not touched or is_tied or _is_classifier(adapter, values):
        return False
    classes = values.get("architectures") or ()
    return not any(str(one).endswith(CLASS_ENDING) for one in classes) and _is_tied(values)


def pad_token_id(fetch: Fetch, fetch_of_base: Fetch) -> int | None:
    """The id of the padding token that a tokenizer's files name; None if they name none.

    TRL's RewardTrainer writes it there and into the model's configuration, which PEFT does not
    save: the reward is computed at the last token that is not padding.

    Args:
        fetch: How to get the adapter's files.
        fetch_of_base: How to get the base's files, whose vocabulary it may share.
    """
    path = fetch("tokenizer_config.json")
    if path is None:
        return None
    stated = read_json(path)
    token = stated.get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    if not isinstance(token, str):
        return None
    added = stated.get("added_tokens_decoder")
    for index, one in added.items() if isinstance(added, dict) else ():
        if isinstance(one, dict) and one.get("content") == token and str(index).isdecimal():
            return int(index)
    vocabulary = fetch("tokenizer.json") or fetch_of_base("tokenizer.json")
    return None if vocabulary is None else _id_in(read_json(vocabulary), token)


def _id_in(tokenizer: Mapping[str, Any], token: str) -> int | None:
    for one in tokenizer.get("added_tokens") or ():
        if isinstance(one, dict) and one.get("content") == token:
            found = one.get("id")
            return found if isinstance(found, int) else None
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        found = vocabulary.get(token)
        return found if isinstance(found, int) else None
    for index, entry in enumerate(vocabulary or ()):
        if isinstance(entry, list) and entry and entry[0] == token:
            return index
    return None


def _is_classifier(adapter: Adapter, values: Mapping[str, Any]) -> bool:
    """Whether the adapter turns its base into a classifier."""
    config, named = adapter.config, [str(one) for one in values.get("architectures") or ()]
    if any(one.endswith(CLASS_ENDING) for one in named) or not _is_stock(named, values):
        return False
    trained = config.base_class
    if trained is not None:
        return trained.endswith(CLASS_ENDING)
    if config.task is not None:
        return config.task == SEQUENCE_CLASSIFICATION
    return any(head in adapter.weights.parts.whole for head in HEADS)


def _classifier_class(adapter: Adapter, base: str, values: Mapping[str, Any]) -> str:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
    )

    found = stock_classes(str(values.get("model_type")), CLASSES)
    if not found:
        raise CheckpointError(
            f"{adapter.name}: it turns its base {base} into a classifier, but transformers has no "
            f"classifier for {values.get('model_type')!r} models."
        )
    (name,) = found
    return name


def _is_stock(named: list[str], values: Mapping[str, Any]) -> bool:
    """Whether the classes that a base names are a language model's or a bare body's."""
    from transformers.models.auto import modeling_auto

    known = stock_classes(
        str(values.get("model_type")),
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_PRETRAINING_MAPPING_NAMES,
        modeling_auto.MODEL_MAPPING_NAMES,
    )
    # Checkpoints of 2023 write "LLaMA".
    return {one.lower() for one in named} <= {one.lower() for one in known}


def require_trained_class(adapter: Adapter, base: str, values: Mapping[str, Any]) -> None:
    """Rejects an adapter that was trained in a class that its base does not name.

    Args:
        adapter: The adapter.
        base: The base, for messages.
        values: The content of the base's config.json.

    Raises:
        CheckpointError: It was trained in another class.
    """
    trained = adapter.config.base_class
    named = [str(one) for one in values.get("architectures") or ()]
    if trained is None or trained in named or trained.endswith(CLASS_ENDING):
        return
    if not _is_stock([trained], values):
        raise CheckpointError(
            f"{adapter.name}: it was trained as the class {trained} ({ADAPTER_CONFIG}: "
            f"auto_mapping), but its base {base} names {', '.join(named) or 'no class'}, and what "
            "that class computes is unknown. If it computes the same, remove auto_mapping from a "
            "copy of the file."
        )


def _labels(adapter: Adapter) -> int | None:
    parts = adapter.weights.parts
    for head in HEADS:
        key = parts.whole.get(head)
        if key is not None:
            shape = adapter.weights.stored[key].shape
            return shape[0] if shape else None
    return None


def _rows_of_embedding(adapter: Adapter) -> int | None:
    for weight, key in adapter.weights.parts.whole.items():
        shape = adapter.weights.stored[key].shape
        if _EMBEDDINGS.search(weight.removesuffix(".weight")) and len(shape) == 2:
            return shape[0]
    return None


def _set_vocabulary(values: dict[str, Any], tokens: int) -> None:
    """Sets the number of tokens, if tokens were added in training."""
    inner = values.get("text_config")
    if isinstance(inner, dict) and "vocab_size" in inner:
        values["text_config"] = {**inner, "vocab_size": tokens}
    else:
        values["vocab_size"] = tokens


def _is_tied(values: Mapping[str, Any]) -> bool:
    stated = values.get("tie_word_embeddings")
    if stated is not None:
        return bool(stated)
    from transformers import CONFIG_MAPPING

    family = values.get("model_type")
    return family in CONFIG_MAPPING and bool(
        getattr(CONFIG_MAPPING[family](), "tie_word_embeddings", False)
    )
