"""What a run does about servers that fail, refuse texts, or answer wrongly."""

import math
import time

import pytest

from tests.engine.server.misbehaviour import (
    Answers,
    AnswersTo,
    Body,
    Fault,
    Missing,
    Reordered,
    Shuffled,
    Sigmoid,
    Stuck,
    another_json,
    busy,
    proxy_page,
    refuses,
    unavailable,
)
from tests.engine.server.without_weights.computed import computed, computed_until_error, value_of
from ultrarm_eval.errors import ScoringError, TextRefusedError


class NumberedByLists(Fault):
    """The number of an item is a list."""

    def items(self, items):
        return [{**one, "index": [one["index"]]} for one in items]


class StuckOnce(Stuck):
    """One request gets no answer; those after it have all the time that a busy machine takes."""

    def __init__(self, client):
        super().__init__(times=1)
        self._client = client

    async def instead(self, request, texts):
        self._client._seconds = 600.0
        return await super().instead(request, texts)


#: What is answered a few times.
PASSING = {
    "busy": lambda **when: busy(retry_after=None, **when),
    "busy for a while": lambda **when: busy(retry_after="0.05", **when),
    "unavailable": unavailable,
    "broken": lambda **when: Answers(500, "broken", **when),
    "a proxy's page": lambda **when: proxy_page(200, **when),
    "an item is missing": Missing,
    "no items": lambda **when: another_json({"data": []}, **when),
    "ten equal items": lambda **when: another_json(
        {"data": [{"index": [0], "data": 1.0}] * 10}, **when
    ),
    "a number beyond double precision": lambda **when: another_json(
        {"data": [{"index": 0, "data": [10**400]}]}, **when
    ),
    "numbered by lists": NumberedByLists,
    "deeply nested": lambda **when: Body(lambda _: b"[" * 200_000, **when),
    "more deeply nested": lambda **when: Body(lambda _: b"[" * 10**6, **when),
}


