"""The demo judge's tokenizer: sentencepiece BPE in the layout of Llama's."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

VOCABULARY_SIZE = 1000
BOS_ID, EOS_ID = 1, 2

_TOKENIZER_CONFIG = {
    "tokenizer_class": "LlamaTokenizer",
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "legacy": True,
}


def train_tokenizer(texts: Iterable[str], folder: Path) -> None:
    """Trains a tokenizer and writes `tokenizer.model` and `tokenizer_config.json`.

    Args:
        texts: What to learn the pieces from.
        folder: Where to write.
    """
    # Line by line, as Llama's was: a newline then falls back to its byte.
    lines = (line for text in texts for line in text.split("\n") if line)
    # Into memory: a path given to the trainer would be stored in the file.
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=buffer,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE,
        unk_id=0,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        pad_id=-1,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        allow_whitespace_only_pieces=True,
        num_threads=1,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(buffer.getvalue())
    config = json.dumps(_TOKENIZER_CONFIG, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(config, encoding="utf-8", newline="\n")
