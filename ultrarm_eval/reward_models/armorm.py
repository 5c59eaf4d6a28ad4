"""ArmoRM (RLHFlow/ArmoRM-Llama3-8B-v0.1): nineteen objectives, weighted by a gate on the prompt.

At the last token a linear layer gives the objectives r. At the token that ends the prompt, where
the assistant's turn begins, a small perceptron gives weights g = softmax(MLP(h) / temperature) x
scale. The reward is the sum of g x (M r), with M the reward transform matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.engine.reads import Outputs
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.prompt_end_encoder import PromptEndEncoder
from ultrarm_eval.text_format.template import Template

#: The objectives in their order, from the model card.
OBJECTIVES = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
#: What Llama 3's chat template writes between the prompt and the completion.
LLAMA3_TURN = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"

_GATE, _OBJECTIVES = "gating.layers.", "regression_layer.weight"
_TRANSFORM, _SCALE = "reward_transform_matrix", "gating.logit_scale"
_TEMPERATURE = 10.0


class GatedObjectives(nn.Module):
    """Objectives, what they are transformed to, and the gate's weights of these, at every token."""

    def __init__(self, objectives: nn.Module, gate: nn.Module, count: int) -> None:
        """Puts the parts together.

        Args:
            objectives: From hidden states to the objectives.
            gate: From hidden states to as many numbers.
            count: How many objectives there are.
        """
        super().__init__()
        self.objectives, self.gate = objectives, gate
        self.transform = nn.Parameter(torch.zeros(count, count))
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 3 x objectives)."""
        objectives = self.objectives(hidden)
        transformed = objectives @ self.transform.to(torch.float32)
        weights = torch.softmax(self.gate(hidden) / _TEMPERATURE, dim=-1)
        return torch.cat([objectives, transformed, weights * self.scale.to(torch.float32)], dim=-1)


class ArmoRM(HeadedDecoder):
    """ArmoRM's checkpoint."""

    known_as = "ArmoRM"
    reading = (
        "the sum of its transformed objectives at the last token, weighted by its gate where the "
        "prompt ends"
    )
    classes = frozenset({"LlamaForRewardModelWithGating"})
    families = frozenset({"llama"})

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; QRM has the same class and a gate without biases."""
        return super().recognises(survey) and f"{_GATE}0.bias" in survey.keys

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        gate = {
            f"gate.{2 * int(place)}.{kind}": WeightSource.of(key)
            for key in survey.keys
            if key.startswith(_GATE)
            for place, kind in [key.removeprefix(_GATE).split(".", 1)]
        }
        return {
            "objectives.weight": WeightSource.of(_OBJECTIVES),
            "transform": WeightSource.of(_TRANSFORM),
            "scale": WeightSource.of(_SCALE),
            **gate,
        }

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        count, hidden_size = len(OBJECTIVES), config.hidden_size
        linear = {"weight": shapes["objectives.weight"]}
        gate = {
            key.removeprefix("gate."): shape
            for key, shape in shapes.items()
            if key.startswith("gate.")
        }
        return GatedObjectives(
            head_of_shapes(linear, hidden_size, count, name=_OBJECTIVES),
            head_of_shapes(gate, hidden_size, count, name=_GATE),
            count,
        )


class ArmoRMJudge(HeadedJudge):
    """Scores texts with ArmoRM; its objectives stand beside the rewards."""

    name = "armorm"
    architecture = ArmoRM()
    default_checkpoint = "RLHFlow/ArmoRM-Llama3-8B-v0.1"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        return GatedReward(self.checkpoint)


class GatedReward(DecoderHead):
    """Objectives at the last token, weighted by the gate where the prompt ends."""

    @staticmethod
    def compose(outputs: Outputs) -> tuple[float, dict[str, Any]]:
        """The reward of what is read where the prompt ends, and at the last token."""
        count = len(OBJECTIVES)
        prompt, last = outputs
        objectives, transformed, weights = last[:count], last[count : 2 * count], prompt[-count:]
        named = dict(zip(OBJECTIVES, objectives.tolist(), strict=True))
        return float(weights @ transformed), {"objectives": named}

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        return PromptEndEncoder(
            loaded.tokenizer, template, turn=LLAMA3_TURN, name=self.checkpoint.name, **options
        )
