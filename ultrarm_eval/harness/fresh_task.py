"""What every task class of ours does around the harness's requests."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.task import ConfigurableTask

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.harness.logs import show_as_harness_does
from ultrarm_eval.harness.run_metadata import own_metadata

logger = logging.getLogger(__name__)


class FreshTask(ConfigurableTask):  # type: ignore[misc, unused-ignore]
    """Builds its requests afresh in each run, and reads as many answers as it asked for."""

    #: Gets the run's `--metadata` from the bridge, in releases that pass task classes none.
    takes_metadata = True

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Loads the data.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: The metadata or the data cannot be used.
        """
        show_as_harness_does()
        given = {k: v for k, v in (config or {}).items() if k != "class"}
        # A function of the YAML's that makes the data may ask for the model's arguments.
        if "metadata" in given and given.get("custom_dataset") is None:
            given["metadata"] = own_metadata(given)
        super().__init__(config=given)

    def build_all_requests(self, *, cache_requests: bool = False, **kwargs: Any) -> None:
        """Builds the requests afresh: a request cache does not know which data they are from."""
        if cache_requests:
            logger.info("%s: --cache_requests is off for this task.", self.config.task)
        kwargs.pop("rewrite_requests_cache", None)
        self._refuse_idle_processes(**kwargs)
        super().build_all_requests(cache_requests=False, **kwargs)

    def drop_surplus_answers(self) -> None:
        """Keeps as many answers as were asked for.

        A process with fewer requests than another is given its last one again and again; those
        answers are dropped, so that samples are the same in any number of processes.
        """
        for instance in self.instances:
            del instance.resps[instance.repeats :]

    def only_writes(self) -> bool:
        """Whether the run asks for answers alone (`--predict_only`)."""
        return "bypass" in self._metric_fn_list

    def _refuse_idle_processes(
        self,
        *,
        limit: int | None = None,
        samples: Sequence[int] | None = None,
        world_size: int = 1,
        **_: Any,
    ) -> None:
        """Refuses more processes than documents: the harness fails where there is none to score.

        Every process finds this out by itself, so that none waits for another.
        """
        documents = len(samples) if samples else len(self.eval_docs)
        if limit and not samples:
            documents = min(documents, int(limit))
        if 0 < documents < world_size:
            raise ConfigurationError(
                f"{self.config.task}: {world_size} processes are too many for its documents "
                f"({documents}); start at most as many processes as there are documents."
            )
