"""Reward models of OpenRLHF: a linear head at the EOS token that ends every text.

From OpenRLHF's openrlhf/models/model.py: a layer without bias, named by config.json's
`value_head_prefix` (default `score`; `value_head` in checkpoints from before that field), is
applied at the last token. config.json's `mean` and `std` are for PPO training: they are applied
only on request, whatever its `normalize_reward` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import Linear32, head_of_shapes
from ultrarm_eval.checkpoints.stock_classes import family_prefix
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judge_settings import NormalizeSettings
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.eos_encoder import EosEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.text_end import TextEnd

# OpenRLHF's names of the head, the newest first.
_HEADS = ("score", "value_head")
# Fields of config.json that only OpenRLHF writes.
_OWN_FIELDS = ("value_head_prefix", "normalize_reward")


class NormalizedHead(Linear32):
    """A linear layer whose output is normalized with the mean and std of training rewards."""

    def __init__(self, hidden_size: int, mean: float, std: float) -> None:
        """Takes the mean and std of config.json.

        Args:
            hidden_size: The width of the body.
            mean: The mean reward of the training data.
            std: The standard deviation of those rewards.
        """
        super().__init__(hidden_size, 1, bias=False)
        self._mean, self._std = mean, std

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps the last dimension, (..., hidden size) to (..., 1)."""
        return (super().forward(hidden) - self._mean) / self._std


class OpenRLHF(HeadedDecoder):
    """A checkpoint of OpenRLHF's `RewardModel`."""

    known_as = "an OpenRLHF reward model"
    reading = "a linear head at the EOS token that ends the text"
    classes = frozenset({"RewardModel"})
    # Buffers, which OpenRLHF fills from config.json.
    not_read = (r"^(mean|std)$",)
    head_fields = (*_OWN_FIELDS, "mean", "std")
    # OpenRLHF saves no code: code under this class name is somebody else's.
    is_known_code = False

    def __init__(self, *, normalize: bool = False) -> None:
        """Sets whether config.json's `mean` and `std` are applied.

        Args:
            normalize: Whether rewards are (r - mean) / std.
        """
        self._normalize = normalize
        if normalize:
            self.reading = f"{self.reading}, normalized with config.json's mean and std"

    def arguments(self) -> dict[str, Any]:
        """See `Architecture.arguments`."""
        return {"normalize": True} if self._normalize else {}

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; by OpenRLHF's own fields if no class is named."""
        is_said = not survey.classes and any(name in survey.values for name in _OWN_FIELDS)
        return is_said or super().recognises(survey)

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        config = super().read_config(survey)
        config.value_head_prefix = _head(survey)
        if self._normalize:
            _figures(survey.name, survey.values)
        return config

    def body_of(self, survey: Survey) -> str:
        """See `HeadedDecoder.body_of`; the family's own prefix."""
        return family_prefix(survey.model_type)

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        return {"weight": WeightSource.of(f"{_head(survey)}.weight")}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        name = f"{self.known_as}: {config.value_head_prefix}"
        head = head_of_shapes(shapes, config.hidden_size, name=name)
        if not self._normalize:
            return head
        return NormalizedHead(config.hidden_size, float(config.mean), float(config.std))


def _head(survey: Survey) -> str:
    """The name of a checkpoint's head."""
    named = survey.values.get("value_head_prefix")
    if named is not None:
        return str(named)
    there = [head for head in _HEADS if f"{head}.weight" in survey.keys]
    if len(there) > 1:
        raise CheckpointError(
            f"{survey.name}: the weights have two heads, {' and '.join(there)}, and config.json "
            "does not name the reward head. Set value_head_prefix in config.json to its name, and "
            "remove the other head."
        )
    return there[0] if there else _HEADS[0]


def _figures(name: str, values: Mapping[str, Any]) -> None:
    """Rejects a config.json without a usable mean and std."""
    found = {key: values.get(key) for key in ("mean", "std")}
    lacking = [key for key, value in found.items() if value is None]
    if lacking:
        raise ConfigurationError(
            f"normalize=True: the config.json of {name} has no {' and no '.join(lacking)} to "
            "normalize rewards with. Remove normalize: rewards are then the head's outputs."
        )
    for key, value in found.items():
        number = float(value) if isinstance(value, int | float) else math.nan
        if not math.isfinite(number) or (key == "std" and number <= 0):
            raise CheckpointError(
                f"{name}: config.json: {key} is {quoted(value)}; normalizing rewards needs a "
                f"number{' above 0' if key == 'std' else ''}."
            )


class OpenRLHFJudge(HeadedJudge):
    """Scores texts with an OpenRLHF reward model."""

    name = "openrlhf"
    settings_class = NormalizeSettings
    architecture = OpenRLHF()
    default_checkpoint = "OpenRLHF/Llama-3-8b-rm-mixture"
    given: NormalizeSettings

    def kind_of(self, survey: Survey) -> Architecture:
        """See `CheckpointJudge.kind_of`."""
        return OpenRLHF(normalize=self.given.normalize)

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return EosHead(self.checkpoint, normalize=self.given.normalize)


class EosHead(DecoderHead):
    """The head at the EOS token that closes every text."""

    def __init__(self, checkpoint: Checkpoint, *, normalize: bool) -> None:
        """Takes the checkpoint, and whether its rewards are normalized."""
        super().__init__(checkpoint)
        self._normalize = normalize

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {"normalize": self._normalize}

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return self.settings()

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """See `RewardHead.text_end`."""
        return TextEnd(closed_by_eos=True)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        return EosEncoder(loaded.tokenizer, template, name=self.checkpoint.name, **options)
