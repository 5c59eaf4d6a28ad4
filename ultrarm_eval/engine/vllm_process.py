"""A running vLLM: requests in, rewards out; its processes end when it is stopped."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count
from multiprocessing import resource_tracker
from typing import Any

import psutil
import torch

from ultrarm_eval.engine.process_guard import ProcessGuard
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.vllm_installation import TESTED, version
from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.errors import ConfigurationError, ScoringError, first_line

logger = logging.getLogger(__name__)

_CLASSIFY = "classify"
# How long its processes may take to end before they are killed.
_SECONDS_TO_END = 10
# How often new and ended processes are checked for.
_SECONDS_TO_LOOK = 0.5
# Defaults of vLLM's environment variables. Its processes are spawned: a forked copy would have
# locks of threads that it does not have (such as the one that encodes texts). Its log goes to the
# standard error, because the standard output is for results.
_ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Reward:
    """The result of a request.

    Attributes:
        number: The request's number.
        reward: The head's output.
        tokens: Tokens computed for it; the others were in the prefix cache.
    """

    number: str
    reward: float
    tokens: int


class VllmProcess:
    """vLLM with one model.

    Attributes:
        texts_at_once: The maximum number of texts that it computes at once.
        is_regression: Whether it has a regression head, to which it applies no activation.
        device: Its device.
    """

    def __init__(self, model: ServedModel, arguments: dict[str, Any]) -> None:
        """Starts it, which takes a minute or more.

        Args:
            model: The checkpoint.
            arguments: The arguments of `vllm.LLM`, without its tokenizer and its pooler.

        Raises:
            ConfigurationError: It does not start.
        """
        self._name = model.checkpoint.name
        # It gets token ids but does not start without a tokenizer: it gets ours.
        self._folder = tempfile.TemporaryDirectory(prefix="ultrarm-eval-vllm-")
        self._guard = ProcessGuard()
        try:
            model.tokenizer.save_pretrained(self._folder.name)
            # Without this file the folder is treated as a broken model.
            model.checkpoint.config.save_pretrained(self._folder.name)
            with _environment():
                self._engine = self._started({**arguments, "tokenizer": self._folder.name})
        except BaseException:
            self._guard.stop()
            self._folder.cleanup()
            raise
        _watch(self._engine.engine_core)
        config = self._engine.vllm_config
        self.texts_at_once = int(config.scheduler_config.max_num_seqs)
        stated = getattr(config.model_config.hf_config, "problem_type", None)
        self.is_regression = stated == "regression"
        self.device = _device(config.parallel_config.world_size)
        self._probes = count()

    def ask(self, number: str, ids: list[int], *, activated: bool = False) -> str | None:
        """Requests the reward of a text.

        Args:
            number: The number of the request.
            ids: The token ids.
            activated: Whether vLLM's default activation is applied.

        Returns:
            Why it is rejected; None if it is not.

        Raises:
            ScoringError: vLLM fails.
        """
        from vllm import PoolingParams
        from vllm.exceptions import VLLMValidationError
        from vllm.inputs import tokens_input

        how = PoolingParams(task=_CLASSIFY, use_activation=activated)
        try:
            self._engine.add_request(number, tokens_input(ids), how)
        except (ValueError, VLLMValidationError) as error:
            return f"vLLM rejects its {len(ids)} tokens: {_said(error)}"
        except Exception as error:
            raise self._failed(error) from error
        return None

    def step(self) -> list[Reward]:
        """Computes one step, and returns finished results.

        Raises:
            ScoringError: vLLM fails, or returns something other than a number.
        """
        try:
            outputs = self._engine.step()
        except Exception as error:
            raise self._failed(error) from error
        return [self._reward(output) for output in outputs]

    def rewards(self, texts: Sequence[list[int]], *, activated: bool) -> list[float]:
        """The rewards of a few texts, in order.

        Args:
            texts: Their token ids.
            activated: See `ask`.

        Raises:
            ScoringError: A text is rejected, or vLLM fails.
        """
        numbers = [f"probe-{next(self._probes)}" for _ in texts]
        found: dict[str, float] = {}
        for number, ids in zip(numbers, texts, strict=True):
            why = self.ask(number, ids, activated=activated)
            if why is not None:
                raise ScoringError(f"{self._name}: a probe text has no reward. {why}")
        while len(found) < len(numbers):
            found.update((one.number, one.reward) for one in self.step())
        return [found[number] for number in numbers]

    def forget(self, numbers: list[str]) -> None:
        """Cancels requests that are no longer needed."""
        if numbers:
            # A failed process computes nothing.
            with contextlib.suppress(Exception):
                self._engine.abort_request(numbers)

    def stop(self) -> None:
        """Ends its processes."""
        with contextlib.suppress(Exception):
            self._engine.engine_core.shutdown(timeout=_SECONDS_TO_END)
        self._guard.stop()
        self._folder.cleanup()

    def _started(self, arguments: dict[str, Any]) -> Any:
        """Starts vLLM's engine, with its processes guarded from the beginning.

        It starts in a thread: vLLM keeps an exception of its start with its frames, which would
        keep the judge alive.
        """
        this = psutil.Process()
        before = {one.pid for one in this.children(recursive=True)}
        with ThreadPoolExecutor(1, thread_name_prefix="vllm") as thread:
            engine = thread.submit(_started, self._name, arguments)
            while True:
                done, _ = wait([engine], timeout=_SECONDS_TO_LOOK)
                now = {one.pid for one in this.children(recursive=True)}
                # This one cleans up by itself, and does not belong only to vLLM.
                tracker = getattr(resource_tracker._resource_tracker, "_pid", None)
                self._guard.add(now - before - {tracker})
                if done:
                    return engine.result()

    def _reward(self, output: Any) -> Reward:
        values = output.outputs.data
        if getattr(output, "error", None) is not None or values.numel() != 1:
            found = getattr(output, "error", None) or f"{values.numel()} numbers"
            raise ScoringError(
                f"{self._name}: vLLM returns {found} instead of a text's reward. Use "
                f"engine={TORCH}."
            )
        computed = len(output.prompt_token_ids) - int(output.num_cached_tokens or 0)
        return Reward(str(output.request_id), float(values.item()), computed)

    def _failed(self, error: Exception) -> ScoringError:
        return ScoringError(
            f"vLLM stopped computing with {self._name}: {_said(error)}. See its log above; if "
            "memory ran out, set a smaller gpu_memory_utilization, max_num_seqs or "
            "max_num_batched_tokens. Rewards in a score store are kept."
        )


def _started(name: str, arguments: dict[str, Any]) -> Any:
    """The engine of vLLM; see `VllmProcess`."""
    from vllm import LLM
    from vllm.config import PoolerConfig

    if not (version() or "").startswith(f"{TESTED}."):
        logger.warning(
            "vLLM %s is installed, but this version of ultrarm-eval is tested with %s. Compare "
            "its rewards with torch's: `ultrarm-eval verify --engine vllm`.",
            version(),
            TESTED,
        )
    pooler = PoolerConfig(task=_CLASSIFY, pooling_type="LAST", use_activation=False)
    try:
        return LLM(**arguments, pooler_config=pooler).llm_engine
    except Exception as error:
        raise ConfigurationError(
            f"vLLM {version()} does not start with {name}: {_said(error)}. See its log above. If "
            "memory ran out, set gpu_memory_utilization or max_length. Your own script has to run "
            "everything under `if __name__ == '__main__':`, because vLLM's processes import it. "
            f"Or use engine={TORCH}."
        ) from error


def _watch(client: Any) -> None:
    """Wakes up callers that wait for a vLLM process that has ended.

    vLLM notices the end itself (`engine_dead`), but its client waits in a thread for a queue that
    no longer gets items.

    Args:
        client: vLLM's client of its processes.
    """
    answers, resources = getattr(client, "outputs_queue", None), getattr(client, "resources", None)
    if answers is None or resources is None:
        # Without own processes, none can end.
        return

    def tell() -> None:
        while not resources.engine_dead:
            time.sleep(_SECONDS_TO_LOOK)
        answers.put_nowait(RuntimeError("a process of vLLM ended"))

    threading.Thread(target=tell, name="vllm-watch", daemon=True).start()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Sets environment variables that the user did not set, while vLLM starts."""
    ours = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def _device(gpus: int) -> str:
    if torch.cuda.device_count() == 0:
        return "cpu"
    name = torch.cuda.get_device_name(0)
    return name if gpus == 1 else f"{gpus} x {name}"


def _said(error: Exception) -> str:
    """An error's message in one line; a validation error has a list of messages."""
    listed = getattr(error, "errors", None)
    if callable(listed):
        with contextlib.suppress(Exception):
            return "; ".join(str(one["msg"]) for one in listed())
    return first_line(error)
