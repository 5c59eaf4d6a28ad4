"""Variants of PEFT's LoRA that are not supported, by the fields of adapter_config.json.

The fields are those of PEFT's `LoraConfig` (huggingface/peft 0.21, tuners/lora/config.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError

logger = logging.getLogger(__name__)

ADAPTER_CONFIG = "adapter_config.json"

#: Fields that are read here, that the tensors show anyway, or that matter only in training.
_KNOWN = frozenset(
    {
        *("peft_type", "base_model_name_or_path", "revision", "task_type", "auto_mapping"),
        *("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "use_dora"),
        *("bias", "lora_bias", "fan_in_fan_out", "modules_to_save", "trainable_token_indices"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("ensure_weight_tying", "init_lora_weights", "loftq_config", "eva_config"),
        *("corda_config", "lora_ga_config", "lora_dropout", "inference_mode", "runtime_config"),
        *("peft_version", "megatron_core", "qalora_group_size"),
        # Of old versions: LoRA of fused layers, written as false.
        *("enable_lora", "merge_weights"),
    }
)
#: Variants of LoRA that compute something else, by the field that switches one on.
_VARIANTS = {
    "alora_invocation_tokens": "activated LoRA, which is active only after certain tokens",
    "arrow_config": "Arrow, which routes between several adapters",
    "kasa_config": "KaSA, which cuts the base's singular values",
    "layer_replication": "repeated layers of the base",
    "megatron_config": "a Megatron model",
    "monteclora_config": "MonteCLoRA, which samples",
    "target_parameters": "LoRA on parameters that are not layers, such as fused experts",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QA-LoRA",
    "velora_config": "VeLoRA",
}
#: Initialisations that change the base's own weights (PEFT repeats that when it loads the adapter).
_CHANGING_STARTS = ("pissa", "corda", "olora", "loftq", "lora_ga")
_STARTS = ("gaussian", "eva", "orthogonal", "mica", "true", "false")


def advice_to_merge(values: Mapping[str, Any] | None = None) -> str:
    """How to merge an adapter into a checkpoint, with PEFT itself.

    Args:
        values: The content of its adapter_config.json.
    """
    base = (values or {}).get("base_model_name_or_path")
    model = repr(base) if isinstance(base, str) and base else "BASE"
    return (
        "Merge the adapter into its base and use the merged folder: with PEFT, "
        f"PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained({model}, "
        "num_labels=1), ADAPTER).merge_and_unload().save_pretrained(DIR), then the tokenizer's "
        "save_pretrained(DIR), and pretrained=DIR (AutoModelForCausalLM if a language model was "
        "trained)"
    )


def refuse_variants(name: str, values: Mapping[str, Any]) -> None:
    """Rejects variants, initialisations that change the base, and unknown fields.

    Args:
        name: The adapter, for messages.
        values: The content of its adapter_config.json.

    Raises:
        CheckpointError: There is such a field.
    """
    for field, what in _VARIANTS.items():
        if values.get(field):
            raise CheckpointError(
                f"{name}: {ADAPTER_CONFIG} uses {what} ({field}), which is not supported. "
                f"{advice_to_merge(values)}."
            )
    start = str(values.get("init_lora_weights", True)).lower()
    if start.startswith(_CHANGING_STARTS):
        raise CheckpointError(
            f"{name}: its training started from changed base weights ({ADAPTER_CONFIG}: "
            f"init_lora_weights {quoted(values['init_lora_weights'])}), so the adapter does not "
            "belong to the published base. Convert it with PEFT's save_pretrained(DIR, "
            "path_initial_model_for_weight_conversion=START), where START is the untrained "
            "adapter, and set peft=DIR."
        )
    if start not in _STARTS:
        raise CheckpointError(
            f"{name}: {ADAPTER_CONFIG}: init_lora_weights is "
            f"{quoted(values['init_lora_weights'])}, and its effect on the base is unknown. "
            f"{advice_to_merge(values)}."
        )
    for field in sorted(values.keys() - _KNOWN - _VARIANTS.keys()):
        value = values[field]
        if value is True or (isinstance(value, dict | list) and value):
            raise CheckpointError(
                f"{name}: {ADAPTER_CONFIG} has {field} {quoted(value)}, which is unknown and "
                "could change the rewards. If it has no effect after training, remove it from a "
                f"copy of the file. Otherwise: {advice_to_merge(values)}."
            )
        if value not in (None, False, "", [], {}):
            logger.warning(
                "%s: ignoring the unknown field of %s: %s %s. If it affects rewards, merge the "
                "adapter with PEFT.",
                name,
                ADAPTER_CONFIG,
                field,
                quoted(value),
            )