class TestFaults:
    @pytest.mark.parametrize("fault", PASSING)
    def test_that_pass_cost_nothing_but_time(self, fault, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=8)
        made.prepare()
        passing = PASSING[fault](times=3)
        one.misbehave(passing)
        assert computed(made, texts) == wanted
        assert passing.spoiled == 3

    def test_a_server_that_dies_is_replaced_and_comes_back(self, server, engine, texts, wanted):
        a, b = server(), server()
        made = engine(a, b, max_batch_size=4, num_concurrent=1)
        made.prepare()
        b.misbehave(Stuck(0.02), AnswersTo(lambda _: a.kill()))
        assert computed(made, texts) == wanted
        a.forget()
        a.start()
        b.misbehave(Stuck(0.02))
        assert computed(made, texts) == wanted
        b.behave()
        assert computed(made, texts) == wanted
        assert len(a.scored) > 4

    def test_another_model_behind_the_address_gives_no_reward(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=2)

        def change(found):
            if len(found) >= 8:
                one.model.score = lambda ids: value_of(ids) + 0.5

        found, error = computed_until_error(made.compute(texts), ScoringError, change)
        assert "another model" in str(error)
        assert 8 <= len(found) < len(texts)
        assert found == {i: wanted[i] for i in found}

    def test_a_server_that_turns_a_sigmoid_on_is_left_out(
        self, server, engine, texts, wanted, caplog
    ):
        a, b = server(), server()
        made = engine(a, b, max_batch_size=4)
        made.prepare()
        a.misbehave(Sigmoid())
        assert computed(made, texts) == wanted
        assert f"Server {a.url} failed and will be retried" in caplog.text
        assert "it applies a sigmoid" in caplog.text
        for _ in range(3000):
            if "no more requests" in caplog.text:
                break
            time.sleep(0.02)
        assert f"{a.url} gets no more requests" in caplog.text

    def test_a_shuffle_gives_no_reward(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=8)
        made.prepare()
        one.misbehave(Shuffled())
        found, error = computed_until_error(made.compute(texts), ScoringError)
        assert "order" in str(error)
        assert found == {i: wanted[i] for i in found}

    def test_values_that_are_numbered_may_come_in_any_order(self, server, engine, texts, wanted):
        one = server()

        one.misbehave(Reordered())
        assert computed(engine(one), texts) == wanted

    def test_one_bad_text_is_named_after_all_others(self, server, engine, texts, wanted):
        one = server()
        made = engine(one)
        made.prepare()
        bad = tuple(texts[13])
        one.misbehave(refuses(lambda sent: bad in sent, 400, "Out of range: \x1b[31m\nmore"))
        checked = len(one.scored)
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert error.text == 13
        assert "400: Out of range:" in str(error)
        assert "more" not in str(error)
        assert "\x1b" not in str(error)
        del wanted[13]
        assert found == wanted
        assert len(one.scored) - checked < 25

    def test_one_text_that_breaks_the_server_is_named(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_retries=1)
        made.prepare()
        bad = tuple(texts[13])
        one.misbehave(refuses(lambda sent: bad in sent, 500, "oops"))
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert str(error).startswith("Text 13: it failed")
        assert "oops" in str(error)
        del wanted[13]
        assert found == wanted

    def test_a_refusal_of_everything_is_said_at_once(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.scored)
        one.misbehave(refuses(lambda _: True, 400, "no such parameter"))
        with pytest.raises(ScoringError, match="no such parameter"):
            computed(made, texts)
        assert len(one.scored) - checked < 40

    def test_a_refusal_of_all_but_the_probes_is_said_at_once(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        made.prepare()
        checked, bad = len(one.scored), set(map(tuple, texts))
        one.misbehave(refuses(lambda sent: bool(bad & {*sent}), 400, "never"))
        with pytest.raises(
            ScoringError, match="8 texts in a row were rejected, and none was computed at all"
        ):
            computed(made, texts)
        assert len(one.scored) - checked < 40

    def test_a_server_that_begins_to_refuse_texts_is_not_asked_for_all(
        self, server, engine, texts, wanted
    ):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        bad = set(map(tuple, texts))

        def begin(_):
            one.misbehave(refuses(lambda sent: bool(bad & {*sent}), 400, "never"))

        found, _ = computed_until_error(made.compute(texts), ScoringError, begin)
        assert found == {i: wanted[i] for i in found}
        assert len(one.scored) < 200

    def test_a_request_that_is_too_large_is_sent_in_parts(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=32)
        made.prepare()
        one.misbehave(refuses(lambda sent: len(sent) > 10, 413, "too large"))
        assert computed(made, texts) == wanted

    def test_a_single_text_is_never_too_large_for_its_probes(self, server, engine, texts):
        # Two values say little: two probes go along with however many texts.
        def score(ids):
            return math.copysign(3.0, value_of(ids))

        one = server(score=score)
        made = engine(one, max_batch_size=2)
        made.prepare()
        one.misbehave(refuses(lambda sent: len(sent) > 3, 413, "too large"))
        assert computed(made, texts) == {i: score(list(text)) for i, text in enumerate(texts)}

    @pytest.mark.parametrize("status", [403, 404, 302])
    def test_a_text_that_something_between_keeps_back_is_named(
        self, status, server, engine, texts, wanted
    ):
        # As of a firewall: the probes pass, and this text never does.
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.scored)
        bad = tuple(texts[13])
        one.misbehave(refuses(lambda sent: bad in sent, status, "blocked"))
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert str(error).startswith(f"Text 13: {one.url} rejects it, and accepts others: ")
        assert f"returned status {status}: blocked" in str(error)
        del wanted[13]
        assert found == wanted
        # Each request once, three halves of one of them, and the probes alone after each refusal.
        assert len(one.scored) - checked <= 15 + 4 + 3

    def test_a_server_that_becomes_another_model_is_no_fault_of_texts(
        self, server, engine, texts, wanted
    ):
        one, other = server(), server()
        made = engine(one, other, max_batch_size=1, num_concurrent=1)
        made.prepare()
        one.misbehave(refuses(lambda _: True, 404, "no such model", after=3))
        assert computed(made, texts) == wanted

    def test_no_server_left_is_an_error_after_what_was_computed(
        self, server, engine, texts, wanted
    ):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1, max_retries=2)

        def close(found):
            if len(found) >= 8:
                one.kill()

        found, error = computed_until_error(made.compute(texts), ScoringError, close)
        assert "no server is left" in str(error)
        assert one.url in str(error)
        assert found == {i: wanted[i] for i in found}
        assert len(found) >= 8

    def test_an_answer_that_takes_too_long_is_asked_for_again(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, num_concurrent=1)
        made.prepare()
        client = made._pool.servers[0].protocol.client
        client._seconds = 0.4
        stuck = StuckOnce(client)
        one.misbehave(stuck)
        assert computed(made, texts) == wanted
        assert stuck.spoiled == 1

    def test_texts_that_no_server_reads_so_are_refused_alone(self, server, engine, served, texts):
        spelled = served.encode(["x"], ["y"])[0]
        # The letters of a control token, each a token of its own.
        letters = [served.tokenizer.convert_tokens_to_ids(one) for one in ("<", "/", "s", ">")]
        odd = type(spelled).of([*spelled, *letters])
        batches = engine(server("tei"), protocol="tei").compute([*texts[:2], odd])
        found, error = computed_until_error(batches, TextRefusedError)
        assert str(error).startswith("Text 2: the servers accept only texts, not token ids")
        assert found == {i: pytest.approx(value_of(list(texts[i])), abs=1e-5) for i in (0, 1)}
