"""vLLM's names of the reward models of this package."""

from __future__ import annotations

#: A reward model whose kind is said beside it, or recognised by its files.
REWARD_MODEL = "UltrarmEvalRewardModel"
#: The field of a configuration that says the kind: the judge, and arguments of its kind.
KIND = "ultrarm_eval"
#: Classes that published config.json files name, of kinds whose reward is read at one token. They
#: are declared by the kinds (a test compares); written out, as this is read whenever vLLM starts,
#: whatever it serves. Classes of transformers, of which some checkpoints name one, are left out.
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
