"""kill -9: of our process, and of a server's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.server.misbehaviour import Slow
from tests.engine.server.scored_by_servers import asked, score, served_judge
from tests.engine.server.texts import COMPLETIONS

TEXTS_OF_A_REQUEST = 2
HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.slow


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail("what was waited for did not come")
        time.sleep(0.02)


def test_what_a_killed_run_scored_is_not_computed_again(serve, checkpoint, rewards, tmp_path):
    servers, store = [serve(), serve()], str(tmp_path / "store.db")
    for server in servers:
        server.misbehave(Slow(0.05))
    urls = ";".join(server.url for server in servers)
    command = [sys.executable, str(HERE / "scoring_process.py"), str(checkpoint), urls, store]
    judge = served_judge(checkpoint, servers, score_store=store, loads=False)
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: len(asked(servers, judge)) >= 20)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    for server in servers:
        server.behave()
    # What was answered and not yet stored: at most two requests a server wait to be taken, and one
    # is being stored.
    first = set(asked(servers, judge))
    for server in servers:
        server.forget()
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)
    second = set(asked(servers, judge))
    not_stored = TEXTS_OF_A_REQUEST * (2 * len(servers) + 1)
    assert len(first) >= 20
    assert len(second & first) <= not_stored
    assert second | first == set(range(len(COMPLETIONS)))


@pytest.mark.parametrize("protocol", ["vllm", pytest.param("sglang", marks=pytest.mark.campaign)])
def test_a_server_that_is_killed_and_started_again_ends_in_right_rewards(
    checkpoint, rewards, tmp_path, protocol
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "computed.jsonl"
    command = [
        *(sys.executable, str(HERE / "reward_server.py"), str(checkpoint)),
        *("--port", str(port), "--protocol", protocol, "--log", str(log)),
    ]

    def is_listening():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def start():
        started = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        wait_for(is_listening)
        return started

    class Server:
        url = f"http://127.0.0.1:{port}"

    process = start()
    store = str(tmp_path / "store.db")
    try:
        judge = served_judge(
            checkpoint,
            [Server],
            protocol=protocol,
            score_store=store,
            max_retries=1,
            num_concurrent=1,
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        outcome = score(judge)
        assert outcome.error is not None
        assert Server.url in outcome.said
        process = start()
        outcome = score(served_judge(checkpoint, [Server], protocol=protocol, score_store=store))
        assert outcome.error is None
        outcome.require_right(rewards)
        assert len(outcome.stored) == len(COMPLETIONS)
    finally:
        process.kill()
        process.wait()
    assert [json.loads(line) for line in log.read_text().splitlines()]
