"""A decoder with a head, for any family and any head.

The families that are run without padding have the same structure: a backbone ``model`` with
``layers`` and a final RMS norm ``norm``. The head is a bias-free linear layer to a scalar unless a
type of checkpoint defines another. UltraRM's layout is that of the public checkpoint
`openbmb/UltraRM-13b`: the backbone's weights start with ``model.``, the head is
``regression_head.weight``. The class follows its model card; nothing from a checkpoint's repository
is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel, LlamaPreTrainedModel, PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from ultrarm_eval.checkpoints.heads import Linear32
from ultrarm_eval.checkpoints.unread_weights import require_read
from ultrarm_eval.checkpoints.weights import refuse_missing
from ultrarm_eval.errors import CheckpointError

#: The head's name in networks whose weights have other names in the files.
REWARD_HEAD = "head"
#: By transformers' model_type, the prefix of its class names, for families whose reward models run
#: on rows without padding. Each is tested to have Llama's structure: norms, rotary embedding, gated
#: MLP, and what the last layer's hook assumes.
DECODER_FAMILIES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def require_family(name: str, config: Mapping[str, Any], model_type: str) -> None:
    """Refuses a configuration of another family.

    Raises:
        CheckpointError: It describes another model.
    """
    if config.get("model_type") != model_type:
        raise CheckpointError(wrong_family(name, config, model_type))


def wrong_family(name: str, config: Mapping[str, Any], model_type: str) -> str:
    """The error message for a configuration of another family."""
    return (
        f"{name}: its config.json describes a {config.get('model_type')!r} model, but this judge "
        f"needs model_type {model_type!r}."
    )


class Float32RMSNorm(LlamaRMSNorm):  # type: ignore[misc, unused-ignore]
    """The final norm, computed and returned in float32 whatever the body's dtype.

    A bfloat16 reward near 4.0 changes in steps of 0.03, so close pairs would tie because of
    rounding.
    """

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Normalizes the last dimension."""
        hidden_states = hidden_states.to(torch.float32)
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        normed = hidden_states * torch.rsqrt(variance + self.variance_epsilon)
        return self.weight.to(torch.float32) * normed  # type: ignore[no-any-return]


