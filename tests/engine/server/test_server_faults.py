"""Servers that misbehave: no wrong reward gets through, and nothing that was scored is lost."""

import pytest

from tests.engine.server.misbehaviour import (
    Body,
    BosDoubled,
    BosLost,
    Cut,
    CutOnTheLeft,
    Gives,
    HungUp,
    InBase64,
    Missing,
    OtherModel,
    Refuses,
    Reordered,
    Sigmoid,
    Twice,
    Worth,
    another_json,
    busy,
    not_json,
    proxy_page,
    unavailable,
)
from tests.engine.server.scored_by_servers import CLOSE, asked, mostly_slow, score, served_judge
from tests.engine.server.text_protocols import TeiProtocol
from tests.engine.server.texts import COMPLETIONS, PROMPTS
from ultrarm_eval.errors import RewardError

TEXTS = range(len(COMPLETIONS))
PROTOCOLS = ("vllm", "sglang", "tei")
PASSING = {
    "429": lambda: busy(times=2),
    "429 without Retry-After": lambda: busy(retry_after=None, times=2),
    "503": lambda: unavailable(times=2),
    "503 with Retry-After": lambda: unavailable(retry_after="0", times=2),
    "502 of a proxy": lambda: proxy_page(times=2),
    "cut": lambda: Cut(times=2),
    "cut after the headers": lambda: Cut(0.0, times=2),
    "hung up": lambda: HungUp(times=2),
}
WRONG = {
    "a sigmoid": lambda model: Sigmoid(),
    "another model": OtherModel,
    "a BOS twice": lambda model: BosDoubled(),
    "no BOS": lambda model: BosLost(),
    "truncated on the left": lambda model: CutOnTheLeft(20),
    "other order, numbers left out": lambda model: Reordered("none"),
    "other order, numbers made anew": lambda model: Reordered("wrong"),
    "an item is missing": lambda model: Missing(),
    "no items": lambda model: Missing(1000),
    "an item twice": lambda model: Twice(),
    "a text for a reward": lambda model: Worth("1.5"),
    "null": lambda model: Worth(None),
    "a flag": lambda model: Worth([True]),
    "two numbers": lambda model: Worth([0.5, 0.5]),
    "no number": lambda model: Worth([]),
    "lists in lists": lambda model: Worth([[0.5]]),
    "an object": lambda model: Worth({"reward": 0.5}),
    "a large number": lambda model: Worth([10**400]),
    "a list": lambda model: another_json([1, 2, 3]),
    "nothing": lambda model: another_json(None),
    "an object without data": lambda model: another_json({"object": "list"}),
    "data that are a number": lambda model: another_json({"data": 3}),
    "items that are numbers": lambda model: another_json({"data": [1, 2, 3, 4]}),
    "an error with 200": lambda model: another_json({"error": {"message": "x"}}),
    "half an answer": lambda model: not_json(),
    "bytes": lambda model: Body(lambda _: b"\xff\xfe\x00"),
    "nothing at all": lambda model: Body(lambda _: b""),
    "a page with 200": lambda model: proxy_page(200),
}  # fmt: skip
#: One of each kind: other rewards, other places, and what is none.
QUICK = (
    "a sigmoid",
    "another model",
    "other order, numbers made anew",
    "an item is missing",
    "null",
)


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store.db")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_servers_give_what_torch_gives(serve, checkpoint, rewards, store, protocol):
    server = serve(protocol)
    judge = served_judge(checkpoint, [server], protocol=protocol, score_store=store)
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)
    assert len(outcome.stored) == len(COMPLETIONS)
    assert set(asked([server], judge).values()) == {1}


@pytest.mark.parametrize("protocol", mostly_slow(PROTOCOLS, ["vllm"]))
@pytest.mark.parametrize("fault", mostly_slow(PASSING, ["429", "cut"]))
def test_what_passes_costs_no_reward(serve, checkpoint, rewards, store, protocol, fault):
    server = serve(protocol)
    judge = served_judge(checkpoint, [server], protocol=protocol, score_store=store)
    judge.load()
    told = PASSING[fault]()
    server.misbehave(told)
    outcome = score(judge)
    assert told.spoiled == 2
    assert outcome.error is None
    outcome.require_right(rewards)
    assert len(outcome.stored) == len(COMPLETIONS)


def test_items_in_another_order_with_their_numbers_are_right(serve, checkpoint, rewards):
    server = serve()
    server.misbehave(Reordered("right"))
    outcome = score(served_judge(checkpoint, [server], loads=False))
    assert outcome.error is None
    outcome.require_right(rewards)


