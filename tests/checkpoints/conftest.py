"""Tiny checkpoints, as the judges' tests write them."""

from __future__ import annotations

from tests.judges.conftest import chat_tokenizer, write_model

__all__ = ["chat_tokenizer", "write_model"]