class DecoderRewardModel(PreTrainedModel):  # type: ignore[misc, unused-ignore]
    """Reward model on a decoder; a subclass names the family's backbone and the head.

    The reward of a text is the head's output at its last attended token, or is computed from a
    wider head's outputs. Final norm and head are float32 for every body dtype.

    Attributes:
        backbone_class: The family's backbone.
        head_name: The attribute, and so the weight, of the head.
    """

    backbone_class: ClassVar[Any]
    head_name: ClassVar[str]
    # Gemma 3's differs, or is missing, in some versions of transformers.
    base_model_prefix = "model"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = self.backbone_class(config)
        if config.model_type in DECODER_FAMILIES:
            self.model.norm = Float32RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        setattr(self, self.head_name, self.make_head(config))
        # transformers 5 builds the table of tied weights here; without it loading fails.
        self.post_init()

    @classmethod
    def make_head(cls, config: Any) -> nn.Module:
        """The head, in float32: maps hidden states (..., hidden size) to (..., width)."""
        return Linear32(config.hidden_size, 1, bias=False)

    @property
    def reward_head(self) -> nn.Module:
        """The head, which outputs the reward or the numbers that it is computed from."""
        return getattr(self, self.head_name)  # type: ignore[no-any-return]

    @classmethod
    def head_weight(cls) -> str:
        """The name of the head's weight in a checkpoint."""
        return f"{cls.head_name}.weight"

    @classmethod
    def from_pretrained(
        cls, *arguments: Any, output_loading_info: bool = False, **options: Any
    ) -> Any:
        """Loads a checkpoint as transformers does, but never with random weights.

        Args:
            *arguments: As for any model of transformers.
            output_loading_info: Return (model, transformers' report about the loading).
            **options: As for any model of transformers.

        Raises:
            CheckpointError: The config is another family's, weights are missing, or there are
                weights it does not use; transformers would only report it, and fill the missing
                ones at random.
        """
        if arguments and "config" not in options:
            described, _ = cls.config_class.get_config_dict(arguments[0], **options)
            require_family(str(arguments[0]), described, cls.config_class.model_type)
        model, report = super().from_pretrained(*arguments, output_loading_info=True, **options)
        name = str(arguments[0]) if arguments else "The checkpoint"
        refuse_missing(name, report["missing_keys"])
        require_read(name, model, report["unexpected_keys"])
        return (model, report) if output_loading_info else model

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.model.get_input_embeddings()  # type: ignore[no-any-return]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.model.set_input_embeddings(value)

    def hidden_states(self, input_ids: torch.Tensor, **model_inputs: Any) -> torch.Tensor:
        """Final hidden states, after the final norm.

        Args:
            input_ids: Token ids, shape (batch, length).
            **model_inputs: Passed to the backbone.

        Returns:
            Shape (batch, length, hidden size); float32 for the families of `DECODER_FAMILIES`.
        """
        outputs = self.model(input_ids=input_ids, use_cache=False, **model_inputs)
        return outputs.last_hidden_state  # type: ignore[no-any-return]

    def rewards_at(
        self, input_ids: torch.Tensor, last_positions: torch.Tensor, **model_inputs: Any
    ) -> torch.Tensor:
        """Rewards of right-padded texts, read at the given positions.

        A causal model never looks to the right, so padding there needs no mask.

        Args:
            input_ids: Token ids, shape (batch, length), padded on the right.
            last_positions: Index of each text's last token, shape (batch,).
            **model_inputs: Passed to the backbone.

        Returns:
            float32 rewards, shape (batch,); (batch, width) for a wider head.
        """
        hidden = self.hidden_states(input_ids, **model_inputs)
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        last_hidden = hidden[rows, last_positions.to(hidden.device)]
        return self.reward_head(last_hidden).squeeze(-1)  # type: ignore[no-any-return]

    def rewards_after_tokens(self, input_ids: torch.Tensor, **model_inputs: Any) -> torch.Tensor:
        """Rewards of every prefix of the texts.

        One forward pass of a causal model computes all prefixes.

        Args:
            input_ids: Token ids, shape (batch, length).
            **model_inputs: Passed to the backbone.

        Returns:
            float32 rewards, shape (batch, length); a further dimension for a wider head.
        """
        hidden = self.hidden_states(input_ids, **model_inputs)
        return self.reward_head(hidden).squeeze(-1)  # type: ignore[no-any-return]

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **model_inputs: Any,
    ) -> torch.Tensor:
        """Rewards of a batch, as the model card computes them.

        Args:
            input_ids: Token ids, shape (batch, length), padded on either side.
            attention_mask: 1 for tokens, 0 for padding, shape (batch, length); all tokens if None.
            **model_inputs: Passed to the backbone. `token_type_ids`, which some tokenizers
                return, is dropped: decoders have none.

        Returns:
            float32 rewards, shape (batch, 1).
        """
        model_inputs.pop("token_type_ids", None)
        hidden = self.hidden_states(input_ids, attention_mask=attention_mask, **model_inputs)
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        last_positions = attention_mask.to(hidden.device).cumsum(dim=1).argmax(dim=1)
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return self.reward_head(hidden[rows, last_positions])  # type: ignore[no-any-return]


class LlamaRewardModel(DecoderRewardModel, LlamaPreTrainedModel):  # type: ignore[misc, unused-ignore]
    """Scalar reward model on a Llama backbone (UltraRM)."""

    config_class = LlamaConfig
    backbone_class = LlamaModel
    head_name = "regression_head"
    # The final norm cannot be listed here: some versions of transformers match "norm", others
    # "model.norm", and others would match the layers' norms too. The judge's loader does it.
    _keep_in_fp32_modules_strict = ("regression_head",)


@cache
def decoder_class(model_type: str, head_name: str) -> type[DecoderRewardModel]:
    """The network of a family with one linear head.

    Args:
        model_type: One of `DECODER_FAMILIES`.
        head_name: The attribute, and so the weight, of the head.
    """
    return _class_of(model_type, head_name)


def headed_class(
    model_type: str, make_head: Callable[[Any], nn.Module]
) -> type[DecoderRewardModel]:
    """The network of any family of decoders with a given head, named `head`.

    Families other than those of `DECODER_FAMILIES` can only be run padded.

    Args:
        model_type: transformers' name of the family.
        make_head: Makes the head for a configuration: float32, from (..., hidden size) to
            (..., width).
    """
    return _class_of(model_type, REWARD_HEAD, make_head=staticmethod(make_head))


def _class_of(model_type: str, head_name: str, **members: Any) -> type[DecoderRewardModel]:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    backbone = MODEL_MAPPING[CONFIG_MAPPING[model_type]]
    of_family = next(one for one in backbone.__mro__ if one.__name__.endswith("PreTrainedModel"))
    beginning = DECODER_FAMILIES.get(model_type, backbone.__name__.removesuffix("Model"))
    return type(
        f"{beginning}RewardModel",
        (DecoderRewardModel, of_family),
        {
            "__module__": __name__,
            "__doc__": f"Scalar reward model on a {beginning} backbone.",
            "config_class": backbone.config_class,
            "backbone_class": backbone,
            # Also for families that name their body differently.
            "base_model_prefix": "model",
            "head_name": head_name,
            "_keep_in_fp32_modules_strict": (head_name,),
            **members,
        },
    )
