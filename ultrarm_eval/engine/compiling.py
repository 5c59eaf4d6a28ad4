"""torch.compile for a model's layers: off unless asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ultrarm_eval.errors import DeviceError, first_line

if TYPE_CHECKING:
    from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel

_TRIAL_TOKENS = 8


def compile_layers(model: DecoderRewardModel) -> None:
    """Compiles every layer's norms and MLP for rows of any length.

    Attention stays as it is: its shapes are another tree's in every row.

    Args:
        model: The loaded model, changed in place.

    Raises:
        DeviceError: torch.compile does not work here.
    """
    for layer in model.model.layers:
        for part in (layer.input_layernorm, layer.post_attention_layernorm, layer.mlp):
            part.compile(dynamic=True)
    first = model.model.layers[0]
    trial = torch.zeros(
        1, _TRIAL_TOKENS, model.config.hidden_size, dtype=model.dtype, device=model.device
    )
    try:
        with torch.inference_mode():
            first.mlp(first.input_layernorm(trial))
    except Exception as error:
        # A missing compiler, headers or a card it does not know: each raises something else.
        raise DeviceError(
            f"torch_compile=True does not work here ({first_line(error)}). Leave it out."
        ) from error
