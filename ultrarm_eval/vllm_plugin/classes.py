"""The class names under which vLLM serves the reward models of this package."""

from __future__ import annotations

#: A reward model whose type is given in the configuration, or recognized by its files.
REWARD_MODEL = "UltrarmEvalRewardModel"
#: The configuration's field for the type: the judge's name, and arguments of its architecture.
KIND = "ultrarm_eval"
#: Classes in published config.json files, of types whose reward is read at one token. The
#: architectures declare them, and a test compares; they are repeated here because this module is
#: imported whenever vLLM starts. Classes of transformers, which some checkpoints name, are not
#: listed.
SERVED_CLASSES = (
    "AtheneForSequenceClassification",
    "CustomAutoModelForSequenceClassification",
    "EurusRM",
    "EurusRewardModel",
    "GPTRewardModel",
    "GRewardModel",
    "INFORMForSequenceClassification",
    "InternLM2ForRewardModel",
    "LDLRewardModel27B",
    "LlamaForScore",
    "LlamaForSequenceClassificationWithNormal_Weights",
    "LlamaModelForScore",
    "LlamaRM",
    "LlamaRewardModel",
    "MistralRewardModel",
    "Qwen2ForRewardModel",
    "RewardModel",
    "UltraRM",
)