@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("fault", mostly_slow(WRONG, QUICK))
def test_what_is_wrong_in_a_run_ends_it_by_name(
    serve, checkpoint, rewards, other_served, store, fault, after
):
    server = serve()
    judge = served_judge(checkpoint, [server], score_store=store, max_retries=1)
    judge.load()
    told = WRONG[fault](other_served)
    told.after = after
    server.misbehave(told)
    outcome = score(judge)
    assert told.spoiled
    assert outcome.error is not None
    assert server.url in outcome.said
    outcome.require_right(rewards)
    # Once it behaves again, what was stored is not asked for again.
    kept = set(outcome.stored)
    server.behave()
    server.forget()
    again = served_judge(checkpoint, [server], score_store=store)
    outcome = score(again)
    assert outcome.error is None
    outcome.require_right(rewards)
    assert set(asked([server], again)) == set(TEXTS) - kept


@pytest.mark.parametrize("fault", mostly_slow(WRONG, ["a sigmoid"]))
def test_what_is_wrong_from_the_start_is_never_scored(
    serve, checkpoint, rewards, other_served, store, fault
):
    server = serve()
    if fault == "another model":
        pytest.skip("under the same name it is what `ultrarm-eval verify` tells")
    server.misbehave(WRONG[fault](other_served))
    judge = served_judge(checkpoint, [server], loads=False, score_store=store, max_retries=1)
    outcome = score(judge)
    assert outcome.error is not None
    assert server.url in outcome.said
    assert not outcome.rewards
    assert not outcome.stored


@pytest.mark.slow
@pytest.mark.parametrize("code", ["d", "e", "ff"])
def test_base64_of_other_numbers_is_no_reward(serve, checkpoint, rewards, store, code):
    server = serve()
    judge = served_judge(checkpoint, [server], score_store=store, max_retries=1)
    judge.load()
    server.misbehave(InBase64(code))
    outcome = score(judge)
    # Another path may give what this one does not.
    outcome.require_right(rewards)
    if outcome.error is None:
        assert {seen.path for seen in server.scored[-3:]} == {"/classify"}


TEXT_FAULTS = ("a sigmoid", "a BOS twice", "no BOS", "an item is missing", "null", "two numbers")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["sglang", "tei"])
@pytest.mark.parametrize("fault", [*TEXT_FAULTS, "another model"])
def test_texts_are_guarded_as_token_ids_are(
    serve, checkpoint, rewards, other_served, store, protocol, fault
):
    server = serve(protocol)
    judge = served_judge(checkpoint, [server], protocol=protocol, score_store=store, max_retries=1)
    judge.load()
    server.misbehave(WRONG[fault](other_served))
    outcome = score(judge)
    assert outcome.error is not None
    assert server.url in outcome.said
    outcome.require_right(rewards)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["sglang", "tei"])
@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_servers_of_texts_that_read_them_otherwise_are_refused_at_the_start(
    serve, checkpoint, other_served, protocol, fault
):
    server = serve(protocol)
    server.misbehave(WRONG[fault](other_served))
    judge = served_judge(checkpoint, [server], protocol=protocol, loads=False, max_retries=1)
    outcome = score(judge)
    assert outcome.error is not None
    assert server.url in outcome.said
    assert not outcome.rewards


@pytest.mark.parametrize("protocol", ["sglang", "tei"])
@pytest.mark.parametrize(
    "spelled", mostly_slow(["</s>", "<s>", "blue </s> green", "<unk>"], ["blue </s> green"])
)
def test_servers_of_texts_never_read_what_an_answer_spells(
    serve, checkpoint, served, protocol, spelled
):
    """A control token that a text spells is refused, or the reward is that of the text."""
    server = serve(protocol)
    completions = ["the sky", f"green {spelled}", "a list"]
    prompts = ["What is blue?"] * 3
    expected = served.judge.score_one_at_a_time(prompts, completions)
    judge = served_judge(checkpoint, [server], protocol=protocol)
    outcome = score(judge, prompts, completions)
    outcome.require_right(expected)
    if outcome.error is not None:
        assert isinstance(outcome.error, RewardError)
        assert outcome.error.completion == 1
        assert sorted(outcome.rewards) == [0, 2]


def test_what_an_answer_spells_is_text_where_ids_are_sent(serve, checkpoint, served):
    completions = [f"green {one} and" for one in ("</s>", "<s>", "<unk>")] + ["</s>"]
    prompts = ["What is <s> blue?"] * 4
    outcome = score(served_judge(checkpoint, [serve()]), prompts, completions)
    assert outcome.error is None
    outcome.require_right(served.judge.score_one_at_a_time(prompts, completions))


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (17, 400),
        *(
            pytest.param(number, status, marks=pytest.mark.slow)
            for number in (0, 17, 39)
            for status in (400, 413, 422, 500)
            if (number, status) != (17, 400)
        ),
    ],
)
def test_one_text_that_is_refused_is_named_and_all_others_are_kept(
    serve, checkpoint, rewards, store, served, number, status
):
    server = serve()
    bad = tuple(served.judge.encoded(PROMPTS[number], COMPLETIONS[number]))
    server.misbehave(Refuses(lambda text: text == bad, status))
    judge = served_judge(checkpoint, [server], score_store=store, max_retries=1, batch_size=16)
    outcome = score(judge)
    assert isinstance(outcome.error, RewardError)
    assert outcome.error.completion == number
    outcome.require_right(rewards)
    assert set(outcome.stored) == set(TEXTS) - {number}
    # Found by halving and not one by one; an error of the server's own is tried again each time.
    assert len(server.scored) <= (20 if status != 500 else 40)


