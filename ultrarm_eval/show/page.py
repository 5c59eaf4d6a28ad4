"""A page as one file: styles and script inside, nothing loaded, no text of the data executed."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ultrarm_eval.show import formats
from ultrarm_eval.show.text import visible, visible_name

# Characters that could end a script element, or begin a comment or a character reference.
_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
#: The formats available to templates.
_FORMATS: tuple[Callable[..., str], ...] = (
    formats.percent,
    formats.number,
    formats.count,
    formats.p_value,
    formats.quantity,
    formats.interval,
    formats.figure_value,
    formats.figure_interval,
    formats.cell_value,
    formats.cell_interval,
    formats.difference,
    formats.amount,
    formats.difference_interval,
)
_BREAKS = re.compile(r"[_/]+")


def render_page(
    template: str, *, scripts: Sequence[str] = (), data: Any = None, **context: Any
) -> str:
    """Renders a page.

    Everything that is not `Markup` is escaped. The policy in the page allows no connection, no
    script but the page's own (by its hash) and no form.

    Args:
        template: Name of the template in `templates/`.
        scripts: Names of the scripts in `templates/`, in their order.
        data: The data that the scripts read, as JSON values.
        **context: The template's variables.
    """
    code = "\n".join(map(_asset, scripts))
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            policy=_policy(code),
            style=Markup(_asset("page.css")),  # noqa: S704 - our own file
            script=Markup(code),  # noqa: S704 - our own file
            data=None if data is None else Markup(_script_data(data)),  # noqa: S704 - escaped
        )
    )


def size_in_page(text: str) -> int:
    """Bytes that a text takes in a page's data."""
    return len(_script_data(text).encode("utf-8", errors="replace"))


def _policy(code: str) -> str:
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    scripts = f"'sha256-{digest}'" if code else "'none'"
    # Charts carry their colors in style attributes; a style cannot reach the network here.
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _script_data(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


@functools.cache
def _asset(name: str) -> str:
    return (resources.files("ultrarm_eval.show") / "templates" / name).read_text("utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {
        "name": visible_name,
        "breakable": breakable_name,
    }
    environment.filters |= {of.__name__: of for of in _FORMATS}
    environment.globals["place"] = interval_bar
    return environment


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def breakable_name(name: object) -> Markup:
    """A name on one line that may wrap after an underscore or a slash."""
    return Markup(_BREAKS.sub(r"\g<0><wbr>", str(escape(visible_name(name)))))  # noqa: S704 - escaped


def interval_bar(
    low: float, value: float, high: float, span: tuple[float, float]
) -> Mapping[str, str]:
    """The positions of an interval's ends and its value within a span, in percent of it."""
    start, stop = span
    width = (stop - start) or 1.0

    def place(x: float) -> float:
        return min(1.0, max(0.0, (x - start) / width)) * 100

    return {
        "low": f"{place(low):.2f}",
        "value": f"{place(value):.2f}",
        "width": f"{max(0.4, place(high) - place(low)):.2f}",
    }
