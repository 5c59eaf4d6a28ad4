"""Registers the reward models with vLLM: their classes and their configuration."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.vllm_plugin.classes import REWARD_MODEL, SERVED_CLASSES

#: As a path, so that the model is imported only in processes that serve it.
_MODEL = "ultrarm_eval.vllm_plugin.reward_model:RewardModel"

#: Families in which vLLM reads the field `bias`, unlike transformers.
_BIASED = ("llama", "mistral")


def register_reward_models() -> None:
    """Registers every class that vLLM does not support itself; all of them or none.

    Raises:
        ImportError: vLLM lacks a name that the models need.
        AttributeError: vLLM lacks an attribute that the models need.
    """
    # Internals of vLLM, which may move: imported before anything is changed.
    from vllm.model_executor.models.adapters import as_seq_cls_model  # noqa: F401
    from vllm.model_executor.models.config import MODELS_CONFIG_MAP, VerifyAndUpdateConfig
    from vllm.model_executor.models.registry import ModelRegistry

    settings = type("RewardModelConfig", (_RewardModelConfig, VerifyAndUpdateConfig), {})
    known = ModelRegistry.get_supported_archs()
    ours = [name for name in (REWARD_MODEL, *SERVED_CLASSES) if name not in known]
    registered: list[str] = []
    try:
        for name in ours:
            registered.append(name)
            ModelRegistry.register_model(name, _MODEL)
            MODELS_CONFIG_MAP[name] = settings
    except Exception:
        for name in registered:
            ModelRegistry.models.pop(name, None)
            MODELS_CONFIG_MAP.pop(name, None)
        raise


class _RewardModelConfig:
    """Adjusts vLLM's configuration for a reward model, in each of its processes."""

    @staticmethod
    def verify_and_update_model_config(model_config: Any) -> None:
        """Configures a model with one raw output, and rejects unsupported checkpoints.

        Args:
            model_config: vLLM's configuration of the model.

        Raises:
            CheckpointError: The checkpoint is not of a type that can be served, or lacks its head.
        """
        from ultrarm_eval.vllm_plugin.served_checkpoint import opened_checkpoint

        opened_checkpoint(model_config)
        for config in (model_config.hf_config, model_config.hf_text_config):
            config.num_labels = 1
            config.problem_type = "regression"
            if config.model_type in _BIASED and hasattr(config, "bias"):
                # vLLM would add a bias to the attention, which transformers calls attention_bias;
                # in reward models of Safe-RLHF, `bias` means the head's.
                config.bias = False
