"""Servers that are left out while work ends and begins."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from ultrarm_eval.engine.server.failures import UnreachableError
from ultrarm_eval.engine.server.pool import Pool
from ultrarm_eval.engine.server.run import Run
from ultrarm_eval.engine.server.server import Server, State


def left_out(check):
    """A pool of one server that is left out, whose checks are these."""
    protocol = SimpleNamespace(client=SimpleNamespace(url="http://127.0.0.1:9"))
    return Pool([Server(protocol, 1)], SimpleNamespace(check=check), retries=1)


def run(work):
    """Runs it in a thread of its own: a browser of other tests leaves its loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


async def until(is_so):
    for _ in range(60_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("It does not come.")


def test_a_server_is_tried_for_work_that_begins_while_other_work_ends():
    checks = []

    async def check(_):
        checks.append(1)
        raise UnreachableError("no connection")

    async def work():
        pool = left_out(check)
        first, second = asyncio.Event(), asyncio.Event()
        pool.add(first)
        await until(lambda: pool._asleep)
        ending = asyncio.create_task(pool.remove(first))
        await asyncio.sleep(0)
        before = len(checks)
        pool.add(second)
        await ending
        await until(pool.is_lost)
        await pool.remove(second)
        return len(checks) - before

    assert run(work()) >= 2


def test_a_check_that_fails_in_an_unforeseen_way_is_not_waited_for(caplog):
    async def check(_):
        raise KeyError("unforeseen")

    async def work():
        pool, event = left_out(check), asyncio.Event()
        pool.add(event)
        await asyncio.wait_for(event.wait(), 60)
        await pool.remove(event)
        return pool

    pool = run(work())
    assert pool.is_lost()
    assert pool.servers[0].state is State.REFUSED
    assert "its check failed (KeyError: 'unforeseen')" in pool.report()
    assert "Traceback" in caplog.text


def test_a_run_that_is_left_as_its_batch_is_taken_is_stopped():
    async def work():
        one = Run(left_out(None), [], [], None, 1)
        waiting = asyncio.create_task(one._wait(asyncio.get_running_loop().time() + 60))
        await asyncio.sleep(0)
        one.taken()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(work())
