"""Types of checkpoints: how to recognize them, and the network made from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource

__all__ = ["Architecture"]


class Architecture(ABC):
    """A type of checkpoint, known before its weights are loaded.

    Attributes:
        known_as: The type's name, for messages.
        reading: How the reward is computed, in a line.
        is_general: Whether another type that also recognizes a checkpoint takes precedence.
        only_recognised: Whether a checkpoint that it does not recognize never has this type, so
            that advice never suggests it for such a checkpoint.
        further_files: Weight files besides the checkpoint's own; the names of their weights begin
            with the file's name and a colon.
    """

    known_as: str
    reading: str
    is_general: ClassVar[bool] = False
    only_recognised: ClassVar[bool] = False
    further_files: tuple[str, ...] = ()

    def recognises(self, survey: Survey) -> bool:
        """Whether a checkpoint certainly has this type, so that `judge=auto` uses it.

        Args:
            survey: Its small files. Uses `survey.keys` only if config.json does not decide,
                because that may read a file of many gigabytes.
        """
        return False

    def said_of(self, survey: Survey) -> str:
        """The judge's settings that state which of several types a checkpoint has.

        Args:
            survey: The small files of a checkpoint that it recognizes.
        """
        return ""

    @abstractmethod
    def read_config(self, survey: Survey) -> Any:
        """The configuration of the network.

        Args:
            survey: The checkpoint's small files.

        Raises:
            CheckpointError: It describes another type of model.
        """

    @abstractmethod
    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """Rejects weights without a head, which transformers would initialize randomly.

        Args:
            survey: The checkpoint's small files.
            network: The network, on any device.

        Raises:
            CheckpointError: The head is missing, or does not have this type.
        """

    @abstractmethod
    def network(self, config: Any, survey: Survey) -> nn.Module:
        """The network with arbitrary weights; on the device `meta`, to count them.

        Args:
            config: Its configuration.
            survey: The checkpoint's small files.
        """

    def arguments(self) -> dict[str, Any]:
        """The arguments that make the same type in another process, as JSON values."""
        return {}

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """A head that outputs the reward itself, from the body's output at a text's last token.

        Args:
            head: The network's head.

        Raises:
            CheckpointError: The reward depends on the head's output at other tokens, too.
        """
        return head

    def weight_map(self, config: Any, survey: Survey) -> Mapping[str, WeightSource] | None:
        """How the network's weights are built from the stored ones, by the network's names.

        Args:
            config: The network's configuration.
            survey: The checkpoint's small files.

        Returns:
            The sources; None where the files have them by the network's own names.
        """
        return None
