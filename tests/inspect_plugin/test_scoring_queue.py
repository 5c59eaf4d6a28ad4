"""The queue of a judge, on both of the harness's event loops: batches, failures, cancellation."""

import re
import subprocess
import sys
import threading

import pytest

anyio = pytest.importorskip("anyio")
pytest.importorskip("inspect_ai")

from tests.inspect_plugin.conftest import CountingJudge, Critic
from ultrarm_eval.errors import RewardError, ScoringError, UnwritableTextError
from ultrarm_eval.inspect_plugin.scoring_queue import ScoringQueue

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def judge(counting):
    return counting(CountingJudge)()


def together(queue, requests, backend):
    """Asks for everything at once; gives what came of each request, an error in its place."""
    found = [None] * len(requests)

    async def ask(number, prompt, texts):
        try:
            found[number] = await queue.judgements(prompt, texts, f"Sample {number}")
        except ScoringError as error:
            found[number] = error

    async def run():
        async with anyio.create_task_group() as tasks:
            for number, (prompt, texts) in enumerate(requests):
                tasks.start_soon(ask, number, prompt, texts)

    anyio.run(run, backend=backend)
    return found


@BACKENDS
def test_what_is_asked_at_once_is_scored_at_once_a_prompts_texts_together(judge, backend):
    queue = ScoringQueue(judge)
    requests = [(f"prompt {n}", ["a" * n, "b" * (n + 1)]) for n in range(200)]
    found = together(queue, requests, backend)
    assert [[one.value for one in two] for two in found] == [[n, n + 1] for n in range(200)]
    (call,) = judge.calls
    assert [prompt for prompt, _ in call[::2]] == [prompt for prompt, _ in call[1::2]]
    assert (queue.calls, queue.texts) == (1, 400)


@BACKENDS
def test_a_full_batch_does_not_wait_for_silence(judge, backend):
    queue = ScoringQueue(judge, most_texts=20, silence_s=3600)
    together(queue, [(None, ["a", "bc"])] * 100, backend)
    assert [len(call) for call in judge.calls] == [20] * 10


@BACKENDS
def test_what_comes_while_it_computes_is_the_next_batch(judge, backend):
    queue = ScoringQueue(judge)
    judge.held.clear()

    async def later():
        while not judge.calls:
            await anyio.sleep(0.01)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(queue.judgements, "p", ["late"], "Sample")
            judge.held.set()

    async def run():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.judgements, "p", ["early"], "Sample")
            tasks.start_soon(later)

    anyio.run(run, backend=backend)
    assert [[text for _, text in call] for call in judge.calls] == [["early"], ["late"] * 5]


@BACKENDS
def test_a_judge_that_fails_fails_what_it_was_asked_and_nothing_later(judge, backend, monkeypatch):
    queue = ScoringQueue(judge)

    def fail(*_):
        raise RuntimeError("the card fell off the bus")

    with monkeypatch.context() as broken:
        broken.setattr(type(judge), "reward", fail)
        found = together(queue, [("p", ["a"]), ("p", ["b"])], backend)
    for number, error in enumerate(found):
        assert "the card fell off the bus" in str(error)
        assert str(error).startswith(f"Sample {number}: ")
    assert found[0] is not found[1]
    ((later,),) = together(queue, [("p", ["abc"])], backend)
    assert later.value == 3


@BACKENDS
def test_one_text_that_is_refused_fails_its_own_sample_alone(judge, backend, monkeypatch):
    queue = ScoringQueue(judge)

    def stream(self, prompts, completions):
        if "bad" in completions:
            raise UnwritableTextError(completions.index("bad"), "no turn of a system is known.")
        if "inf" in completions:
            place = completions.index("inf")
            raise RewardError(f"Completion {place} is infinite.", place, "Its reward is inf.")
        yield from ((n, float(len(text))) for n, text in enumerate(completions))

    monkeypatch.setattr(type(judge), "score_stream", stream)
    requests = [("p", ["a"]), ("p", ["good", "bad"]), ("p", ["inf"]), ("p", ["abc"])]
    first, bad, infinite, last = together(queue, requests, backend)
    assert (first[0].value, last[0].value) == (1, 3)
    assert str(bad) == "Sample 1: no turn of a system is known."
    assert str(infinite) == "Sample 2: Its reward is inf."


def test_a_batch_is_logged_with_its_size_and_time(judge, caplog):
    caplog.set_level("INFO")
    together(ScoringQueue(judge, silence_s=2), [("p", ["a", "b"]), ("p", ["c"])], "asyncio")
    assert re.search(r"Judged 3 texts of 2 samples in \d\.\d s\.", caplog.text)


@BACKENDS
def test_what_was_scored_before_a_failure_is_handed_out(judge, backend, monkeypatch):
    def stream(self, prompts, completions):
        yield 0, 1.0
        raise ScoringError("The server is gone.")

    monkeypatch.setattr(type(judge), "score_stream", stream)
    found = together(ScoringQueue(judge), [("p", ["a"]), ("p", ["b"])], backend)
    # trio starts its tasks in any order.
    (failed,) = (place for place, one in enumerate(found) if isinstance(one, ScoringError))
    assert str(found[failed]) == f"Sample {failed}: The server is gone."
    assert found[1 - failed][0].value == 1


