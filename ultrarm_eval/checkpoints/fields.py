"""Fields of a checkpoint's JSON files, and the values they may have.

Only values that would make a library fail or compute nonsense are rejected. Fields that are not
listed are checked where they are used: building the network from a wrong value is an error, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError

_MOST = 2**31 - 1
_MOST_BYTES = 2**63 - 1
_DTYPES = (
    *("float32", "float16", "bfloat16", "float64", "float", "half", "double"),
    *("float8_e4m3fn", "float8_e5m2"),
)
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Values:
    """The values that a field may have.

    Attributes:
        allowed: Those values in words, for messages.
        accepts: Whether a value is allowed; null is left to the code that reads the field.
    """

    allowed: str
    accepts: Callable[[Any], bool]


def _is_whole(value: object, least: int, most: int = _MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: object, least: float, most: float = math.inf) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and least <= value <= most and value != math.inf  # type: ignore[operator]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_token(value: object) -> bool:
    """Whether it is a token's text, or an added token with its text as `content`."""
    content = value.get("content") if isinstance(value, dict) else value
    return isinstance(content, str)


def _is_rope(value: object) -> bool:
    """Whether a rotary embedding's settings have valid numbers, also those per type of layer."""
    if not isinstance(value, dict):
        return False
    for name, setting in value.items():
        if name in ("type", "rope_type"):
            if not isinstance(setting, str):
                return False
        elif isinstance(setting, dict):
            if not _is_rope(setting):
                return False
        elif re.search(r"factor|theta|beta|max_position", name) and setting is not None:
            numbers = setting if isinstance(setting, list) else [setting]
            if not numbers or not all(_is_number(one, 0) for one in numbers):
                return False
    return True


def _is_labels(value: object) -> bool:
    return isinstance(value, dict) and all(
        str(key).isdecimal() and isinstance(label, str | int) for key, label in value.items()
    )


def _is_chat_template(value: object) -> bool:
    if isinstance(value, list):
        return all(
            isinstance(one, dict) and isinstance(one.get("template"), str) and "name" in one
            for one in value
        )
    if isinstance(value, dict):
        return all(isinstance(one, str) for one in value.values())
    return isinstance(value, str)


def _is_added_tokens(value: object) -> bool:
    return isinstance(value, dict) and all(
        str(key).isdecimal() and isinstance(token, dict) and _is_token(token)
        for key, token in value.items()
    )


_COUNT = Values("an integer of at least 1", lambda v: _is_whole(v, 1))
# Limits, because building a network enumerates its labels and positions.
_LABELS = Values("an integer from 1 to 100000", lambda v: _is_whole(v, 1, 100_000))
_POSITIONS = Values("an integer from 1 to 2^26", lambda v: _is_whole(v, 1, 2**26))
_WHOLE = Values("an integer of at least 0", lambda v: _is_whole(v, 0))
_TOKEN_ID = Values("an integer of at least 0 (-1 for none)", lambda v: _is_whole(v, -1))
_TOKEN_IDS = Values(
    "an integer of at least 0, or a list of them",
    lambda v: (
        bool(v) and all(_is_whole(one, -1) for one in v)
        if isinstance(v, list)
        else _is_whole(v, -1)
    ),
)
_SHARE = Values("a number from 0 to 1", lambda v: _is_number(v, 0, 1))
_FROM_0 = Values("a finite number of at least 0", lambda v: _is_number(v, 0))
_ABOVE_0 = Values("a finite number above 0", lambda v: _is_number(v, 0) and v > 0)
_FLAG = Values("true or false", lambda v: isinstance(v, bool))
_TEXT = Values("a text", lambda v: isinstance(v, str))
_TEXTS = Values("a list of strings", _is_texts)
_OBJECT = Values("an object", lambda v: isinstance(v, dict))
_SIDE = Values(" or ".join(_SIDES), lambda v: v in _SIDES)
_TOKEN = Values("a token's text, or an object with its content", _is_token)
_TOKENS = Values(
    "a list of tokens",
    lambda v: isinstance(v, list) and all(_is_token(one) for one in v),
)

