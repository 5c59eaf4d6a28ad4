"""Adapters of PEFT, LoRA among them: recognised, and what to do with one said."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError, ConfigurationError

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")

# Parts of the names that PEFT gives to what it adds to a model, or wraps in it.
_PART = re.compile(
    r"(^|\.)(lora_|lokr_|hada_|ia3_|vera_|oft_|boft_|modules_to_save\.|original_module\."
    r"|base_layer\.|prompt_encoder\.|prompt_embeddings)|^base_model\.model\."
)
_TRAINED = re.compile(r"\.modules_to_save\.[^.]+\.")
_MERGE = (
    "Merge the adapter into its base and give the merged folder: with PEFT, {loaded}"
    ".merge_and_unload().save_pretrained(DIR), then the tokenizer's save_pretrained(DIR), and "
    "pretrained=DIR"
)


def refuse_adapter(name: str, fetch: Fetch) -> None:
    """Refuses a folder or repository that holds an adapter.

    transformers would put it on a model of its own choice where PEFT is installed, and leave it
    out where not.

    Args:
        name: The checkpoint, for messages.
        fetch: How to get its files.

    Raises:
        CheckpointError: It has an adapter_config.json, or an adapter's weights.
    """
    path = fetch(ADAPTER_CONFIG)
    if path is None:
        if fetch("config.json") is not None:
            return
        weights = next((file for file in ADAPTER_WEIGHTS if fetch(file) is not None), None)
        if weights is None:
            return
        raise CheckpointError(
            f"{name}: {weights} are the weights of a PEFT adapter (LoRA), and no judge here puts "
            f"an adapter on its base yet. {advice_to_merge()}."
        )
    stated = read_json(path)
    base = stated.get("base_model_name_or_path")
    kind = stated.get("peft_type")
    raise CheckpointError(
        f"{name}: this is a PEFT adapter ({ADAPTER_CONFIG}: peft_type {quoted(kind)}) for the "
        f"model {quoted(base)}, and no judge here puts an adapter on its base yet. "
        f"{advice_to_merge(base if isinstance(base, str) else None)}."
    )


def refuse_adapter_weights(name: str, keys: Collection[str]) -> None:
    """Refuses weights of an adapter that was saved within its model and not merged.

    Args:
        name: The checkpoint, for messages.
        keys: The names of its weights.

    Raises:
        CheckpointError: There are such weights.
    """
    parts = sorted(key for key in keys if _PART.search(key))
    if not parts:
        return
    trained = next((key for key in parts if _TRAINED.search(key)), None)
    head = "" if trained is None else f" {trained!r} is the trained head, or another trained layer."
    raise CheckpointError(
        f"{name}: its weights hold a PEFT adapter that was not merged, so its rewards would be "
        f"others: {len(parts)} weights, among them {parts[0]!r}.{head} {advice_to_merge()}."
    )


def refuse_adapter_setting(settings: Collection[str]) -> None:
    """Refuses the setting by which the harness's own models take an adapter.

    Args:
        settings: Names of the settings of a judge.

    Raises:
        ConfigurationError: `peft` is among them.
    """
    if "peft" in settings:
        raise ConfigurationError(
            "peft=DIR is a setting of the harness's own models; no judge here puts an adapter on "
            f"its base yet. {advice_to_merge()}."
        )


def advice_to_merge(base: str | None = None) -> str:
    """How an adapter becomes a checkpoint."""
    model: Any = "BASE" if base is None else repr(base)
    loaded = (
        "PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained("
        f"{model}, num_labels=1), ADAPTER)"
    )
    return _MERGE.format(loaded=loaded) + (
        " (AutoModelForCausalLM where a language model was trained)"
    )