@BACKENDS
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_reward_that_is_none_fails_the_sample(judge, backend, monkeypatch, value):
    from ultrarm_eval.judges.base import Judgement

    monkeypatch.setattr(
        type(judge),
        "reward",
        lambda self, _, text: Judgement(value) if text == "x" else Judgement(1.0),
    )
    failed, scored = together(ScoringQueue(judge), [("p", ["x"]), ("p", ["y"])], backend)
    assert "Sample 0" in str(failed)
    assert scored[0].value == 1


@BACKENDS
def test_what_ends_threads_ends_the_batch_alone(judge, backend, monkeypatch):
    queue = ScoringQueue(judge)

    def leave(*_):
        raise SystemExit(3)

    with monkeypatch.context() as broken:
        broken.setattr(type(judge), "reward", leave)
        (error,) = together(queue, [("p", ["a"])], backend)
    assert str(error) == "Sample 0: SystemExit: 3"
    thread = queue._thread
    ((later,),) = together(queue, [("p", ["abc"])], backend)
    assert later.value == 3
    assert queue._thread is thread


def test_a_text_that_the_judge_refuses_when_it_looks_at_it_is_not_asked_for(judge, monkeypatch):
    def check(self, prompts, completions):
        if "bad" in completions:
            raise UnwritableTextError(completions.index("bad"), "it is bad.")

    monkeypatch.setattr(type(judge), "check", check, raising=False)
    bad, good = together(ScoringQueue(judge), [("p", ["bad"]), ("p", ["good"])], "asyncio")
    assert str(bad) == "Sample 0: it is bad."
    assert good[0].value == 4
    assert judge.calls == [[("p", "good")]]


def test_the_fingerprint_is_asked_for_once(judge, monkeypatch):
    asked = []
    monkeypatch.setattr(type(judge), "fingerprint", lambda self: asked.append(self) or "print")
    queue = ScoringQueue(judge)
    assert queue.facts() == {"judge": "CountingJudge"}
    together(queue, [("p", ["a", "bc"])] * 3, "asyncio")
    assert queue.facts() == {"judge": "CountingJudge", "fingerprint": "print"}
    assert len(asked) == 1


@pytest.mark.parametrize(("longer", "warned"), [(0, True), (1, False)])
def test_rewards_that_are_all_equal_are_warned_of_once(judge, monkeypatch, caplog, longer, warned):
    monkeypatch.setattr(type(judge), "reward", lambda self, _, text: float(text == "x" * longer))
    requests = [("p", ["x" * n]) for n in range(1, 41)]
    with caplog.at_level("WARNING"):
        together(ScoringQueue(judge), requests, "asyncio")
    assert caplog.text.count("All rewards of this run are") == warned


@BACKENDS
def test_a_judge_that_may_abstain_may_do_so(counting, backend):
    critic = counting(Critic)()
    ((one,),) = together(ScoringQueue(critic), [("p", ["what?"])], backend)
    assert one.unscored
    assert one.explanation == ("It has 5 characters.",)


@BACKENDS
def test_nothing_is_computed_for_samples_that_were_cancelled_and_later_ones_are_scored(
    judge, backend
):
    queue = ScoringQueue(judge)
    judge.held.clear()

    async def run():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.judgements, "p", ["first"], "Sample 1")
            while not judge.calls:
                await anyio.sleep(0.01)
            tasks.start_soon(queue.judgements, "p", ["second"], "Sample 2")
            await anyio.wait_all_tasks_blocked()
            # Nobody waits for the judge, which is in the midst of it.
            tasks.cancel_scope.cancel()

    anyio.run(run, backend=backend)
    judge.held.set()
    ((one,),) = together(queue, [("p", ["third"])], backend)
    assert one.value == 5
    assert [[text for _, text in call] for call in judge.calls] == [["first"], ["third"]]


def test_an_event_loop_that_ended_meanwhile_stops_nobody(judge):
    queue = ScoringQueue(judge)
    judge.held.clear()

    async def give_up():
        with anyio.move_on_after(0.05):
            await queue.judgements("p", ["first"], "Sample")

    for backend in ("asyncio", "trio"):
        anyio.run(give_up, backend=backend)
    judge.held.set()
    ((one,),) = together(queue, [("p", ["ab"])], "trio")
    assert one.value == 2


def test_event_loops_of_several_threads_share_it(judge):
    queue = ScoringQueue(judge)
    judge.held.clear()
    found = {}

    def run(backend):
        found[backend] = together(queue, [("p", [backend])], backend)

    threads = [threading.Thread(target=run, args=[name]) for name in ("asyncio", "trio")]
    for thread in threads:
        thread.start()
    while sum(map(len, judge.calls)) + queue._waiting.qsize() < 1:
        pass
    judge.held.set()
    for thread in threads:
        thread.join(60)
    assert {name: one[0][0].value for name, one in found.items()} == {"asyncio": 7, "trio": 4}


SCRIPT = """
import threading
import anyio
from ultrarm_eval.inspect_plugin.scoring_queue import ScoringQueue

asked = threading.Event()

class Judge:
    def score(self, prompts, completions):
        asked.set()
        threading.Event().wait()
    def settings(self): return {}
    def fingerprint(self): return "x"

async def run():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ScoringQueue(Judge()).judgements, "p", ["a"], "Sample")
        while not asked.is_set():
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    print("cancelled")

anyio.run(run)
"""


def test_a_judge_in_the_midst_of_it_does_not_keep_the_process_alive():
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=240, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "cancelled"), ended.stderr