_CONFIG = {
    **dict.fromkeys(
        (
            *("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
            *("head_dim", "vocab_size", "n_embd", "n_layer", "n_head", "n_ctx", "d_model"),
            "embedding_size",
        ),
        _COUNT,
    ),
    "num_labels": _LABELS,
    **dict.fromkeys(("max_position_embeddings", "n_positions"), _POSITIONS),
    "sliding_window": _COUNT,
    **dict.fromkeys(("type_vocab_size", "max_window_layers"), _WHOLE),
    **dict.fromkeys(("pad_token_id", "bos_token_id"), _TOKEN_ID),
    "eos_token_id": _TOKEN_IDS,
    "initializer_range": _FROM_0,
    **dict.fromkeys(
        (
            *("rope_theta", "query_pre_attn_scalar", "attn_logit_softcapping"),
            *("final_logit_softcapping", "partial_rotary_factor"),
        ),
        _ABOVE_0,
    ),
    **dict.fromkeys(
        (
            *("use_cache", "tie_word_embeddings", "attention_bias", "mlp_bias", "is_decoder"),
            *("use_sliding_window", "is_encoder_decoder", "output_attentions", "use_bfloat16"),
            *("output_hidden_states", "return_dict", "use_return_dict", "torchscript"),
        ),
        _FLAG,
    ),
    **dict.fromkeys(
        (
            *("model_type", "hidden_act", "hidden_activation", "activation_function"),
            *("position_embedding_type", "problem_type", "transformers_version"),
            *("classifier_pooling", "tokenizer_class", "_name_or_path"),
        ),
        _TEXT,
    ),
    **dict.fromkeys(("architectures", "layer_types", "keys_to_ignore_at_inference"), _TEXTS),
    **dict.fromkeys(
        ("auto_map", "label2id", "quantization_config", "task_specific_params"), _OBJECT
    ),
    "id2label": Values("an object of numbers and labels", _is_labels),
    **dict.fromkeys(
        ("rope_scaling", "rope_parameters"),
        Values("an object with a rope_type and finite numbers of at least 0", _is_rope),
    ),
    **dict.fromkeys(
        ("dtype", "torch_dtype"),
        Values(
            f"one of {', '.join(_DTYPES)}",
            lambda v: isinstance(v, str) and v in _DTYPES,
        ),
    ),
}

# Names that differ between families.
_PATTERNS = {
    re.compile(r"(^|_)eps(ilon)?$"): _SHARE,
    re.compile(r"dropout|_pdrop$"): Values(
        "a number from 0 to 1, or true or false", lambda v: isinstance(v, bool) or _SHARE.accepts(v)
    ),
}
_ANY_NUMBER = Values("a number", lambda v: not math.isnan(v))

_SPECIAL_TOKENS = {
    **dict.fromkeys(
        (
            *("bos_token", "eos_token", "unk_token", "pad_token"),
            *("cls_token", "sep_token", "mask_token"),
        ),
        _TOKEN,
    ),
    "additional_special_tokens": _TOKENS,
    "extra_special_tokens": Values(
        "a list or an object of tokens",
        lambda v: (
            isinstance(v, list | dict)
            and all(_is_token(one) for one in (v.values() if isinstance(v, dict) else v))
        ),
    ),
}
_TOKENIZER = {
    **_SPECIAL_TOKENS,
    "model_max_length": Values(
        "a number of at least 1", lambda v: _is_number(v, 1) and v < math.inf
    ),
    **dict.fromkeys(
        (
            *("add_bos_token", "add_eos_token", "add_prefix_space", "clean_up_tokenization_spaces"),
            *("do_lower_case", "legacy", "split_special_tokens", "use_fast", "strip_accents"),
            *("tokenize_chinese_chars", "keep_accents", "remove_space", "from_slow"),
            "use_default_system_prompt",
        ),
        _FLAG,
    ),
    **dict.fromkeys(("padding_side", "truncation_side"), _SIDE),
    **dict.fromkeys(
        ("tokenizer_class", "name_or_path", "special_tokens_map_file", "tokenizer_file"), _TEXT
    ),
    "chat_template": Values("a template's text, or a list of named ones", _is_chat_template),
    "model_input_names": _TEXTS,
    **dict.fromkeys(("auto_map", "sp_model_kwargs"), _OBJECT),
    "added_tokens_decoder": Values("an object of ids and tokens", _is_added_tokens),
}

_TOKENIZER_FILES: Mapping[str, Mapping[str, Values]] = {
    "tokenizer_config.json": _TOKENIZER,
    "special_tokens_map.json": _SPECIAL_TOKENS,
}
_ADDED_TOKENS = "added_tokens.json"


def require_config_values(name: str, values: Mapping[str, Any]) -> None:
    """Rejects a config.json with a value that is not allowed.

    Args:
        name: The checkpoint, for messages.
        values: The content of its config.json.

    Raises:
        CheckpointError: A field has such a value.
    """
    where = f"{name}: config.json"
    known = {**_CONFIG, **_by_pattern(values)}
    if values.get("use_sliding_window") is False:
        # Qwen's mixtures of experts write 0 for a window that is not used.
        known["sliding_window"] = _WHOLE
    _require(where, values, known)


def _by_pattern(values: Mapping[str, Any]) -> dict[str, Values]:
    """The allowed values of fields that are not in the table, by patterns of their names."""
    found = {field: _ANY_NUMBER for field, value in values.items() if isinstance(value, float)}
    for pattern, allowed in _PATTERNS.items():
        found |= {field: allowed for field in values if pattern.search(field)}
    return {field: allowed for field, allowed in found.items() if field not in _CONFIG}


def require_tokenizer_values(name: str, file: str, values: Mapping[str, Any]) -> None:
    """Rejects a tokenizer file with a value that is not allowed.

    Args:
        name: The checkpoint, for messages.
        file: Which file.
        values: Its content.

    Raises:
        CheckpointError: A field has such a value.
    """
    where = f"{name}: {file}"
    if file == _ADDED_TOKENS:
        _require(where, values, dict.fromkeys(values, _WHOLE))
    _require(where, values, _TOKENIZER_FILES.get(file, {}))


def read_index(name: str, file: str, index: Mapping[str, Any]) -> tuple[dict[str, str], int | None]:
    """The file of each weight, and the bytes of all of them, from an index of shards.

    Args:
        name: The checkpoint, for messages.
        file: The index.
        index: Its content.

    Raises:
        CheckpointError: It names a file outside its folder or none, or the size is not a number.
    """
    where = f"{name}: {file}"
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _refusal(where, "weight_map", weight_map, "an object with the file of each weight")
    for key, shard in weight_map.items():
        if not _is_file_name(shard):
            raise _refusal(
                where,
                f"weight_map of {quoted(key)}",
                shard,
                "the name of a file in the folder of the index",
            )
    metadata = index.get("metadata")
    if metadata is None:
        return weight_map, None
    if not isinstance(metadata, dict):
        raise _refusal(where, "metadata", metadata, "an object")
    size = metadata.get("total_size")
    # Older versions of transformers wrote it as a float.
    if size is not None and not _is_number(size, 0, _MOST_BYTES):
        raise _refusal(where, "metadata.total_size", size, "a number of bytes, or nothing")
    return weight_map, None if size is None else int(size)


def _is_file_name(value: object) -> bool:
    if not isinstance(value, str) or not value or value in (".", ".."):
        return False
    return not any(mark in value for mark in ("/", "\\", "\0", ":"))


def _require(where: str, values: Mapping[str, Any], fields: Mapping[str, Values]) -> None:
    for field in _in_order(values, fields):
        value, known = values[field], fields[field]
        if value is not None and not known.accepts(value):
            raise _refusal(where, field, value, known.allowed)


def _in_order(values: Mapping[str, Any], fields: Mapping[str, Values]) -> Iterable[str]:
    return (field for field in fields if field in values)


def _refusal(where: str, field: str, value: object, allowed: str) -> CheckpointError:
    return CheckpointError(
        f"{where}: {field} is {quoted(value)}, but must be {allowed}. Correct the file, or "
        "download it again."
    )
