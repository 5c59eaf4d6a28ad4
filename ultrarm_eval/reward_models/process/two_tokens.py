"""Process reward models that are language models: `+` or `-` follows a step."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
from torch import nn

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.headed_decoder import Shapes
from ultrarm_eval.checkpoints.heads import Linear32
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.reward_models.process.process_model import INNER, ProcessModel
from ultrarm_eval.reward_models.process.step_reward import ClassShare

_LANGUAGE_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class TwoTokenModel(ProcessModel):
    """A causal language model whose logits of two tokens are a step's two classes.

    Attributes:
        language_models: The classes that config.json names, which say nothing of rewards.
        published_name: What the names of published ones have.
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
        """See `Architecture.recognises`; by the name, for config.json says nothing."""
        is_causal = bool(self.language_models.intersection(survey.classes))
        return is_causal and any(map(self.published_name.search, names_of(survey)))

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`: two rows of the language head."""
        return {f"{INNER}weight": WeightSource((_stored_in(survey),), self._rows(survey))}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        return ClassShare(Linear32(config.hidden_size, 2, bias=False), index=0)

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        super().require_weights(survey, network)
        config: Any = network.config
        key = _stored_in(survey)
        shape = survey.shape(key)
        wanted = (config.vocab_size, config.hidden_size)
        if shape is not None and tuple(shape) != wanted:
            raise CheckpointError(
                f"{survey.name}: its weight {key!r} has the shape {list(shape)}, and its "
                f"config.json describes {list(wanted)}: they do not belong together."
            )

    def _rows(self, survey: Survey) -> Callable[[torch.Tensor], torch.Tensor]:
        def rows(weight: torch.Tensor) -> torch.Tensor:
            # The files of a checkpoint are what its tokenizer is loaded from.
            source = SimpleNamespace(
                name=survey.name,
                revision=survey.revision,
                fetch=survey.fetch,
                config=SimpleNamespace(**survey.values),
            )
            tokenizer = load_tokenizer(cast(Checkpoint, source)).tokenizer
            return weight[self.sign_ids(tokenizer, survey.name)].clone()

        return rows


def names_of(survey: Survey) -> tuple[str, str]:
    """What a checkpoint is called: the ends of its own name and of the one in its config.json."""
    names = (survey.name, str(survey.values.get("_name_or_path") or ""))
    first, second = (re.split(r"[\\/]", name.lower().rstrip("\\/"))[-1] for name in names)
    return first, second


def _stored_in(survey: Survey) -> str:
    is_tied = survey.values.get("tie_word_embeddings") and _LANGUAGE_HEAD not in survey.keys
    return _EMBEDDING if is_tied else _LANGUAGE_HEAD
