"""URM (LxzGordon/URM-LLaMa-3.1-8B): the means of five attributes, weighted by a second network.

At the last token, a linear layer outputs the mean and the spread of each attribute, interleaved,
and a perceptron with SELU the weight of each. The reward is the sum of mean x weight. Source:
sgl-project/sglang, models/llama_classification.py, which computes the weights in float16; here it
is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, part_shapes, perceptron
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.reward_models.weighted_objectives import WeightedReward, WeightedSum, stacked

#: HelpSteer2's attributes, in their order (arXiv 2410.00847).
OBJECTIVES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
_SCORE, _WEIGHTS = "score.weight", "weights.fc."
_LAYERS = perceptron(0, 2, 4)
# A mean and a spread.
_NUMBERS = 2


class UncertainAttributes(nn.Module):
    """The means of attributes, and their weights, at every token."""

    def __init__(self, attributes: nn.Module, weights: nn.Module) -> None:
        """Puts the parts together.

        Args:
            attributes: Maps hidden states to the mean and the spread of each attribute.
            weights: Maps hidden states to the attributes' weights.
        """
        super().__init__()
        self.attributes, self.weights = attributes, weights

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 3 x attributes), see `stacked`."""
        means = self.attributes(hidden).unflatten(-1, (-1, _NUMBERS))[..., 0]
        return stacked(means, means, self.weights(hidden))


class URM(HeadedDecoder):
    """URM's checkpoint."""

    known_as = "URM"
    reading = "the weighted sum of its attributes' means at the last token"
    classes = frozenset({"LlamaForSequenceClassificationWithNormal_Weights"})
    families = frozenset({"llama"})

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        weights = under_other_prefix(_LAYERS, _WEIGHTS, "weights.")
        return {"attributes.weight": WeightSource.of(_SCORE), **weights}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        count, hidden_size = len(OBJECTIVES), config.hidden_size
        linear = {"weight": shapes["attributes.weight"]}
        return UncertainAttributes(
            head_of_shapes(
                linear, hidden_size, _NUMBERS * count, name="its attributes", prefix="score."
            ),
            head_of_shapes(
                part_shapes(shapes, "weights."),
                hidden_size,
                count,
                activation=nn.SELU,
                name="their weights",
                prefix=_WEIGHTS,
            ),
        )

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """See `Architecture.at_last_token`; outputs the reward without the objectives."""
        return WeightedSum(head)


class URMJudge(HeadedJudge):
    """Scores texts with URM; results contain its attributes' means next to the rewards."""

    name = "urm"
    architecture = URM()
    gives_token_rewards = False
    default_checkpoint = "LxzGordon/URM-LLaMa-3.1-8B"

    def make_head(self, loaded: LoadedTokenizer) -> WeightedReward:
        """See `CheckpointJudge.make_head`."""
        return WeightedReward(self.checkpoint, OBJECTIVES)
