"""The hf_overrides that describe a checkpoint to vLLM."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.converted_decoder import ConvertedDecoder
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.files import read_json
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.vllm_plugin.classes import KIND, REWARD_MODEL
from ultrarm_eval.vllm_plugin.served_checkpoint import require_family

#: One raw number per text.
_RAW = {"num_labels": 1, "problem_type": "regression"}


def overrides_for(checkpoint: Checkpoint, judge: str) -> dict[str, Any]:
    """The `hf_overrides` of vLLM for a checkpoint; as JSON also for `vllm serve --hf-overrides`.

    Args:
        checkpoint: The checkpoint.
        judge: The registered name of its judge.

    Raises:
        ConfigurationError: vLLM cannot serve it.
        CheckpointError: Its reward is computed from several tokens, or vLLM lacks its body.
    """
    kind = checkpoint.architecture
    if checkpoint.adapter is not None:
        raise ConfigurationError(
            f"{checkpoint.adapter.name} is an adapter, and vLLM would serve {checkpoint.name} "
            "without it. Use engine=torch, or merge the two into one checkpoint first."
        )
    if isinstance(kind, SequenceClassification | ConvertedDecoder):
        # vLLM supports these classes itself.
        is_part = checkpoint.weight_map is not None and isinstance(kind, SequenceClassification)
        if is_part:
            raise ConfigurationError(
                f"{checkpoint.name} is a multimodal model whose text part scores texts, but vLLM "
                "would serve the complete model. Use engine=torch."
            )
        return dict(_RAW)
    if not isinstance(checkpoint.network, DecoderRewardModel):
        raise ConfigurationError(
            f"{checkpoint.name} is {kind.known_as}, not a decoder with a reward head, which vLLM "
            "needs. Use engine=torch."
        )
    path = checkpoint.fetch("config.json")
    if path is not None:
        require_family(checkpoint, str(read_json(path).get("model_type")))
    kind.at_last_token(checkpoint.network.reward_head)
    said = {"judge": judge, **kind.arguments()}
    return {"architectures": [REWARD_MODEL], KIND: said, **_RAW}
