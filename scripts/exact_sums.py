"""A plugin of mypy: what adds floats is `math.fsum`, or `statistics.fmean` for a mean.

From Python 3.12 on, the built-in `sum` keeps what is lost in adding floats, and before it does not,
so a figure that it makes has another last digit in each. Whole numbers and fractions are exact
either way. Types that mypy does not know are refused as well.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.errorcodes import DEPRECATED
from mypy.plugin import FunctionContext, Plugin
from mypy.types import AnyType, Instance, Type, UnionType, get_proper_type

_ROUNDED = ("builtins.float", "builtins.complex")


class ExactSums(Plugin):
    """Refuses the built-in `sum` where what it gives may be a float."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """What looks at calls of a function; see mypy's documentation of plugins."""
        return _checked if fullname == "builtins.sum" else None


def _checked(call: FunctionContext) -> Type:
    if _may_be_float(call.default_return_type):
        call.api.fail(
            "sum() of floats has another last digit in Python 3.12 and later; "
            "use math.fsum or statistics.fmean",
            call.context,
            code=DEPRECATED,
        )
    return call.default_return_type


def _may_be_float(found: Type) -> bool:
    found = get_proper_type(found)
    if isinstance(found, UnionType):
        return any(map(_may_be_float, found.items))
    return isinstance(found, AnyType) or (
        isinstance(found, Instance) and found.type.fullname in _ROUNDED
    )


def plugin(version: str) -> type[Plugin]:
    """The class that mypy of any version makes its plugin of."""
    del version
    return ExactSums
