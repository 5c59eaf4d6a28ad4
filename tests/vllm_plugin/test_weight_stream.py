"""Weights out of a stream are those that a reader of files makes."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.vllm_plugin.weight_stream import renamed_stream

STORED = {f"stored.{number}": torch.full((2,), float(number + 1)) for number in range(5)}


def made(*parts):
    """Depends on the order of its parts."""
    return sum(part * 10**place for place, part in enumerate(parts))


sources = st.dictionaries(
    st.sampled_from([f"network.{number}" for number in range(6)]),
    st.lists(st.sampled_from(list(STORED)), unique=True, min_size=1, max_size=3).flatmap(
        lambda keys: (
            st.just(WeightSource(tuple(keys), made if len(keys) > 1 else None))
            | st.just(WeightSource(tuple(keys), made))
        )
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sources, st.permutations([*STORED, "other"]), st.integers(0, 6))
def test_whatever_the_order_each_weight_comes_once_and_is_made_of_its_own(given_map, order, there):
    keys = order[:there]
    buffer = torch.zeros(2)

    def stream():
        for key in keys:
            # As loaders do that use the same memory again.
            buffer.copy_(STORED.get(key, torch.zeros(2)))
            yield key, buffer

    found = [(name, weight.clone()) for name, weight in renamed_stream(stream(), given_map)]
    wanted = {
        name: made(*(STORED[key] for key in source.keys))
        for name, source in given_map.items()
        if set(source.keys) <= set(keys)
    }
    assert len(found) == len(wanted)
    for name, weight in found:
        assert torch.equal(weight, wanted[name])
