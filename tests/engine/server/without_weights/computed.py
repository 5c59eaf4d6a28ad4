"""Values that are a function of ids, and what an engine makes of them."""

import math

import pytest


def value_of(ids):
    """A value between -4 and 4 that every id and its place play a part in."""
    total = 0.0
    for place, one in enumerate(ids):
        total = math.fmod(total * 1.7 + math.sin(one * 0.7 + place), 97.0)
    return 4 * math.sin(total)


def computed(engine, texts):
    """What an engine gives, by the index of the text."""
    found = {}
    for batch in engine.compute(texts):
        for index, value in zip(batch.texts, batch.values, strict=True):
            assert index not in found
            found[index] = value
        assert batch.tokens == sum(len(texts[i]) for i in batch.texts)
    return found


def computed_until_error(batches, error, each=lambda found: None):
    """What was handed out before an error, and the error."""
    found = {}

    def take():
        for batch in batches:
            found.update(zip(batch.texts, batch.values, strict=True))
            each(found)

    with pytest.raises(error) as caught:
        take()
    return found, caught.value
