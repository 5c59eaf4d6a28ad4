"""The supported layouts of process reward models, and the layout of a checkpoint."""

from __future__ import annotations

from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightMap
from ultrarm_eval.errors import OtherKindError
from ultrarm_eval.reward_models.process.math_shepherd import MathShepherd
from ultrarm_eval.reward_models.process.process_model import ProcessModel
from ultrarm_eval.reward_models.process.qwen2_prm import Qwen2PRM
from ultrarm_eval.reward_models.process.rlhflow_prm import RLHFlowPRM
from ultrarm_eval.reward_models.process.skywork_prm import SkyworkPRM

#: The layouts by name.
PROCESS_MODELS: dict[str, ProcessModel] = {
    model.layout: model for model in (Qwen2PRM(), SkyworkPRM(), MathShepherd(), RLHFlowPRM())
}


def recognised_layout(survey: Survey) -> ProcessModel | None:
    """The layout of a checkpoint; None if it is none of these.

    Args:
        survey: Its small files.
    """
    return next((one for one in PROCESS_MODELS.values() if one.recognises(survey)), None)


class AnyProcessModel(Architecture):
    """A checkpoint that has one of the layouts."""

    known_as = "a process reward model"
    reading = "computed from its step rewards"

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`."""
        return recognised_layout(survey) is not None

    def said_of(self, survey: Survey) -> str:
        """See `Architecture.said_of`."""
        return f"layout={layout_of(survey).layout}"

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        return layout_of(survey).read_config(survey)

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        layout_of(survey).require_weights(survey, network)

    def weight_map(self, config: Any, survey: Survey) -> WeightMap:
        """See `Architecture.weight_map`."""
        return layout_of(survey).weight_map(config, survey)

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        return layout_of(survey).network(config, survey)


def layout_of(survey: Survey) -> ProcessModel:
    """The layout of a checkpoint.

    Args:
        survey: Its small files.

    Raises:
        OtherKindError: It is none of these.
    """
    found = recognised_layout(survey)
    if found is None:
        named = ", ".join(survey.classes) or "no class"
        raise OtherKindError(
            f"{survey.name}: its config.json names {named}, and neither that nor its name "
            "determines its layout of process reward models. If it has one of them, set "
            f"layout={'|'.join(PROCESS_MODELS)}."
        )
    return found
