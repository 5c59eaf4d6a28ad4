"""Seeded faults: values that are wrong where they stand, and damaged bytes."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

#: What stands in fields where something else belongs; `nested` and numbers of thousands of digits
#: are limits of parsers.
WRONG_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**400,
    -(10**4000),
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    " ",
    "x",
    "nan",
    "1e999999999",
    "9" * 5000,
    "1/0",
    "\ud800",
    "\x1b]0;x\x07",
    "[{]",
    '[{"role": "user", "content": "x"}]',
    [],
    [[]],
    [None],
    ["x"],
    [{}],
    [{"role": "user"}],
    [{"role": 7, "content": "x"}],
    [{"role": "assistant", "content": None}],
    [{"from": "gpt", "value": []}],
    {},
    {"role": "user"},
    {"x": [1, {"y": None}]},
    b"\xff".decode("latin-1"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a JSON value, itself left out."""
    inner: Iterator[tuple[Any, Any]]
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def with_wrong_value(value: Any, draw: random.Random) -> Any:
    """A copy in which one place has another value, is missing, or stands twice."""
    mutated = copy.deepcopy(value)
    *before, last = draw.choice([*places(mutated)])
    parent = mutated
    for key in before:
        parent = parent[key]
    match draw.randrange(6):
        case 0:
            del parent[last]
        case 1 if isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
        case 2 if isinstance(parent, dict):
            parent[f"{last}_"] = parent.pop(last)
        case _:
            parent[last] = copy.deepcopy(draw.choice(WRONG_VALUES))
    return mutated


def damaged(content: bytes, draw: random.Random) -> bytes:
    """A copy with a bit flipped, bytes overwritten, cut out, repeated, or with its end cut off."""
    at = draw.randrange(len(content))
    length = draw.randint(1, 16)
    match draw.randrange(5):
        case 0:
            flipped = content[at] ^ (1 << draw.randrange(8))
            return content[:at] + bytes([flipped]) + content[at + 1 :]
        case 1:
            return content[:at] + draw.randbytes(length) + content[at + length :]
        case 2:
            return content[:at] + content[at + length :]
        case 3:
            return content[: at + length] + content[at:]
        case _:
            return content[:at]
