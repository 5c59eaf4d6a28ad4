"""Whatever two servers do wrong, and whenever: right rewards, or an error with a name."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.engine.server.misbehaviour import (
    BosDoubled,
    BosLost,
    Cut,
    Gives,
    HungUp,
    Missing,
    OtherModel,
    Reordered,
    Sigmoid,
    Slow,
    Twice,
    Worth,
    another_json,
    busy,
    not_json,
    proxy_page,
    unavailable,
)
from tests.engine.server.scored_by_servers import score, served_judge

FAULTS = {
    "429": lambda other, **when: busy(**when),
    "503": lambda other, **when: unavailable(retry_after="0", **when),
    "502": lambda other, **when: proxy_page(**when),
    "a page": lambda other, **when: proxy_page(200, **when),
    "cut": lambda other, **when: Cut(**when),
    "hung up": lambda other, **when: HungUp(**when),
    "slow": lambda other, **when: Slow(0.002, **when),
    "no JSON": lambda other, **when: not_json(**when),
    "no answer": lambda other, **when: another_json({"data": []}, **when),
    "sigmoid": lambda other, **when: Sigmoid(**when),
    "a BOS twice": lambda other, **when: BosDoubled(**when),
    "no BOS": lambda other, **when: BosLost(**when),
    "another model": lambda other, **when: OtherModel(other, **when),
    "another order": lambda other, **when: Reordered("right", **when),
    "no numbers": lambda other, **when: Reordered("none", **when),
    "missing": lambda other, **when: Missing(**when),
    "twice": lambda other, **when: Twice(**when),
    "null": lambda other, **when: Worth(None, **when),
    "a text": lambda other, **when: Worth("x", **when),
    "NaN": lambda other, **when: Gives(float("nan"), **when),
}
FAULT = st.tuples(
    st.sampled_from(sorted(FAULTS)), st.integers(0, 6), st.one_of(st.none(), st.integers(1, 3))
)


@pytest.mark.slow
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=st.lists(FAULT, max_size=3), second=st.lists(FAULT, max_size=3), starts=st.booleans())
def test_any_faults_end_in_right_rewards_or_a_named_error(
    serve, checkpoint, rewards, other_served, tmp_path_factory, first, second, starts
):
    servers = [serve(), serve()]
    store = str(tmp_path_factory.mktemp("faults") / "store.db")

    def misbehave():
        for server, told in zip(servers, (first, second), strict=True):
            server.misbehave(
                *(
                    FAULTS[name](other_served, after=after, times=times)
                    for name, after, times in told
                )
            )

    judge = served_judge(
        checkpoint, servers, loads=False, score_store=store, max_retries=2, request_timeout=60.0
    )
    if starts:
        # Under the same name from the start on it is what `ultrarm-eval verify` tells.
        first = [one for one in first if one[0] != "another model"]
        second = [one for one in second if one[0] != "another model"]
        misbehave()
    judge_outcome = score(judge, [], []) if not starts else None
    if judge_outcome is not None:
        assert judge_outcome.error is None
        misbehave()
    outcome = score(judge)
    outcome.require_right(rewards)
    kept = set(outcome.stored)
    for server in servers:
        server.behave()
    outcome = score(served_judge(checkpoint, servers, score_store=store))
    assert outcome.error is None
    outcome.require_right(rewards)
    assert kept <= set(outcome.stored)
