"""Identifies a checkpoint's files: the SHA-256 of all that its rewards depend on."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ultrarm_eval.checkpoints.adapters import Adapter
from ultrarm_eval.checkpoints.files import Fetch
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.weights import WeightFiles
from ultrarm_eval.errors import CheckpointError

#: Files that the token ids, and so the rewards, depend on besides the weights.
TOKENIZER_FILES = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
# The hub's cache names a large file by its SHA-256.
_BLOB = re.compile(r"[0-9a-f]{64}")


def digest_of_files(name: str, weights: WeightFiles, fetch: Fetch) -> str:
    """The digest of a checkpoint's files.

    Args:
        name: The checkpoint, for messages.
        weights: Its weight files.
        fetch: How to get its files.

    Raises:
        CheckpointError: A file cannot be read, or differs from the downloaded one.
    """
    small = [path for path in map(fetch, ("config.json", *TOKENIZER_FILES)) if path is not None]
    found = [fetch(file) for file in sorted((*weights.files, *weights.further_files))]
    paths = [*small, *(path for path in found if path is not None)]
    if None in found:
        raise CheckpointError(f"{name}: a weight file was deleted while it was read.")
    unreadable = as_checkpoint_error(f"{name}: a file cannot be read")
    with unreadable, ThreadPoolExecutor() as threads:
        digests = list(threads.map(_sha256, paths))
    for path, digest in zip(paths, digests, strict=True):
        _require_blob(name, path, digest)
    lines = [f"{path.name} {digest}" for path, digest in zip(paths, digests, strict=True)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def digest_with_adapter(base: str, adapter: Adapter) -> str:
    """The digest of a base and an adapter on it.

    Args:
        base: The base's digest.
        adapter: The adapter; its tokenizer comes before the base's.
    """
    small = map(adapter.fetch, TOKENIZER_FILES)
    parts = [base, adapter.digest(), *(_sha256(path) for path in small if path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _require_blob(name: str, path: Path, digest: str) -> None:
    blob = path.resolve().name
    if _BLOB.fullmatch(blob) and path.is_symlink() and blob != digest:
        raise CheckpointError(
            f"{name}: {path.name} differs from the file on the hub: its SHA-256 is "
            f"{digest[:12]}…, the hub's is {blob[:12]}…. Delete it from the cache, and download "
            "it again."
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return digest.hexdigest()
