"""A base's stored weights with an adapter merged into them as they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import torch

from ultrarm_eval.checkpoints.adapter_config import AdapterConfig
from ultrarm_eval.checkpoints.adapter_variants import ADAPTER_CONFIG
from ultrarm_eval.checkpoints.adapter_weights import AdapterWeights
from ultrarm_eval.checkpoints.weight_change import WeightChange
from ultrarm_eval.checkpoints.weights import StoredWeight
from ultrarm_eval.errors import CheckpointError

#: Families whose layers keep their weights as (inputs, outputs): transformers' Conv1D.
_INPUTS_FIRST = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer"})
#: Names of heads; heads are linear layers in these families, too.
_HEAD = re.compile(r"(^|\.)(score|classifier|v_head|value_head|regression_head|lm_head|head)(\.|$)")
_LINEAR, _EMBEDDING = {"a", "b"}, {"embedding_a", "embedding_b"}
_LAYER = re.compile(r"\.\d+\.")


@dataclass(frozen=True)
class AdaptedWeights:
    """Applies an adapter to a base's weights.

    Attributes:
        name: The adapter, for messages.
        config: The content of its adapter_config.json.
        weights: Its tensors.
        base: The base, for messages.
        keys: The names of the base's weights, as they are stored.
        model_type: The base's family.
        unties_head: Whether the base's language head is tied to its embedding, and the adapter
            changes only one of the two.
    """

    name: str
    config: AdapterConfig
    weights: AdapterWeights
    base: str
    keys: frozenset[str]
    model_type: str
    unties_head: bool = False
    _changes: dict[str, WeightChange] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Finds every weight that the adapter changes.

        Raises:
            CheckpointError: The base lacks such a weight, or a change lacks a part.
        """
        if self.unties_head and "lm_head.weight" not in self.keys:
            embedding = self._stored("model.embed_tokens.weight") or self._stored("wte.weight")
            if embedding is None:
                raise CheckpointError(
                    f"{self.base}: its language head is tied to its embedding, which {self.name} "
                    "changes, but its weights contain no embedding."
                )
            self._changes["lm_head.weight"] = WeightChange(embedding)
        for weight, key in self.weights.parts.whole.items():
            self._change(weight, may_be_new=self._may_be_new(weight)).whole = key
        for module, parts in self.weights.parts.changes.items():
            self._place(module, parts)
        self._require_all_layers()

    @property
    def changed(self) -> Collection[str]:
        """The stored names of the weights that the adapter changes, or adds."""
        return self._changes.keys()

    @property
    def stored(self) -> dict[str, StoredWeight]:
        """Weights that replace the base's or are added, by stored name."""
        return {
            key: self.weights.stored[change.whole]
            for key, change in self._changes.items()
            if change.whole is not None
        }

    def is_merged(self, key: str) -> bool:
        """Whether something is merged into a weight, so that it is float32 whatever the base's is.

        Args:
            key: Its stored name.
        """
        change = self._changes.get(key)
        return change is not None and change.is_merged

    def read(self, key: str, stored: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """A weight with its change; float32 where something is merged into it.

        Args:
            key: Its stored name; one of `changed`.
            stored: Reads a weight of the base.

        Raises:
            CheckpointError: The shapes do not belong together, or the result is not finite.
        """
        change = self._changes[key]
        if change.whole is not None:
            weight = self.weights.read(change.whole)
        else:
            weight = stored(str(change.base))
        if not self.is_merged(key):
            return weight
        try:
            merged = self._merged(change, weight)
        except CheckpointError as error:
            raise self._unfitting(key, str(error)) from error
        if not torch.isfinite(merged).all():
            raise CheckpointError(
                f"{self.name}: merged into {self.base}, the weight {key!r} contains NaN or "
                "infinity. Check both for damaged files."
            )
        return merged

    def require_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Rejects changes of another shape than the weights, before any weight is loaded.

        Args:
            shapes: The shapes of the network's weights by stored name, as far as they are known.

        Raises:
            CheckpointError: A change has another shape.
        """
        for key, change in self._changes.items():
            shape = shapes.get(key)
            if shape is None:
                continue
            if change.whole is not None:
                found = self.weights.stored[change.whole].shape
                if found != shape:
                    raise self._unfitting(key, f"it has {list(found)}, the model {list(shape)}")
            if self.is_merged(key):
                weight = torch.empty(shape, device="meta")
                try:
                    self._merged(change, weight)
                except CheckpointError as error:
                    raise self._unfitting(key, str(error)) from error

    def require_read(self, read: Collection[str], network: str) -> None:
        """Refuses changes of weights that a network does not have.

        Args:
            read: The stored names of the weights that it uses.
            network: Its class, for messages.

        Raises:
            CheckpointError: There is such a change.
        """
        unread = next((key for key in sorted(self._changes) if not _is_among(key, read)), None)
        if unread is not None and not (self.unties_head and unread == "lm_head.weight"):
            raise CheckpointError(
                f"{self.name}: it changes {unread!r}, which this model ({network}) does not use: "
                "it was trained on another type of model, and its rewards would be wrong."
            )

    def _place(self, module: str, parts: Mapping[str, str]) -> None:
        kinds = parts.keys() - {"rows"}
        if kinds:
            is_embedding = bool(kinds & _EMBEDDING)
            lacking = (_EMBEDDING if is_embedding else _LINEAR) - kinds
            known = (_EMBEDDING if is_embedding else {*_LINEAR, "bias"}) | {"magnitude"}
            if lacking or kinds - known or self.config.use_dora != ("magnitude" in kinds):
                raise self._incomplete(module, parts)
            if "bias" in kinds and "magnitude" in kinds:
                raise CheckpointError(
                    f"{self.name}: {module} has DoRA magnitudes and a LoRA bias, which cannot be "
                    "merged together."
                )
            change = self._change(f"{module}.weight")
            whole = change.whole or ""
            if whole and not is_embedding and ".base_layer." not in whole and module != "lm_head":
                raise CheckpointError(
                    f"{self.name}: {whole!r} is the complete weight of {module}, and there is "
                    "also LoRA on it: it is unknown which of them the model was trained with."
                )
            change.module, change.kind = module, "embedding" if is_embedding else "linear"
            self._require_rank(module, parts)
            if "bias" in kinds:
                bias = self._change(f"{module}.bias")
                bias.module, bias.kind = module, "bias"
        if "rows" in parts:
            if kinds:
                raise self._incomplete(module, parts)
            if self.config.rows_of(module) is None:
                raise CheckpointError(
                    f"{self.name}: its weight {parts['rows']!r} contains trained rows, but "
                    f"{ADAPTER_CONFIG} does not name them (trainable_token_indices)."
                )
            change = self._change(f"{module}.weight")
            change.rows, change.module = parts["rows"], module

    def _require_rank(self, module: str, parts: Mapping[str, str]) -> None:
        key = parts.get("a") or parts["embedding_a"]
        shape, rank = self.weights.stored[key].shape, self.config.rank_of(module)
        if len(shape) != 2:
            raise CheckpointError(
                f"{self.name}: its weight {key!r} has the shape {list(shape)}; only LoRA on "
                "linear layers and embeddings is supported."
            )
        if shape[0] != rank:
            raise CheckpointError(
                f"{self.name}: its weight {key!r} has the shape {list(shape)}, but "
                f"{ADAPTER_CONFIG} gives {module} the rank {rank} (r, rank_pattern), which the "
                "scaling depends on. The file does not belong to these weights."
            )

    def _merged(self, change: WeightChange, weight: torch.Tensor) -> torch.Tensor:
        is_turned = self.model_type in _INPUTS_FIRST and not _HEAD.search(change.module)
        return change.merged_into(weight, self.weights, self.config, inputs_first=is_turned)

    def _change(self, weight: str, *, may_be_new: bool = False) -> WeightChange:
        """The change of a weight of the model, which the base has under this or a similar name."""
        key = self._stored(weight)
        if key is None and weight in self._changes:
            key = weight
        if key is None and not may_be_new:
            raise self._not_in_base(weight)
        return self._changes.setdefault(key or weight, WeightChange(key))

    def _stored(self, weight: str) -> str | None:
        """The stored name of a weight: files can lack the body's prefix, or have an extra one."""
        if weight in self.keys:
            return weight
        near = [key for key in self.keys if _is_same(key, weight)]
        return near[0] if len(near) == 1 else None

    def _may_be_new(self, weight: str) -> bool:
        """Whether the base may lack a whole weight: one of a head or a completely trained layer."""
        return any(
            f".{weight}".find(f".{module}.") >= 0 for module in self.config.modules_to_save
        ) or bool(_HEAD.search(weight))

    def _require_all_layers(self) -> None:
        """Rejects an adapter that lacks layers which its settings name: it is incomplete."""
        config = self.config
        if not isinstance(config.targets, tuple) or config.layers or config.excluded:
            return
        changed = {change.module for change in self._changes.values() if change.kind}
        kinds = {_LAYER.sub(".*.", module) for module in changed}
        for key in sorted(self.keys):
            module = key.removesuffix(".weight")
            if module == key or _LAYER.sub(".*.", module) not in kinds:
                continue
            is_target = any(module == one or module.endswith(f".{one}") for one in config.targets)
            if is_target and module not in changed:
                raise CheckpointError(
                    f"{self.name}: it has no weights for {module}, which is one of its "
                    f"target_modules ({ADAPTER_CONFIG}). Some of its weights are missing."
                )

    def _not_in_base(self, weight: str) -> CheckpointError:
        module = weight.rsplit(".", 1)[0]
        if _HEAD.search(module):
            return CheckpointError(
                f"{self.name}: it has LoRA on the head {module!r}, but the base {self.base} has "
                "no such head. The head was random in training and was not saved, so the rewards "
                "cannot be reproduced. Train the adapter again with a fully trained head: "
                f'LoraConfig(modules_to_save=["{module.rsplit(".", 1)[-1]}"]).'
            )
        return CheckpointError(
            f"{self.name}: it changes {weight!r}, but the base {self.base} has no weight of that "
            "name: the adapter belongs to another model. Use that one: "
            f"pretrained=BASE,peft={self.name}."
        )

    def _incomplete(self, module: str, parts: Mapping[str, str]) -> CheckpointError:
        found = ", ".join(map(repr, sorted(parts.values())))
        dora = "with magnitudes (use_dora)" if self.config.use_dora else "without magnitudes"
        return CheckpointError(
            f"{self.name}: for {module} it has only {found}; LoRA needs two factors, lora_A and "
            f"lora_B, here {dora}. Some of its weights are missing, or {ADAPTER_CONFIG} belongs "
            "to another adapter."
        )

    def _unfitting(self, key: str, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self.name}: its change of {key!r} does not fit the base {self.base}: {why}. The "
            f"adapter belongs to another model. Use that one: pretrained=BASE,peft={self.name}."
        )


def _is_same(one: str, other: str) -> bool:
    return one.endswith(f".{other}") or other.endswith(f".{one}")


def _is_among(key: str, names: Iterable[str]) -> bool:
    """Whether a stored weight is one of a network's, with or without the body's prefix."""
    known = names if isinstance(names, set | frozenset) else set(names)
    return key in known or any(_is_same(key, name) for name in known)
