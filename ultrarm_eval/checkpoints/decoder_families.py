"""The families of decoders whose reward models are run over rows without padding."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ultrarm_eval.judges.decoder_reward_model import DecoderRewardModel

#: transformers' model_type and the beginning of its classes' names. Each is tested to be of
#: Llama's make: norms, rotary embedding, gated MLP, and what the last layer's hook takes for
#: granted.
DECODER_FAMILIES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


@cache
def decoder_class(model_type: str, head_name: str) -> type[DecoderRewardModel]:
    """The network of a family with a head.

    Args:
        model_type: One of `DECODER_FAMILIES`.
        head_name: The attribute, and so the weight, of the head.
    """
    beginning = DECODER_FAMILIES[model_type]
    module = import_module(f"transformers.models.{model_type}.modeling_{model_type}")
    backbone = getattr(module, f"{beginning}Model")
    return type(
        f"{beginning}RewardModel",
        (DecoderRewardModel, getattr(module, f"{beginning}PreTrainedModel")),
        {
            "__module__": __name__,
            "__doc__": f"Scalar reward model on a {beginning} backbone.",
            "config_class": backbone.config_class,
            "backbone_class": backbone,
            "head_name": head_name,
            "_keep_in_fp32_modules_strict": (head_name,),
        },
    )
