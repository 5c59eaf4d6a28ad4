"""ArmoRM (RLHFlow/ArmoRM-Llama3-8B-v0.1): nineteen objectives, weighted by a gate on the prompt.

Sources: RLHFlow/RLHF-Reward-Modeling, armo-rm (stage-2_train.py, README); the class of the
checkpoint's own code, which is never executed.
"""

from __future__ import annotations

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.reward_models.gated_decoder import GATE, GatedDecoder, GatedReward
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

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


class ArmoRM(GatedDecoder):
    """ArmoRM's checkpoint."""

    known_as = "ArmoRM"
    reading = (
        "the sum of its objectives at the last token (after its transform matrix), weighted by a "
        "gate computed at the end of the prompt"
    )
    classes = frozenset({"LlamaForRewardModelWithGating"})
    families = frozenset({"llama"})
    counts = frozenset({len(OBJECTIVES)})

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; QRM has the same class and norms in its gate."""
        return super().recognises(survey) and f"{GATE}0.bias" in survey.keys


class ArmoRMJudge(HeadedJudge):
    """Scores texts with ArmoRM; results contain its objectives next to the rewards."""

    name = "armorm"
    architecture = ArmoRM()
    gives_token_rewards = False
    default_checkpoint = "RLHFlow/ArmoRM-Llama3-8B-v0.1"

    def make_head(self, loaded: LoadedTokenizer) -> GatedReward:
        """See `CheckpointJudge.make_head`."""
        return GatedReward(self.checkpoint, OBJECTIVES)