@pytest.mark.parametrize("protocol", mostly_slow(PROTOCOLS, ["vllm"]))
def test_a_reward_that_is_no_number_names_its_text(
    serve, checkpoint, rewards, store, served, protocol
):
    server = serve(protocol)
    bad = tuple(served.judge.encoded(PROMPTS[5], COMPLETIONS[5]))
    server.misbehave(Gives(float("nan"), lambda text: text == bad))
    judge = served_judge(checkpoint, [server], protocol=protocol, score_store=store, max_retries=1)
    outcome = score(judge)
    assert isinstance(outcome.error, RewardError)
    assert outcome.error.completion == 5
    outcome.require_right(rewards)
    # The run may end with the answer that has it: some of the others may not have come.
    beside = next(seen.texts for seen in server.scored if bad in seen.texts)
    encoded = map(judge.encoded, PROMPTS, COMPLETIONS)
    kept = {number for number, text in enumerate(encoded) if tuple(text) in beside} - {5}
    assert kept
    assert kept <= set(outcome.stored) <= set(TEXTS) - {5}


@pytest.mark.slow
@pytest.mark.parametrize("reward", [float("inf"), float("-inf")])
def test_an_infinite_reward_names_its_text(serve, checkpoint, rewards, store, served, reward):
    server = serve()
    bad = tuple(served.judge.encoded(PROMPTS[5], COMPLETIONS[5]))
    server.misbehave(Gives(reward, lambda text: text == bad))
    outcome = score(served_judge(checkpoint, [server], score_store=store, max_retries=1))
    assert isinstance(outcome.error, RewardError)
    assert outcome.error.completion == 5
    outcome.require_right(rewards)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [busy(), busy(retry_after=None), unavailable(), proxy_page(), Cut(), HungUp()]
)
def test_a_server_that_stays_away_ends_the_run_and_loses_nothing(
    serve, checkpoint, rewards, store, fault
):
    server = serve()
    judge = served_judge(checkpoint, [server], score_store=store, max_retries=1)
    judge.load()
    fault.after, fault.spoiled = 2, 0
    server.misbehave(fault)
    outcome = score(judge)
    assert outcome.error is not None
    assert server.url in outcome.said
    outcome.require_right(rewards)
    assert outcome.stored
    assert set(outcome.stored) == set(asked([server], judge))


@pytest.mark.slow
def test_classify_serves_where_pooling_is_not_there(serve, checkpoint, rewards):
    server = serve(missing_paths=["/pooling"])
    outcome = score(served_judge(checkpoint, [server]))
    assert outcome.error is None
    outcome.require_right(rewards)
    assert {seen.path for seen in server.scored} == {"/classify"}


@pytest.mark.slow
def test_another_name_of_the_model_is_refused(serve, checkpoint, served):
    outcome = score(
        served_judge(checkpoint, [serve()], served_model="another", loads=False), [], []
    )
    assert outcome.error is not None
    assert "another" in outcome.said
    assert served.name in outcome.said


@pytest.mark.slow
def test_a_server_with_less_room_is_refused(serve, checkpoint, served):
    from tests.engine.server.served_checkpoint import ServedCheckpoint

    server = serve(model=ServedCheckpoint(served.judge, max_model_len=100))
    judge = served_judge(checkpoint, [server], loads=False)
    outcome = score(judge, [], [])
    assert outcome.error is not None
    assert "100" in outcome.said
    assert "max_length" in outcome.said


@pytest.mark.slow
def test_tei_is_never_asked_for_more_texts_than_it_takes(serve, checkpoint, rewards):
    server = serve(TeiProtocol(max_client_batch_size=3))
    judge = served_judge(checkpoint, [server], protocol="tei", batch_size=16)
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)


def test_start_checks_are_few_requests(serve, checkpoint):
    for protocol in ("vllm", "sglang", "tei"):
        server = serve(protocol)
        served_judge(checkpoint, [server], protocol=protocol)
        assert 1 <= len(server.seen) <= 10
        assert sum(len(seen.texts) for seen in server.scored) <= 64


@pytest.mark.slow
def test_rewards_of_one_call_are_not_scored_by_torch_beside(serve, checkpoint, rewards):
    server = serve()
    judge = served_judge(checkpoint, [server])
    assert judge.settings()["engine"] == "server"
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(rewards, abs=CLOSE)
    # Every text came from the server.
    assert set(asked([server], judge)) == set(TEXTS)
