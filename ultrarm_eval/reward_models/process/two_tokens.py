"""Process reward models that are language models: `+` or `-` follows a step."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import torch
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import Shapes
from ultrarm_eval.checkpoints.heads import Linear32
from ultrarm_eval.checkpoints.language_head import language_head, require_language_head
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import tokenizer_of
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.reward_models.process.process_model import INNER, ProcessModel
from ultrarm_eval.reward_models.process.step_reward import ClassShare


class TwoTokenModel(ProcessModel):
    """A causal language model whose logits of two tokens are a step's two classes.

    Attributes:
        language_models: The classes that config.json names; they do not identify a reward model.
        published_name: A part of the names of the published checkpoints.
    """

    classes = frozenset()
    language_models: ClassVar[frozenset[str]]
    published_name: ClassVar[re.Pattern[str]]

    @abstractmethod
    def sign_ids(self, tokenizer: Any, name: str) -> list[int]:
        """The tokens of a good and of a bad step.

        Raises:
            CheckpointError: The tokenizer does not have one token for each.
        """

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; by the checkpoint's name, as config.json does not tell."""
        is_causal = bool(self.language_models.intersection(survey.classes))
        return is_causal and any(map(self.published_name.search, survey.called))

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`: two rows of the language head."""

        @cache
        def ids() -> list[int]:
            # The tokenizer determines which rows they are.
            return self.sign_ids(tokenizer_of(survey).tokenizer, survey.name)

        def rows(weight: torch.Tensor) -> torch.Tensor:
            return weight[ids()].clone()

        return {f"{INNER}weight": WeightSource((language_head(survey),), rows)}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        return ClassShare(Linear32(config.hidden_size, 2, bias=False), index=0)

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        super().require_weights(survey, network)
        require_language_head(survey, network.config)
