"""Rejects checkpoints that need their own code, which is never executed.

Weights with the names of transformers' own class load into that class without a warning; what the
checkpoint's own class does differently (gates, pooling, bidirectional attention) would be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError, OtherKindError, OwnCodeError

_CONFIG_CLASS, _BODY_CLASS, _TOKENIZER_CLASS = "AutoConfig", "AutoModel", "AutoTokenizer"
#: Entries for language models, which a reward model keeps from the model it was trained from.
_OF_LANGUAGE_MODELS = frozenset(
    {"AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMaskedLM", "AutoModelWithLMHead"}
)


def refuse_own_code(
    name: str,
    values: Mapping[str, Any],
    *,
    own_classes: Collection[str],
    auto_class: str,
    is_known_code: bool = False,
) -> None:
    """Rejects a checkpoint whose config.json names its own code for what a judge would load.

    Args:
        name: The checkpoint, for messages.
        values: The content of its config.json.
        own_classes: The classes whose forward pass the judge runs.
        auto_class: transformers' auto class by which the model would be loaded.
        is_known_code: Whether code with those class names computes the same as the judge.

    Raises:
        OtherKindError: It names another class.
        OwnCodeError: It names its own code.
    """
    classes = [str(one) for one in values.get("architectures") or ()]
    # Checkpoints from 2023 write "LLaMA".
    known = {one.lower() for one in own_classes}
    foreign = next((one for one in classes if one.lower() not in known), None)
    if foreign is not None:
        raise OtherKindError(
            f"{name}: its config.json names the class {foreign} (architectures); the judge would "
            f"run the weights through {_named(own_classes)}, and its rewards would be wrong. Code "
            "in checkpoints is never executed. If the weights belong to the judge's class, "
            "correct architectures."
        )
    for auto, reference in (values.get("auto_map") or {}).items():
        if not _is_in_the_way(auto, auto_class, is_named=bool(classes)):
            continue
        code = _class_of(reference)
        if auto == _CONFIG_CLASS and code.rsplit(".", 1)[-1] == _config_class(values):
            continue
        if is_known_code and code.rsplit(".", 1)[-1] in own_classes:
            continue
        raise OwnCodeError(
            f"{name}: its config.json names its own code, {code} (auto_map: {auto}), which is "
            f"never executed; the judge would run the weights through {_named(own_classes)}, and "
            "its rewards could be wrong. If that code computes the same, remove the entry from "
            "auto_map in a copy of the checkpoint."
        )


def refuse_own_tokenizer(
    name: str, values: Mapping[str, Any], file: str, known: Collection[str] = ()
) -> None:
    """Rejects a tokenizer that needs the checkpoint's own code: without it, ids could differ.

    Args:
        name: The checkpoint, for messages.
        values: The content of the file.
        file: config.json or tokenizer_config.json.
        known: Tokenizer classes that are supported without their code.

    Raises:
        CheckpointError: It needs other code.
    """
    auto_map = values.get("auto_map") or {}
    reference = auto_map.get(_TOKENIZER_CLASS)
    if reference in (None, [], [None, None]) or is_own_tokenizer(values, known):
        return
    raise CheckpointError(
        f"{name}: its {file} names its own tokenizer code, {_class_of(reference)} (auto_map: "
        f"{_TOKENIZER_CLASS}), which is never executed; another tokenizer could produce other "
        "ids. If its files produce the same ids without that code, remove the entry from auto_map "
        "in a copy of the checkpoint."
    )


def is_own_tokenizer(values: Mapping[str, Any], classes: Collection[str]) -> bool:
    """Whether a tokenizer's file names its own code, and only these classes.

    Args:
        values: The content of the file.
        classes: The class names.
    """
    auto_map = values.get("auto_map")
    reference = (auto_map if isinstance(auto_map, dict) else {}).get(_TOKENIZER_CLASS)
    parts = reference if isinstance(reference, list | tuple) else [reference]
    named = {str(one).rsplit(".", 1)[-1] for one in parts if one}
    return bool(named) and named <= set(classes)


def _is_in_the_way(auto: str, auto_class: str, *, is_named: bool) -> bool:
    """Whether an entry of auto_map applies to the model that would be loaded."""
    if auto in (_CONFIG_CLASS, _BODY_CLASS, auto_class):
        return True
    if not auto.startswith(_BODY_CLASS):
        return False
    # Left over from a language model if config.json names the class of these weights.
    return not (is_named and auto in _OF_LANGUAGE_MODELS)


def _class_of(reference: object) -> str:
    parts = reference if isinstance(reference, list | tuple) else [reference]
    named = [str(one).rsplit("--", 1)[-1] for one in parts if one]
    return " and ".join(named) if named else quoted(reference)


def _config_class(values: Mapping[str, Any]) -> str | None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    named: str | None = CONFIG_MAPPING_NAMES.get(str(values.get("model_type")))
    return named


def _named(own_classes: Collection[str]) -> str:
    return " or ".join(sorted(own_classes)[:2]) or "a class of transformers"
