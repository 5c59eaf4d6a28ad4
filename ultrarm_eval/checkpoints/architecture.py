"""What a kind of checkpoint is: what it says and holds, and the network made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource

__all__ = ["Architecture"]


class Architecture(ABC):
    """Knows a kind of checkpoint before its weights are loaded.

    Attributes:
        known_as: What the kind is called, for messages.
        reading: How a reward is read, in a line.
        is_general: Whether another kind that recognises a checkpoint as well knows it better.
        only_recognised: Whether a checkpoint that it does not recognise is never of this kind, so
            that advice names it for none, however its weights are called.
        further_files: Files of weights beside the checkpoint's own; the names of what they hold
            begin with the file's and a colon.
    """

    known_as: str
    reading: str
    is_general: ClassVar[bool] = False
    only_recognised: ClassVar[bool] = False
    further_files: tuple[str, ...] = ()

    def recognises(self, survey: Survey) -> bool:
        """Whether a checkpoint is of this kind beyond doubt, so that `judge=auto` takes it.

        Args:
            survey: Its small files. A kind looks at `survey.keys` only where config.json does not
                decide: to get them a file of many gigabytes may have to be read.
        """
        return False

    def said_of(self, survey: Survey) -> str:
        """The settings of the judge that say which of several kinds a checkpoint is, if there are.

        Args:
            survey: The small files of a checkpoint that it recognises.
        """
        return ""

    @abstractmethod
    def read_config(self, survey: Survey) -> Any:
        """The configuration of the network.

        Args:
            survey: The checkpoint's small files.

        Raises:
            CheckpointError: It describes another kind of model.
        """

    @abstractmethod
    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """Refuses weights that lack the head: transformers would fill it at random.

        Args:
            survey: The checkpoint's small files.
            network: The network, on any device.

        Raises:
            CheckpointError: The head is not among them, or is none of this kind.
        """

    @abstractmethod
    def network(self, config: Any, survey: Survey) -> nn.Module:
        """The network with any weights, to count them on the device `meta`.

        Args:
            config: Its configuration.
            survey: The checkpoint's small files.
        """

    def arguments(self) -> dict[str, Any]:
        """What makes the same kind again in another process: its class's arguments, JSON values."""
        return {}

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """A head that gives the reward itself, of what the body gives at a text's last token.

        Args:
            head: The network's head.

        Raises:
            CheckpointError: The reward is made of what the head gives at other tokens as well.
        """
        return head

    def weight_map(self, config: Any, survey: Survey) -> Mapping[str, WeightSource] | None:
        """How the network's weights are made of the stored ones, by the network's names.

        Args:
            config: The network's configuration.
            survey: The checkpoint's small files.

        Returns:
            The sources; None where the files have them by the network's own names.
        """
        return None
