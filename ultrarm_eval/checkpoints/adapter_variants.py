"""What of PEFT's LoRA is not read here, by the fields of adapter_config.json, and the way out.

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

#: Fields that are read here, or tell what can be seen from the tensors, or matter in training only.
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
    "alora_invocation_tokens": "activated LoRA, which works from certain tokens on",
    "arrow_config": "Arrow, which routes between several adapters",
    "kasa_config": "KaSA, which cuts the base's singular values",
    "layer_replication": "layers of the base that are repeated",
    "megatron_config": "a model of Megatron",
    "monteclora_config": "MonteCLoRA, which samples",
    "target_parameters": "LoRA on parameters that are no layers, as of fused experts",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QA-LoRA",
    "velora_config": "VeLoRA",
}
#: Ways of beginning the training that change the base's own weights (PEFT does that again when it
#: loads the adapter).
_CHANGING_STARTS = ("pissa", "corda", "olora", "loftq", "lora_ga")
_STARTS = ("gaussian", "eva", "orthogonal", "mica", "true", "false")


def advice_to_merge(values: Mapping[str, Any] | None = None) -> str:
    """How an adapter becomes a checkpoint, with PEFT itself.

    Args:
        values: What its adapter_config.json says.
    """
    base = (values or {}).get("base_model_name_or_path")
    model = repr(base) if isinstance(base, str) and base else "BASE"
    return (
        "Merge the adapter into its base and give the merged folder: with PEFT, "
        "PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained("
        f"{model}, num_labels=1), ADAPTER).merge_and_unload().save_pretrained(DIR), then the "
        "tokenizer's save_pretrained(DIR), and pretrained=DIR (AutoModelForCausalLM where a "
        "language model was trained)"
    )


def refuse_variants(name: str, values: Mapping[str, Any]) -> None:
    """Refuses what would be read wrongly: variants, beginnings that changed the base, news.

    Args:
        name: The adapter, for messages.
        values: What its adapter_config.json says.

    Raises:
        CheckpointError: There is such a field.
    """
    for field, what in _VARIANTS.items():
        if values.get(field):
            raise CheckpointError(
                f"{name}: {ADAPTER_CONFIG} asks for {what} ({field}), which is not read here. "
                f"{advice_to_merge(values)}."
            )
    start = str(values.get("init_lora_weights", True)).lower()
    if start.startswith(_CHANGING_STARTS):
        raise CheckpointError(
            f"{name}: its training began with base weights that were changed "
            f"({ADAPTER_CONFIG}: init_lora_weights {quoted(values['init_lora_weights'])}), so the "
            "adapter does not belong to the base as it is published. Save it for that with PEFT's "
            "save_pretrained(DIR, path_initial_model_for_weight_conversion=START), START being the "
            "untrained adapter, and give peft=DIR."
        )
    if start not in _STARTS:
        raise CheckpointError(
            f"{name}: {ADAPTER_CONFIG}: init_lora_weights is "
            f"{quoted(values['init_lora_weights'])}, and what that does to the base is not known "
            f"here. {advice_to_merge(values)}."
        )
    for field in sorted(values.keys() - _KNOWN - _VARIANTS.keys()):
        value = values[field]
        if value is True or (isinstance(value, dict | list) and value):
            raise CheckpointError(
                f"{name}: {ADAPTER_CONFIG} has {field} {quoted(value)}, which is not known here "
                "and could change the rewards. If it plays no part once the adapter is trained, "
                f"remove it from a copy of the file. Otherwise: {advice_to_merge(values)}."
            )
        if value not in (None, False, "", [], {}):
            logger.warning(
                "%s: %s has %s %s, which is not known here and is not read.",
                name,
                ADAPTER_CONFIG,
                field,
                quoted(value),
            )
