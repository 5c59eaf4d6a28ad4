"""A plugin of mypy: what adds floats is `math.fsum`, or `statistics.fmean` for a mean.

From Python 3.12 on, the built-in `sum` keeps what is lost in adding floats, and before it does not,
so a figure that it makes has another last digit in each. Whole numbers and fractions are exact
either way. What mypy does not know the type of is refused as well.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.errorcodes import DEPRECATED
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import GeneratorExpr
from mypy.plugin import FunctionContext, Plugin
from mypy.types import AnyType, Instance, Type, UnionType, get_proper_type

_ROUNDED = ("builtins.float", "builtins.complex")


class ExactSums(Plugin):
    """Refuses the built-in `sum` where it may add floats."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """What looks at calls of a function; see mypy's documentation of plugins."""
        return _checked if fullname == "builtins.sum" else None


def _checked(call: FunctionContext) -> Type:
    (added,), (given,) = call.args[0], call.arg_types[0]
    item = _item_of(given, call)
    if _may_be_float(item) and isinstance(added, GeneratorExpr) and not any(added.condlists):
        # It is what the generator is expected to give, where the sum may be a float or anything.
        item = call.api.get_expression_type(added.left_expr)
    if _may_be_float(item):
        # Of all codes this alone is reported at once. Another would only say that this form of
        # `sum`, which has several, does not fit.
        call.api.fail(
            "sum() of floats has another last digit from Python 3.12 on; "
            "use math.fsum or statistics.fmean",
            call.context,
            code=DEPRECATED,
        )
    return call.default_return_type


def _item_of(given: Type, call: FunctionContext) -> Type:
    """The type of what an iterable gives."""
    given = get_proper_type(given)
    iterable = call.api.named_generic_type("typing.Iterable", [given]).type
    if isinstance(given, Instance) and given.type.has_base(iterable.fullname):
        return get_proper_type(map_instance_to_supertype(given, iterable).args[0])
    return given


def _may_be_float(found: Type) -> bool:
    found = get_proper_type(found)
    if isinstance(found, UnionType):
        return any(map(_may_be_float, found.items))
    return isinstance(found, AnyType) or (
        isinstance(found, Instance) and found.type.fullname in _ROUNDED
    )


def plugin(version: str) -> type[Plugin]:
    """The class that mypy, of any version, makes its plugin of."""
    del version
    return ExactSums
