"""Published reward models in small, and what `judge=auto` has to make of each.

Facts alone: what config.json and tokenizer_config.json say as far as it matters, names and shapes
of the weights, and where that was looked up. Bodies have one or two layers, and all sizes but the
vocabulary's are small. Entries whose owner is `made-up` were not published.
"""

from __future__ import annotations

from tests.reward_models.config_entries.classifiers import CLASSIFIERS
from tests.reward_models.config_entries.entry import PublishedConfig, write
from tests.reward_models.config_entries.gated_heads import GATED_HEADS
from tests.reward_models.config_entries.own_code import OWN_CODE
from tests.reward_models.config_entries.process_models import PROCESS_MODELS
from tests.reward_models.config_entries.refused_models import REFUSED_MODELS
from tests.reward_models.config_entries.scalar_heads import SCALAR_HEADS
from tests.reward_models.config_entries.stored_otherwise import STORED_OTHERWISE
from tests.reward_models.config_entries.trained_classifiers import TRAINED_CLASSIFIERS

__all__ = ["CONFIGS", "PublishedConfig", "write"]

CONFIGS: tuple[PublishedConfig, ...] = (
    *CLASSIFIERS,
    *TRAINED_CLASSIFIERS,
    *SCALAR_HEADS,
    *GATED_HEADS,
    *PROCESS_MODELS,
    *REFUSED_MODELS,
    *STORED_OTHERWISE,
    *OWN_CODE,
)
