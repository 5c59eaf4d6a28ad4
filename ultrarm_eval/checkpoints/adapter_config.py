"""Reads an adapter's adapter_config.json: LoRA's settings, and the unsupported ones.

The fields are those of PEFT's `LoraConfig` (huggingface/peft 0.21, tuners/lora/config.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ultrarm_eval.checkpoints.adapter_variants import (
    ADAPTER_CONFIG,
    advice_to_merge,
    refuse_variants,
)
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError

T = TypeVar("T")

LORA = "LORA"
SEQUENCE_CLASSIFICATION = "SEQ_CLS"


@dataclass(frozen=True)
class AdapterConfig:
    """The content of an adapter_config.json.

    Attributes:
        base: The model that it was trained on, as given there; None if it names none.
        base_revision: The hub revision of that model.
        task: PEFT's task type; None where the training named none.
        base_class: The class that the adapter was trained in, where no task is named.
        rank: The rank.
        alpha: The numerator of the scaling.
        ranks: Ranks by pattern of modules' names.
        alphas: Numerators by pattern of modules' names.
        use_rslora: Whether the denominator of the scaling is the rank's square root.
        use_dora: Whether directions are normalized and have a magnitude (DoRA).
        targets: The modules with LoRA: a list of names, a pattern, or None.
        excluded: The modules without LoRA.
        layers: The layers with LoRA; all if None.
        modules_to_save: Modules that were trained completely.
        token_indices: Rows of an embedding that were trained: by the embedding's name, the input's
            under an empty name.
        ties_weights: Whether changes of an embedding also apply to a head that is tied to it.
    """

    base: str | None
    base_revision: str | None
    task: str | None
    base_class: str | None
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    use_rslora: bool
    use_dora: bool
    targets: tuple[str, ...] | str | None
    excluded: tuple[str, ...] | str | None
    layers: tuple[int, ...] | None
    modules_to_save: tuple[str, ...]
    token_indices: Mapping[str, tuple[int, ...]]
    ties_weights: bool

    def rank_of(self, module: str) -> int:
        """The rank of a module's LoRA.

        Args:
            module: Its name in the model.
        """
        return _by_pattern(self.ranks, module, self.rank)

    def scaling(self, module: str) -> float:
        """The factor of a module's LoRA: alpha / r, of rsLoRA alpha / sqrt(r).

        Args:
            module: Its name in the model.
        """
        rank = self.rank_of(module)
        alpha = _by_pattern(self.alphas, module, self.alpha)
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank

    def rows_of(self, module: str) -> tuple[int, ...] | None:
        """The rows of an embedding that were trained; None if the file names none.

        Args:
            module: Its name in the model.
        """
        for name, rows in self.token_indices.items():
            if name in ("", module) or module.endswith(f".{name}"):
                return rows
        return None


def read_adapter_config(name: str, values: Mapping[str, Any]) -> AdapterConfig:
    """Reads the content of an adapter_config.json.

    Args:
        name: The adapter, for messages.
        values: The file's content.

    Raises:
        CheckpointError: It is not a LoRA adapter, is an unsupported variant, or has a value that
            is not allowed.
    """
    kind = values.get("peft_type")
    if kind != LORA:
        raise CheckpointError(
            f"{name}: {ADAPTER_CONFIG} names the peft_type {quoted(kind)}; only LoRA adapters "
            f"({LORA}) are supported. {advice_to_merge(values)}."
        )
    refuse_variants(name, values)
    field = _Fields(name, values)
    mapping = field.mapping("auto_mapping")
    base_class = mapping.get("base_model_class")
    return AdapterConfig(
        base=field.text("base_model_name_or_path"),
        base_revision=field.text("revision"),
        task=field.text("task_type"),
        base_class=base_class if isinstance(base_class, str) else None,
        rank=field.rank("r", values.get("r", 8)),
        alpha=field.number("lora_alpha", values.get("lora_alpha", 8)),
        ranks={key: field.rank("rank_pattern", one) for key, one in field.patterns("rank_pattern")},
        alphas={
            key: field.number("alpha_pattern", one) for key, one in field.patterns("alpha_pattern")
        },
        use_rslora=bool(values.get("use_rslora")),
        use_dora=bool(values.get("use_dora")),
        targets=field.modules("target_modules"),
        excluded=field.modules("exclude_modules"),
        layers=field.layers(),
        modules_to_save=_listed(field.modules("modules_to_save")),
        token_indices=field.token_indices(),
        ties_weights=bool(values.get("ensure_weight_tying")),
    )


class _Fields:
    """Reads fields, and rejects values that are not allowed."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self._name, self._values = name, values

    def text(self, field: str) -> str | None:
        value = self._values.get(field)
        if value is not None and not isinstance(value, str):
            raise self._wrong(field, value, "a string or null")
        return value or None

    def mapping(self, field: str) -> Mapping[str, Any]:
        value = self._values.get(field)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(field, value, "an object or null")
        return value or {}

    def patterns(self, field: str) -> list[tuple[str, Any]]:
        found = self.mapping(field)
        for pattern in found:
            if not _is_pattern(pattern):
                raise self._wrong(field, pattern, "an object of patterns of names")
        return list(found.items())

    def rank(self, field: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(field, value, "an integer of at least 1")
        return value

    def number(self, field: str, value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):  # type: ignore[arg-type]
            raise self._wrong(field, value, "a finite number")
        return float(value)  # type: ignore[arg-type]

    def modules(self, field: str) -> tuple[str, ...] | str | None:
        value = self._values.get(field)
        if value is None or isinstance(value, str):
            return value
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(field, value, "a list of names, a pattern, or null")
        return tuple(value)

    def layers(self) -> tuple[int, ...] | None:
        value = self._values.get("layers_to_transform")
        listed = [value] if isinstance(value, int) else value
        if not listed and value is not None and value != 0:
            return None
        if listed is None:
            return None
        if not isinstance(listed, list) or not all(_is_index(one) for one in listed):
            raise self._wrong("layers_to_transform", value, "a list of layers, or null")
        return tuple(listed)

    def token_indices(self) -> dict[str, tuple[int, ...]]:
        value = self._values.get("trainable_token_indices")
        by_name = {"": value} if isinstance(value, list) else value
        if by_name is None:
            return {}
        if not isinstance(by_name, dict) or not all(
            isinstance(rows, list) and all(_is_index(row) for row in rows)
            for rows in by_name.values()
        ):
            raise self._wrong("trainable_token_indices", value, "lists of token ids")
        return {str(name): tuple(rows) for name, rows in by_name.items() if rows}

    def _wrong(self, field: str, value: object, allowed: str) -> CheckpointError:
        return CheckpointError(
            f"{self._name}: {ADAPTER_CONFIG}: {field} is {quoted(value)}, but must be {allowed}."
        )


def _is_pattern(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _listed(modules: tuple[str, ...] | str | None) -> tuple[str, ...]:
    return (modules,) if isinstance(modules, str) else modules or ()


def _by_pattern(values: Mapping[str, T], module: str, default: T) -> T:
    """The value of the first pattern that matches the end of a module's name, as in PEFT."""
    for pattern, value in values.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
