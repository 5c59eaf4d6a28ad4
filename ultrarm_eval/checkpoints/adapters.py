"""Finds PEFT's LoRA adapters, next to their base or alone.

They are read weights-only and PEFT is not needed. `adapted_weights` applies an adapter to the
weights, `adapter_config` reads its settings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from ultrarm_eval.checkpoints.adapter_config import AdapterConfig, read_adapter_config
from ultrarm_eval.checkpoints.adapter_variants import ADAPTER_CONFIG, advice_to_merge
from ultrarm_eval.checkpoints.adapter_weights import (
    ADAPTER_WEIGHTS,
    AdapterWeights,
    find_weights,
)
from ultrarm_eval.checkpoints.files import Fetch, exists, fetcher, hub_commit, read_json
from ultrarm_eval.errors import CheckpointError, ConfigurationError

_WHOLE_WEIGHTS = tuple(
    f"{file}{index}"
    for file in ("model.safetensors", "pytorch_model.bin")
    for index in ("", ".index.json")
)
# Parts of the names of the layers that PEFT adds to a model or wraps.
_PART = re.compile(
    r"(^|\.)(lora_|lokr_|hada_|ia3_|vera_|oft_|boft_|modules_to_save\.|original_module\."
    r"|base_layer\.|prompt_encoder\.|prompt_embeddings)|^base_model\.model\."
)
_TRAINED = re.compile(r"\.modules_to_save\.[^.]+\.")


@dataclass(frozen=True)
class Adapter:
    """An adapter, inspected before its base.

    Attributes:
        name: Its folder or hub id.
        revision: Its hub revision, as given.
        commit: The hub commit it resolved to; None for a folder.
        fetch: How to get its files.
        config: The content of its adapter_config.json.
        weights: Its tensors.
        is_alone: Whether its base is the one that its adapter_config.json names.
    """

    name: str
    revision: str | None
    commit: str | None
    fetch: Fetch
    config: AdapterConfig
    weights: AdapterWeights
    is_alone: bool

    def base(self) -> tuple[str, str | None]:
        """The base that its adapter_config.json names, and its revision.

        Raises:
            CheckpointError: It names none, or two folders could be meant.
        """
        named = self.config.base
        if named is None:
            raise CheckpointError(
                f"{self.name}: {ADAPTER_CONFIG} names no base (base_model_name_or_path). "
                f"{self.how_to_name_it()}"
            )
        beside, here = Path(self.name).expanduser() / named, Path(named).expanduser()
        is_beside = Path(self.name).expanduser().is_dir() and beside.is_dir()
        if not is_beside:
            return named, self.config.base_revision
        if here.is_dir() and not here.samefile(beside):
            raise CheckpointError(
                f"{self.name}: {ADAPTER_CONFIG} names the base {named!r}, but there are two such "
                f"folders, {beside} and {here.resolve()}. {self.how_to_name_it()}"
            )
        return str(beside.resolve()), None

    def how_to_name_it(self) -> str:
        """How a user names the base."""
        return (
            f"Name the base by its folder or hub id: pretrained=BASE,peft={self.name}"
            f"{f',peft_revision={self.revision}' if self.revision else ''}."
        )

    def digest(self) -> str:
        """Identifies it: the hub commit, or a folder's weights and how they are merged."""
        if self.commit:
            return self.commit
        # The base's location does not matter: its weights are identified.
        settings = {**asdict(self.config), "base": None, "base_revision": None}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        with self.weights.path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
        return digest.hexdigest()


