"""The judge for process reward models: a reward for each step, and one for the answer."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.engine import Computed
from ultrarm_eval.engine.reads import Outputs
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judge_settings import ProcessSettings
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.process.layouts import (
    PROCESS_MODELS,
    AnyProcessModel,
    layout_of,
    recognised_layout,
)
from ultrarm_eval.reward_models.process.process_model import ProcessModel
from ultrarm_eval.setting import AUTO
from ultrarm_eval.settings import LANGUAGE_MODEL_LAYOUTS
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.step_encoder import StepEncoder
from ultrarm_eval.text_format.step_separators import splitter
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

#: The key of the steps' rewards in results.
STEP_REWARDS = "step_rewards"

_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "product": math.prod,
    "last": lambda rewards: rewards[-1],
    "mean": lambda rewards: math.fsum(rewards) / len(rewards),
}


class ProcessJudge(CheckpointJudge):
    """Scores answers by the rewards of their steps.

    A completion is a text, which `separator` splits into steps, or a list of steps. Results
    contain the step rewards in order next to the reward; None for a step that was cut off.
    """

    name = "process"
    settings_class = ProcessSettings
    given: ProcessSettings
    architecture = AnyProcessModel()
    chosen_by = "layout"
    gives_token_rewards = False
    default_template = CHAT_TEMPLATE
    #: Whether a completion may be a sequence of steps.
    takes_steps = True

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return (
            f"process reward models: {', '.join(one.known_as for one in PROCESS_MODELS.values())}"
        )

    @classmethod
    def reads(cls) -> str:
        """See `CheckpointJudge.reads`."""
        return (
            "the minimum, product, last or mean (`aggregate`) of its step rewards. The samples "
            f"contain the step rewards under `judged`, as `{STEP_REWARDS}`"
        )

    def kind_of(self, survey: Survey) -> ProcessModel:
        """See `CheckpointJudge.kind_of`."""
        layout = self.given.layout
        if layout == AUTO:
            return layout_of(survey)
        known = recognised_layout(survey)
        # A language model is recognized only by its name, so the user's setting takes precedence.
        is_sure = known is not None and known.layout not in LANGUAGE_MODEL_LAYOUTS
        if known is not None and is_sure and known.layout != layout:
            raise ConfigurationError(
                f"layout={layout}: config.json of {survey.name} names the class "
                f"{', '.join(survey.classes)}, which has layout={known.layout}. Remove layout."
            )
        return PROCESS_MODELS[layout]

    def make_head(self, loaded: LoadedTokenizer) -> StepRewards:
        """See `CheckpointJudge.make_head`."""
        return StepRewards(self.checkpoint, self.given)

    def _why_no_token_rewards(self) -> str:
        return (
            f"it computes rewards only at step ends, and results contain them under {STEP_REWARDS}"
        )


class StepRewards(DecoderHead):
    """The rewards of steps, each read where the step ends."""

    reads_several = True

    def __init__(self, checkpoint: Checkpoint, given: ProcessSettings) -> None:
        """Takes the checkpoint.

        Args:
            checkpoint: The checkpoint, of one of the layouts.
            given: The settings.
        """
        super().__init__(checkpoint)
        model = checkpoint.architecture
        if not isinstance(model, ProcessModel):
            raise TypeError(f"{checkpoint.name} was opened as {model.known_as}.")
        self._model = model
        self._aggregate = given.aggregate or model.aggregate
        self._separator = given.separator or model.separator
        logger.info(
            "judge=process: %s has layout=%s; separator=%s splits answers into steps, and an "
            "answer's reward is the %s of its step rewards (aggregate=%s).",
            checkpoint.name,
            model.layout,
            self._separator,
            self._aggregate,
            self._aggregate,
        )

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {
            "layout": self._model.layout,
            "aggregate": self._aggregate,
            "separator": self._separator,
        }

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return {"judge": ProcessJudge.name, **self.settings()}

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        return self._model.template(requested, tokenizer, self.checkpoint.name)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> StepEncoder:
        """See `RewardHead.encoder`."""
        name, split = self.checkpoint.name, splitter(self._separator)
        form = self._model.form(loaded.tokenizer, template, split, name)
        return StepEncoder(loaded.tokenizer, template, form=form, name=name, **options)

    def compose(self, outputs: Outputs) -> tuple[float, dict[str, Any]]:
        """The reward of an answer, from the outputs at the ends of its steps."""
        rewards: Sequence[float] = outputs[:, 0].tolist()
        if not all(map(math.isfinite, rewards)):
            # The minimum of numbers with a NaN depends on their order.
            return math.nan, {STEP_REWARDS: rewards}
        return float(_AGGREGATES[self._aggregate](rewards)), {STEP_REWARDS: rewards}

    def judgement(self, tokens: Tokens, computed: Computed) -> Judgement:
        """See `RewardHead.judgement`; steps that were cut off have no reward."""
        rewards = computed.details[STEP_REWARDS]
        return Judgement(computed.reward, extra={STEP_REWARDS: [None] * tokens.reads_cut + rewards})
