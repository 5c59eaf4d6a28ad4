"""Renders Jinja templates with a limited amount of computation and output.

Jinja's sandbox limits what a template can access, but not how much it computes: two nested loops
over `range(99999)` have ten billion iterations. Here every iteration, branch, call, filter and
piece of output costs steps of a budget, and operations that could create a very large value are
checked before they run. `template_budget` has the limits for one conversation. Chat templates are
rendered with the same variables and functions as in transformers.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context

from ultrarm_eval.text_format.template_budget import (
    CHARACTERS_PER_STEP,
    MOST_BITS,
    MOST_ITEMS,
    SIZED,
    Work,
    refuse_wide,
    size,
    size_of,
    too_much,
)

_STEP, _MEASURED = "one step of work", "a measured value"


class _CodeGenerator(CodeGenerator):
    """Adds a budget step to every block of statements, and checks the size of composed values."""

    def blockvisit(self, nodes_: Any, frame: Any) -> None:
        body = list(nodes_)
        written = sum(
            len(data.data)
            for node in body
            if isinstance(node, nodes.Output)
            for data in node.nodes
            if isinstance(data, nodes.TemplateData)
        )
        self.writeline(f"environment.work.step({1 + written // CHARACTERS_PER_STEP})")
        super().blockvisit(body, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:  # noqa: N802
        self._measured(super().visit_Concat, node, frame)

    def visit_List(self, node: nodes.List, frame: Any) -> None:  # noqa: N802
        self._measured(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Any) -> None:  # noqa: N802
        self._measured(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Any) -> None:  # noqa: N802
        if node.ctx == "load":
            self._measured(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _measured(self, visit: Callable[[Any, Any], None], node: nodes.Expr, frame: Any) -> None:
        self.write("environment.work.measured(")
        visit(node, frame)
        self.write(")")


class _Namespace(Namespace):
    """Jinja's `namespace`, as in transformers, without access to Python's special attributes."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        given = dict(*rest, **kwargs)
        for name in given:
            _refuse_inner(name)
        Namespace.__init__(self, given)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_inner(name)
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        # It may contain itself.
        return "<Namespace>"


class _Dict:
    """Jinja's `dict`, without the attributes of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, keys: Any, value: Any = None) -> dict[Any, Any]:
        return dict.fromkeys(keys, value)


def _refuse_inner(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(
            f"a namespace cannot contain {name!r}: its names must not begin with an underscore"
        )


class _Generation(Extension):
    """`{% generation %}`, with which chat templates mark what the model wrote; changes no text."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's way

    def parse(self, parser: Parser) -> list[nodes.Node]:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [nodes.Scope(body, lineno=line)]


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a budget for each rendering."""

    code_generator_class = _CodeGenerator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(
        self,
        *,
        undefined: type[jinja2.Undefined] = jinja2.StrictUndefined,
        trims: bool = True,
        as_transformers: bool = False,
    ) -> None:
        """Prepares what templates can use.

        Args:
            undefined: The value of undefined variables; by default their use is an error.
            trims: Whether the whitespace around the tag of a block is removed (`trim_blocks` and
                `lstrip_blocks`).
            as_transformers: Whether `tojson` leaves characters unescaped, as in chat templates,
                instead of escaping them for HTML.
        """
        self.work = Work()
        super().__init__(
            trim_blocks=trims,
            lstrip_blocks=trims,
            undefined=undefined,
            extensions=[_Generation, loopcontrols],
            finalize=self._written,
        )
        if as_transformers:
            self.filters["tojson"] = _as_json
        self.filters = {name: self._bounded(name, each) for name, each in self.filters.items()}
        self.filters[_STEP] = pass_context(lambda _, cost: self.work.step(cost))
        self.filters[_MEASURED] = self.work.measured
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self.globals["namespace"] = _Namespace
        self.globals["dict"] = _Dict()

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        for loop in source.find_all(nodes.For):
            if loop.test is not None:
                # Iterations that the condition skips cost steps, too.
                step = nodes.Filter(nodes.Const(1), _STEP, [], [], None, None, lineno=loop.lineno)
                loop.test = nodes.And(step, loop.test, lineno=loop.lineno)
        for block in source.find_all(nodes.AssignBlock):
            block.filter = nodes.Filter(
                block.filter, _MEASURED, [], [], None, None, lineno=block.lineno
            )
        source.set_environment(self)
        return super()._generate(source, *args, **kwargs)

    def template(self, source: str) -> Callable[[Mapping[str, Any]], str]:
        """Compiles a template.

        Args:
            source: The template's text.

        Returns:
            A function that renders the template from its variables.

        Raises:
            Exception: Any error of jinja2 or Python, for an invalid template.
            TemplateLimitError: The template exceeds its budget while it is compiled.
        """
        # Jinja computes constant expressions while it compiles.
        with self.work.limited(len(source)):
            compiled = self.from_string(source)

        def render(names: Mapping[str, Any]) -> str:
            with self.work.limited(*size_of(names)):
                return compiled.render(names)

        return render

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Applies a binary operator, if the result is not too large."""
        self.work.step()
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, str | list | tuple) and isinstance(times, int):
                    size = len(many) * max(times, 0)
                    most = self.work.longest if isinstance(many, str) else MOST_ITEMS
                    if size > most:
                        raise too_much(f"it repeats a value to a length of {size:,}")
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * right > MOST_BITS:
                raise too_much("it computes a number of too many digits")
        elif operator == "%" and isinstance(left, str):
            refuse_wide("%", (left, right), {})
        return self.work.measured(super().call_binop(context, operator, left, right))

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Calls a function, a method or a macro."""
        name = getattr(__obj, "__name__", "")
        if name in SIZED:
            owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", "")
            refuse_wide("{" if name.startswith("format") else name, (owner, *args), kwargs)
        __self.work.step()
        return __self.work.measured(super().call(__context, __obj, *args, **kwargs))

    def _bounded(self, name: str, each: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that costs steps of the budget."""
        work = self.work

        passes = hasattr(each, "jinja_pass_arg")

        @functools.wraps(each)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            if name in SIZED:
                refuse_wide("%" if name == "format" else name, args[passes:], kwargs)
            work.step(1 + sum(size(arg) for arg in args[passes:]) // CHARACTERS_PER_STEP)
            return work.measured(each(*args, **kwargs))

        return bounded

    def _written(self, value: Any) -> Any:
        return self.work.measured(value)


@functools.cache
def file_environment() -> BoundedEnvironment:
    """The environment for template files of users."""
    return BoundedEnvironment()


@functools.cache
def column_environment() -> BoundedEnvironment:
    """The environment for texts that users write from a document's columns."""
    return BoundedEnvironment(trims=False)


@functools.cache
def chat_environment() -> BoundedEnvironment:
    """The environment for chat templates of checkpoints, as in transformers."""
    return BoundedEnvironment(undefined=jinja2.Undefined, as_transformers=True)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.exceptions.TemplateError(message)


def _as_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )
