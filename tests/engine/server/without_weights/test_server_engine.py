"""The engine's rewards and requests, and how it ends."""

import asyncio
import gc
import json
import math
import os
import threading
import time

import pytest

from tests.engine.server.misbehaviour import Fault, Gives
from tests.engine.server.text_protocols import SglangProtocol, TeiProtocol
from tests.engine.server.without_weights.computed import computed
from ultrarm_eval.engine.server.server_engine import ServerEngine
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.settings import CheckpointSettings, make_settings

PROTOCOLS = ("vllm", "sglang", "tei")


class Concurrency(Fault):
    """Requests take until several are under way at once; the most are counted."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0

    async def instead(self, request, texts):
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(1000):
            if self.most > 1:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        self.now -= 1


async def all_others_end():
    """Waits until nothing else is under way in this loop."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, left = await asyncio.wait(others, timeout=60)
        assert not left, left


class TestRewards:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_are_those_of_the_ids(self, protocol, server, engine, texts, wanted):
        one = server(protocol)
        assert computed(engine(one, protocol=protocol), texts) == wanted

    def test_come_through_classify_where_there_is_no_pooling(self, server, engine, texts, wanted):
        one = server(missing_paths=["/pooling"])
        assert computed(engine(one), texts) == wanted

    def test_come_through_texts_where_sglang_takes_no_ids(self, server, engine, texts, wanted):
        one = server(SglangProtocol(takes_ids=False))
        assert computed(engine(one, protocol="sglang"), texts) == wanted
        assert "text" in one.scored[-1].asked

    def test_several_calls_use_the_same_checks(self, server, engine, texts):
        one = server()
        made = engine(one)
        assert len(computed(made, texts[:5])) == 5
        checked = len(one.scored)
        assert len(computed(made, texts[5:9])) == 4
        assert len(one.scored) == checked + 1

    def test_of_no_texts_are_none(self, server, engine):
        assert computed(engine(server()), []) == {}

    def test_of_two_threads_do_not_mix(self, server, engine, texts, wanted):
        made, found = engine(server(), server()), {}

        def part(name, some):
            found.update({some[i]: v for i, v in computed(made, [texts[i] for i in some]).items()})

        parts = [list(range(0, 60, 2)), list(range(1, 60, 2))]
        threads = [threading.Thread(target=part, args=(i, p)) for i, p in enumerate(parts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == wanted

    def test_that_are_nan_are_handed_out(self, server, engine, texts, wanted):
        one = server()
        bad = tuple(texts[7])
        one.misbehave(Gives(math.nan, lambda ids: ids == bad))
        found = computed(engine(one), texts)
        assert math.isnan(found.pop(7))
        del wanted[7]
        assert found == wanted


class TestRequests:
    def test_ask_for_raw_values_of_ids_and_never_for_truncation(self, server, engine, texts):
        one = server()
        computed(engine(one), texts)
        body = one.scored[-1].asked
        assert body["use_activation"] is False
        assert "truncate_prompt_tokens" not in json.dumps(body)
        assert body["model"] == "demo"

    def test_are_bounded_in_texts_and_tokens(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=8, max_batch_tokens=200)
        made.prepare()
        checked = len(one.scored)
        computed(made, texts)
        sent = [seen.texts for seen in one.scored[checked:]]
        known = set(map(tuple, texts))
        asked = [[ids for ids in one if ids in known] for one in sent]
        assert all(2 <= len(ids) - len(own) <= 6 for ids, own in zip(sent, asked, strict=True))
        assert all(len(own) <= 8 and sum(map(len, own)) <= 200 for own in asked)
        assert sum(map(len, asked)) == len(texts)

    def test_go_to_all_servers(self, server, engine, texts):
        servers = [server() for _ in range(3)]
        made = engine(*servers)
        made.prepare()
        before = [len(one.scored) for one in servers]
        computed(made, texts)
        assert all(len(s.scored) > b for s, b in zip(servers, before, strict=True))

    def test_stay_under_way_up_to_num_concurrent(self, server, engine, texts):
        one = server()
        made = engine(one, num_concurrent=2, max_batch_size=4)
        made.prepare()
        concurrency = Concurrency()
        one.misbehave(concurrency)
        computed(made, texts)
        assert concurrency.most == 2

    @pytest.mark.few(1)
    @pytest.mark.parametrize("most", [3, 8, 20])
    def test_have_no_more_texts_than_a_server_takes(self, most, server, engine, texts, wanted):
        one = server(TeiProtocol(max_client_batch_size=most))
        assert computed(engine(one, protocol="tei"), texts) == wanted

    def test_of_a_server_that_takes_too_few_texts_are_none(self, server, engine):
        one = server(TeiProtocol(max_client_batch_size=2))
        with pytest.raises(ConfigurationError, match="at least 3"):
            engine(one, protocol="tei").prepare()

    def test_of_one_prompt_are_together(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.scored)
        computed(made, texts)
        of = {tuple(text): i // 4 for i, text in enumerate(texts)}
        for seen in one.scored[checked:]:
            prompts = [of[ids] for ids in seen.texts if ids in of]
            assert len(set(prompts)) == 1


class TestEnd:
    def test_a_run_that_is_left_early_stops_asking(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        for _ in made.compute(texts):
            break
        made._connection.loop.wait_for(all_others_end())
        # What was asked ahead of the first batch, and the checks.
        assert len(one.scored) < len(texts) // 4
        assert len(computed(made, texts)) == len(texts)

    def test_a_busy_consumer_bounds_what_is_asked_ahead(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        made.prepare()
        checked = len(one.scored)
        batches = made.compute(texts)
        next(batches)
        time.sleep(0.3)
        assert len(one.scored) - checked <= 4
        batches.close()

    def test_an_engine_that_is_forgotten_closes_its_connections(self, server, served, texts):
        given = {"pretrained": "demo", "engine": "server", "base_url": server().url}
        made = ServerEngine(served, make_settings(CheckpointSettings, given, "ultrarm"))
        computed(made, texts[:4])
        assert "servers" in [t.name for t in threading.enumerate()]
        del made
        gc.collect()
        assert "servers" not in [t.name for t in threading.enumerate()]

    def test_an_engine_that_is_closed_connects_anew(self, server, engine, texts):
        made = engine(server())
        computed(made, texts[:4])
        made.close()
        assert "servers" not in [t.name for t in threading.enumerate()]
        assert len(computed(made, texts[:4])) == 4

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_process_connects_anew(self, server, engine, texts):
        made = engine(server())
        computed(made, texts[:4])
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            found = computed(made, texts)
            os.write(write, str(len(found)).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            assert pipe.read() == str(len(texts))
        os.waitpid(child, 0)
        assert len(computed(made, texts)) == len(texts)


def test_results_say_how_and_where(server, engine):
    one = server()
    made = engine(one)
    assert made.version is None
    assert made.identity() == {"engine": "server", "protocol": "vllm"}
    made.prepare()
    assert made.version == "0.32.0"
    assert made.described() == {
        "protocol": "vllm",
        "base_url": one.url,
        "num_concurrent": 8,
        "served_model": "demo",
        "max_model_len": 4096,
        "server_software": "vllm 0.32.0",
    }


def test_there_are_no_rewards_after_tokens(server, engine, texts):
    made = engine(server())
    assert isinstance(made, ServerEngine)
    with pytest.raises(ScoringError, match="engine=torch"):
        made.compute_after_tokens(texts[0])
