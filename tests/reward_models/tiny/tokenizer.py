"""Small byte-level tokenizers that give chosen words and special tokens the published ids.

The vocabulary has holes: every byte, a few merged words, and the special tokens at the ids that
the real model has them at, so that ids written into published code hold for the tiny model too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

Turns = list[dict[str, str]]


def write_tokenizer(
    folder: Path,
    *,
    special: Mapping[str, int],
    words: Mapping[str, int] | None = None,
    bos: str | None = None,
    adds_bos: bool = False,
    template: str | None = None,
    **settings: Any,
) -> None:
    """Writes tokenizer.json and tokenizer_config.json.

    Args:
        folder: Where the checkpoint lies.
        special: Special tokens and their ids.
        words: Texts of ASCII characters that are one token, and the ids of these.
        bos: The token that begins a text.
        adds_bos: Whether the tokenizer itself puts `bos` before a text.
        template: The chat template.
        settings: Further keys of tokenizer_config.json: eos_token, pad_token, ...
    """
    tokenizer = Tokenizer(_byte_level_bpe(special, words or {}))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    if adds_bos:
        if bos is None:
            raise ValueError("adds_bos needs the token `bos`")
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, special[bos])]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    config |= {"bos_token": bos} if bos else {}
    config |= {"chat_template": template} if template else {}
    (folder / "tokenizer_config.json").write_text(
        json.dumps(config | settings, indent=2), encoding="utf-8"
    )


def _byte_level_bpe(special: Mapping[str, int], words: Mapping[str, int]) -> models.BPE:
    """A BPE model whose words grow by one byte a merge, from the left."""
    taken = {*special.values(), *words.values()}
    free = (number for number in range(1 << 20) if number not in taken)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    pieces = {byte_level.pre_tokenize_str(word)[0][0]: number for word, number in words.items()}
    vocabulary = {
        byte: pieces.get(byte) if byte in pieces else next(free)
        for byte in sorted(pre_tokenizers.ByteLevel.alphabet())
    }
    merges = []
    for piece in pieces:
        for end in range(2, len(piece) + 1):
            merged = piece[:end]
            if merged not in vocabulary:
                vocabulary[merged] = pieces[merged] if merged in pieces else next(free)
                merges.append((piece[: end - 1], piece[end - 1]))
    return models.BPE(vocab={**vocabulary, **special}, merges=merges)


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint, as its tokenizer.json has it.

    Not by AutoTokenizer, which asks to run the code that an `auto_map` of config.json names.
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def turns(prompt: str | Turns, completion: str) -> Turns:
    """A prompt, which may be a conversation, and its completion as a conversation."""
    before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [*before, {"role": "assistant", "content": completion}]


def template_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """Ids of the conversation in the checkpoint's own template, which writes BOS itself."""
    tokenizer = read_tokenizer(folder)
    text = tokenizer.apply_chat_template(turns(prompt, completion), tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def occurrences(ids: list[int], pattern: list[int]) -> list[int]:
    """Where a pattern of ids starts in a text, at least once.

    Raises:
        ValueError: The text lacks it.
    """
    length = len(pattern)
    found = [at for at in range(len(ids)) if ids[at : at + length] == pattern]
    if not found:
        raise ValueError(f"the text has no tokens {pattern}")
    return found
