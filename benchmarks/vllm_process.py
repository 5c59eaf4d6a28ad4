"""vLLM in an environment and processes of its own, started and asked by `vllm_speed.py`."""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

# When vLLM's processes count as idle: what they may use of a core while they are looked at.
_SECONDS_TO_LOOK, _IDLE_SHARE, _LOOKS = 0.5, 0.1, 60
_WORKER = Path(__file__).with_name("vllm_worker.py")


class Vllm:
    """vLLM, started in its own environment and bound to cores."""

    def __init__(
        self,
        python: str,
        folder: Path,
        cores: Sequence[int],
        settings: Mapping[str, Any],
        preload: str | None,
    ) -> None:
        """Starts it, which takes minutes.

        Args:
            python: The interpreter of an environment with vLLM.
            folder: The model.
            cores: What it may use.
            settings: What `vllm.LLM` is given besides.
            preload: Libraries that its processes load first, as its documentation advises.

        Raises:
            RuntimeError: It does not start.
        """
        environment = {
            **os.environ,
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
            "VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "2"),
            "VLLM_NO_USAGE_STATS": "1",
        }
        # One for this process would be one for vLLM's.
        environment.pop("OMP_NUM_THREADS", None)
        if preload is not None:
            environment["LD_PRELOAD"] = preload
        self._process = subprocess.Popen(  # noqa: S603 (the user's own interpreter)
            [python, str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            self.said = self._ask({"model": str(folder), "settings": dict(settings)})
        except BaseException:
            self.stop()
            raise

    def score(self, texts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Scores texts."""
        return self._ask({"texts": [list(ids) for ids in texts]})

    def processor_seconds(self) -> float:
        """What its processes have used so far."""
        this = psutil.Process(self._process.pid)
        times = [one.cpu_times() for one in (this, *this.children(recursive=True))]
        return math.fsum(time.user + time.system for time in times)

    def wait_until_idle(self) -> None:
        """Waits until its processes spin no more, as they do for a while after an answer.

        Raises:
            RuntimeError: They do not stop.
        """
        for _ in range(_LOOKS):
            before = self.processor_seconds()
            time.sleep(_SECONDS_TO_LOOK)
            if self.processor_seconds() - before <= _IDLE_SHARE * _SECONDS_TO_LOOK:
                return
        raise RuntimeError("vLLM's processes do not become idle, so ours cannot be measured.")

    def stop(self) -> None:
        """Ends it and its processes."""
        if self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
            for one in psutil.wait_procs(children, timeout=10)[1]:
                one.kill()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("vLLM was started without pipes.")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("vLLM's process ended; see what it wrote above.")
        answer: dict[str, Any] = json.loads(line)
        return answer
