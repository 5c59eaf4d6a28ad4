"""Several servers: work goes to who is free, and those that die cost nothing."""

import threading

import pytest

from tests.engine.server.misbehaviour import (
    Fault,
    OtherModel,
    Sigmoid,
    Slow,
    Stuck,
    busy,
    unavailable,
)
from tests.engine.server.scored_by_servers import asked, score, served_judge
from tests.engine.server.texts import COMPLETIONS, PROMPTS

TEXTS = range(len(COMPLETIONS))


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store.db")


class DiesWith(Fault):
    """A server that is killed while it answers a request."""

    def __init__(self, server, **when):
        super().__init__(times=1, **when)
        self.killing = threading.Thread(target=server.kill)

    async def instead(self, request, texts):
        self.killing.start()
        # What it would have answered never comes.
        return await Stuck(30).instead(request, texts)


def test_two_servers_share_the_work_and_no_text_is_computed_twice(serve, checkpoint, rewards):
    servers = [serve(), serve()]
    for server in servers:
        server.misbehave(Slow(0.005))
    judge = served_judge(checkpoint, servers, num_concurrent=1)
    for server in servers:
        server.forget()
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)
    assert set(asked(servers, judge).values()) == {1}
    for server in servers:
        assert len(asked([server], judge)) >= len(COMPLETIONS) // 4


@pytest.mark.slow
def test_a_server_four_times_as_slow_gets_little_of_the_work(serve, checkpoint, rewards):
    fast, slow = serve(), serve()
    judge = served_judge(checkpoint, [slow, fast], num_concurrent=1, batch_size=2)
    fast.misbehave(Slow(0.01))
    slow.misbehave(Slow(0.04))
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)
    of_fast, of_slow = len(asked([fast], judge)), len(asked([slow], judge))
    assert of_fast >= 2 * of_slow
    assert of_slow


@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_the_work_of_a_server_that_dies_is_done_by_the_other(
    serve, checkpoint, rewards, store, after
):
    servers = [serve(), serve()]
    judge = served_judge(checkpoint, servers, num_concurrent=2, score_store=store)
    servers[1].misbehave(Slow(0.005))
    death = DiesWith(servers[0], after=after)
    servers[0].misbehave(Slow(0.005), death)
    outcome = score(judge)
    death.killing.join()
    assert outcome.error is None
    outcome.require_right(rewards)
    assert len(outcome.stored) == len(COMPLETIONS)


@pytest.mark.slow
def test_a_server_that_was_never_there_is_left_out_or_refused(serve, checkpoint, rewards):
    there, gone = serve(), serve()
    gone.kill()
    judge = served_judge(checkpoint, [gone, there], loads=False, max_retries=1)
    outcome = score(judge)
    outcome.require_right(rewards)
    if outcome.error is not None:
        assert gone.url in outcome.said
        assert not outcome.rewards


@pytest.mark.slow
def test_a_server_that_comes_back_is_tried_again(serve, checkpoint, rewards):
    servers = [serve(), serve()]
    judge = served_judge(checkpoint, servers, num_concurrent=1, batch_size=1)
    servers[0].kill()
    servers[1].misbehave(Slow(0.2))
    back = threading.Timer(1.0, servers[0].start)
    back.start()
    outcome = score(judge)
    back.join()
    assert outcome.error is None
    outcome.require_right(rewards)
    assert asked([servers[0]], judge)


@pytest.mark.slow
def test_a_server_that_comes_back_with_another_model_scores_nothing(
    serve, checkpoint, rewards, other_served, store
):
    servers = [serve(), serve()]
    judge = served_judge(
        checkpoint, servers, num_concurrent=1, batch_size=1, score_store=store, max_retries=1
    )
    servers[0].kill()
    servers[0].misbehave(OtherModel(other_served))
    servers[1].misbehave(Slow(0.1))
    back = threading.Timer(1.0, servers[0].start)
    back.start()
    outcome = score(judge)
    back.join()
    outcome.require_right(rewards)
    if outcome.error is not None:
        assert servers[0].url in outcome.said


def test_when_all_servers_die_the_error_names_them_and_nothing_is_lost(
    serve, checkpoint, rewards, store
):
    servers = [serve(), serve()]
    judge = served_judge(checkpoint, servers, num_concurrent=1, score_store=store, max_retries=1)
    for server in servers:
        server.misbehave(DiesWith(server, after=2))
    outcome = score(judge)
    assert outcome.error is not None
    for server in servers:
        assert server.url in outcome.said
    outcome.require_right(rewards)
    answered = set(asked(servers, judge))
    assert len(answered) >= 8
    assert set(outcome.stored) == answered
    for server in servers:
        server.behave()
        server.start()
        server.forget()
    again = served_judge(checkpoint, servers, score_store=store)
    outcome = score(again)
    assert outcome.error is None
    outcome.require_right(rewards)
    assert set(asked(servers, again)) == set(TEXTS) - answered


@pytest.mark.slow
@pytest.mark.parametrize("fault", [busy, unavailable])
def test_who_is_busy_for_good_leaves_the_work_to_the_other(serve, checkpoint, rewards, fault):
    servers = [serve(), serve()]
    judge = served_judge(checkpoint, servers)
    servers[0].misbehave(fault())
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)


@pytest.mark.slow
def test_a_server_that_never_answers_leaves_the_work_to_the_other(serve, checkpoint, rewards):
    servers = [serve(), serve()]
    # Time enough for the other one and for the checks, on a busy machine too.
    judge = served_judge(checkpoint, servers, request_timeout=3.0)
    servers[0].misbehave(Stuck())
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)


@pytest.mark.slow
def test_two_servers_of_two_models_are_refused_at_the_start(
    serve, checkpoint, served, other_served
):
    other_served.name, name = served.name, other_served.name
    try:
        servers = [serve(), serve(model=other_served)]
        outcome = score(served_judge(checkpoint, servers, loads=False))
    finally:
        other_served.name = name
    assert outcome.error is not None
    assert servers[1].url in outcome.said
    assert not outcome.rewards


@pytest.mark.slow
def test_one_of_two_servers_with_a_sigmoid_is_refused(serve, checkpoint, rewards):
    servers = [serve(), serve()]
    servers[1].misbehave(Sigmoid())
    outcome = score(served_judge(checkpoint, servers, loads=False))
    assert outcome.error is not None
    assert servers[1].url in outcome.said
    assert not outcome.rewards


@pytest.mark.slow
def test_servers_in_another_order_and_number_have_the_same_rewards_in_store(
    serve, checkpoint, rewards, store
):
    servers = [serve(), serve(), serve()]
    assert score(served_judge(checkpoint, servers[:2], score_store=store)).error is None
    again = served_judge(checkpoint, servers[1:], score_store=store)
    for server in servers:
        server.forget()
    outcome = score(again, PROMPTS, COMPLETIONS)
    outcome.require_right(rewards)
    assert not asked(servers, again)
