"""The tokenizer files of a converted checkpoint: copied, or in a form that every version reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultrarm_eval.checkpoints.digest import TOKENIZER_FILES
from ultrarm_eval.checkpoints.files import read_json
from ultrarm_eval.checkpoints.tokenizer import TokenizerOwner, tokenizer_place

_CONFIG, _SPECIAL = "tokenizer_config.json", "special_tokens_map.json"
_TEMPLATE, _TEMPLATE_FIELD = "chat_template.jinja", "chat_template"
_PAD = "pad_token"
# Fields of tokenizer_config.json that are kept, besides special tokens, in a rewritten tokenizer.
_KEPT = ("model_max_length", "padding_side", "truncation_side")


def write_tokenizer(
    checkpoint: TokenizerOwner, tokenizer: Any, folder: Path, pad: str | None
) -> None:
    """Writes the files.

    transformers 4, transformers 5 and other engines read a sentencepiece model alone differently:
    a tokenizer.json is written next to it.

    Args:
        checkpoint: The checkpoint.
        tokenizer: Its tokenizer, as it was loaded.
        folder: The target folder.
        pad: The padding token to set; None keeps the present one.
    """
    place = tokenizer_place(checkpoint)
    for file in TOKENIZER_FILES:
        path = place.fetch(file)
        if path is not None and (place.is_as_stored or file.endswith(".model")):
            shutil.copyfile(path, folder / file)
    if not place.is_as_stored:
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
        _write(folder / _CONFIG, _described(tokenizer, place.stated))
    _put_chat_template(tokenizer, folder)
    if pad is not None:
        for file in (_CONFIG, _SPECIAL):
            stated = _read(folder / file)
            if file == _CONFIG or stated:
                _write(folder / file, {**stated, _PAD: pad})


def _described(tokenizer: Any, stated: Mapping[str, Any]) -> dict[str, Any]:
    """A tokenizer_config.json with the fields that tokenizer.json does not have."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{key: stated[key] for key in _KEPT if key in stated},
        **{
            name: token
            for name, token in tokenizer.special_tokens_map.items()
            if isinstance(token, str)
        },
        "clean_up_tokenization_spaces": False,
    }


def _put_chat_template(tokenizer: Any, folder: Path) -> None:
    """Ensures that the files contain the loaded chat template, such as an adapter's."""
    loaded, stated = tokenizer.chat_template, _read(folder / _CONFIG)
    path = folder / _TEMPLATE
    written = path.read_text(encoding="utf-8") if path.is_file() else stated.get(_TEMPLATE_FIELD)
    if not isinstance(loaded, str) or loaded == written:
        return
    path.write_text(loaded, encoding="utf-8")
    # Versions that know no separate template file read it there.
    _write(folder / _CONFIG, {**stated, _TEMPLATE_FIELD: loaded})


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