def find_adapter(
    name: str,
    revision: str | None = None,
    peft: str | None = None,
    peft_revision: str | None = None,
) -> Adapter | None:
    """The adapter that is named with a base, or instead of one; None if there is none.

    Args:
        name: A folder, or a hub id.
        revision: Its hub revision.
        peft: The adapter's folder or hub id, where it is named.
        peft_revision: Its hub revision.

    Raises:
        CheckpointError: It cannot be found or read, is not a LoRA adapter, or is in the folder of
            a complete model.
        ConfigurationError: A revision was given without an adapter.
    """
    fetch = fetcher(name, revision)
    is_adapter = fetch(ADAPTER_CONFIG) is not None
    has_whole = is_adapter and any(exists(name, file, revision) for file in _WHOLE_WEIGHTS)
    if peft is None:
        if peft_revision is not None:
            raise ConfigurationError(
                f"peft_revision={peft_revision} is the revision of an adapter, but peft is not "
                f"set. For {name} itself, set revision={peft_revision}."
            )
        if not is_adapter:
            _refuse_bare_weights(name, fetch)
            return None
        if has_whole:
            raise CheckpointError(
                f"{name}: it contains a complete model and an adapter ({ADAPTER_CONFIG}), and it "
                "is unknown whether they are merged already. With the adapter: "
                f"pretrained={name},peft={name}. Without: remove {ADAPTER_CONFIG} from a copy."
            )
        return _read(name, revision, fetch, is_alone=True)
    if is_adapter and not has_whole:
        if _is_same(name, peft):
            return _read(name, peft_revision or revision, fetch, is_alone=True)
        raise CheckpointError(
            f"{name}: this is an adapter, and peft={peft} is another one. Set pretrained to the "
            "base and peft to its adapter; an adapter on an adapter is not supported."
        )
    return _read(peft, peft_revision, fetcher(peft, peft_revision), is_alone=False)


def _read(name: str, revision: str | None, fetch: Fetch, *, is_alone: bool) -> Adapter:
    path = fetch(ADAPTER_CONFIG)
    if path is None:
        _refuse_bare_weights(name, fetch)
        raise CheckpointError(
            f"{name}: there is no {ADAPTER_CONFIG}, so this is not a PEFT adapter. For a complete "
            "model, set only pretrained=DIR."
        )
    values = read_json(path)
    config = read_adapter_config(name, values)
    weights = find_weights(name, fetch)
    if weights is None:
        raise CheckpointError(
            f"{name}: there are no adapter weights; looked for {', '.join(ADAPTER_WEIGHTS)}."
        )
    weights.require_numbers()
    _ = weights.parts
    commit = hub_commit(path) if not Path(name).expanduser().is_dir() else None
    return Adapter(name, revision, commit, fetch, config, weights, is_alone)


def _is_same(one: str, other: str) -> bool:
    here, there = Path(one).expanduser(), Path(other).expanduser()
    return one == other or (here.is_dir() and there.is_dir() and here.samefile(there))


def _refuse_bare_weights(name: str, fetch: Fetch) -> None:
    """Rejects an adapter's weights without the file that contains their scaling."""
    if fetch("config.json") is not None:
        return
    weights = next((file for file in ADAPTER_WEIGHTS if fetch(file) is not None), None)
    if weights is not None:
        raise CheckpointError(
            f"{name}: {weights} are the weights of a PEFT adapter, but its {ADAPTER_CONFIG}, "
            "which contains their scaling, is missing. Copy it from where the adapter was saved."
        )


def refuse_adapter_weights(name: str, keys: Collection[str]) -> None:
    """Refuses weights of an adapter that was saved within its model and not merged.

    Args:
        name: The checkpoint, for messages.
        keys: The names of its weights.

    Raises:
        CheckpointError: There are such weights.
    """
    parts = sorted(key for key in keys if _PART.search(key))
    if not parts:
        return
    trained = next((key for key in parts if _TRAINED.search(key)), None)
    head = "" if trained is None else f" {trained!r} is the trained head or another trained layer."
    raise CheckpointError(
        f"{name}: its weights contain an unmerged PEFT adapter, so its rewards would be wrong: "
        f"{len(parts)} weights, such as {parts[0]!r}.{head} {advice_to_merge()}."
    )
