"""Tiny checkpoints, as the judges' tests write them."""

from __future__ import annotations

from tests.checkpoints.tiny_adapters import adapter
from tests.judges.conftest import chat_tokenizer, write_model

__all__ = ["adapter", "chat_tokenizer", "write_model"]
