"""Word pools. People and towns differ between the splits, so prompts can never coincide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = get_args(Split)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


@dataclass(frozen=True)
class Words:
    """The words one split draws from.

    Attributes:
        people: First names, disjoint between the splits.
        towns: Towns of the invented world, disjoint between the splits.
        things: Countable goods, in the plural; partly shared.
        list_words: Words to sort and to reverse; partly shared.
    """

    people: tuple[str, ...]
    towns: tuple[str, ...]
    things: tuple[str, ...]
    list_words: tuple[str, ...]


_SHARED_THINGS = ("candles", "buttons", "eggs", "postcards", "pencils", "ribbons")
_SHARED_LIST_WORDS = _listed(
    "anchor basket cloud desk engine forest garden hammer island jacket kettle ladder mirror "
    "needle orchard pocket quilt river saddle tunnel"
)

_TRAIN = Words(
    people=_listed(
        "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karla Leo Marta Nils Olga Paul "
        "Rosa Simon Tilda Viktor"
    ),
    towns=_listed(
        "Velmar Oskara Tirnhold Bresund Kalvin Dorrow Esterby Fenwald Garsk Hollin Ilmar "
        "Jorvik Lanthe Morrun Nestal Pellow"
    ),
    things=(*_SHARED_THINGS, "shells", "apples", "bricks", "stamps", "marbles", "tickets"),
    list_words=(*_SHARED_LIST_WORDS, *_listed("apron bottle candle drawer feather lantern")),
)

_HELDOUT = Words(
    people=_listed("Agnes Bruno Celia Edgar Frida Gustav Hanna Ivan Lydia Milan Petra Ruben"),
    towns=_listed("Astrand Birkvale Cormund Delvara Ennisk Farrowby Gilstad Hesper Korvan Lumeria"),
    things=(*_SHARED_THINGS, "pears", "corks", "coins", "spoons"),
    list_words=(*_SHARED_LIST_WORDS, *_listed("blanket compass helmet violin window zipper")),
)


def words_of(split: Split) -> Words:
    """The word pools of a split."""
    return _TRAIN if split == "train" else _HELDOUT


# What belongs to a category is knowledge a judge has to have, so the splits share it.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "fruits": _listed("plum pear cherry melon peach grape lemon apricot"),
    "animals": _listed("horse rabbit otter badger goose lizard donkey beaver"),
    "tools": _listed("hammer chisel wrench pliers shovel drill mallet rasp"),
    "colours": _listed("crimson green yellow purple orange violet brown turquoise"),
    "instruments": _listed("flute violin drum trumpet harp cello oboe banjo"),
    "clothes": _listed("jacket scarf mitten shirt sock trousers bonnet coat"),
}
OCCASIONS = ("school fair", "birthday", "market stall", "picture book", "quiz night", "class")

# (name of the small unit, name of the large one, how many of the small make a large one)
UNITS: tuple[tuple[str, str, int], ...] = (
    ("minutes", "hours", 60),
    ("seconds", "minutes", 60),
    ("hours", "days", 24),
    ("days", "weeks", 7),
    ("metres", "kilometres", 1000),
    ("grams", "kilograms", 1000),
    ("centimetres", "metres", 100),
    ("months", "years", 12),
)
ERRANDS = ("a trip", "a recipe", "a school report", "the garden plan", "a letter home")

RIVERS = ("Oss", "Mirel", "Tavna", "Rhond", "Selk", "Ulver")
CROPS = ("barley", "hops", "flax", "turnips", "rye", "lavender")
RULERS = ("Queen Isolde", "Mayor Brandt", "Duke Harald", "Lady Wenna", "Captain Rook")
PLACES = ("bakery", "library", "harbour", "museum", "smithy", "post office")
OPENING_HOURS = ("six", "seven", "eight", "nine", "ten")
ODD_HOURS = ("midnight", "noon", "sunset", "three at night")

OBJECTS = ("lamp", "boat", "chair", "kite", "clock", "bicycle", "teapot")
PAINTS = ("red", "blue", "white", "black", "grey")
SIZES = ("tiny", "small", "large", "huge")
MATERIALS = ("wood", "tin", "glass", "copper", "paper")

TASKS: dict[str, tuple[str, ...]] = {
    "make tea": ("boil the water", "warm the pot", "add the leaves", "pour and wait"),
    "plant a bulb": ("dig a hole", "set the bulb upright", "fill in the soil", "water it"),
    "post a letter": ("write the page", "fold it", "put on a stamp", "drop it in the box"),
    "wash a jumper": ("fill a basin", "add the soap", "press it gently", "dry it flat"),
    "bake bread": ("mix the dough", "let it rise", "shape the loaf", "bake it until brown"),
    "paint a fence": ("brush off the dirt", "stir the paint", "paint the boards", "let it dry"),
}
