"""Finds plugins, and collects what they register."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import pluggy

from ultrarm_eval import hookspecs
from ultrarm_eval.errors import PluginError, first_line, unknown_choice

if TYPE_CHECKING:
    from ultrarm_eval.benchmarks.benchmark import Benchmark
    from ultrarm_eval.judges.base import JudgeFactory
    from ultrarm_eval.sources.source import PairSource
    from ultrarm_eval.text_format.template import Template

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = hookspecs.PROJECT_NAME
OWN_PLUGIN = "ultrarm_eval"

T = TypeVar("T")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_Named)


@dataclass(frozen=True)
class Registration(Generic[T]):
    """Something registered by name.

    Attributes:
        item: What was registered.
        plugin: The name of the plugin that registered it.
    """

    item: T
    plugin: str


class PluginRegistry:
    """What the plugins of one plugin manager registered."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.judges: Mapping[str, Registration[JudgeFactory | str]] = _collect_judges(manager)
        self.pair_sources: Mapping[str, Registration[PairSource]] = _collect_named(
            manager, "register_pair_sources", "pair source", _checked_source
        )
        self._manager = manager

    @cached_property
    def benchmarks(self) -> Mapping[str, Registration[Benchmark]]:
        """The benchmarks, by their names in task files."""
        return _collect_named(self._manager, "register_benchmarks", "benchmark", _checked_benchmark)

    @cached_property
    def templates(self) -> Mapping[str, Registration[Template]]:
        """The templates that need no tokenizer, by name."""
        return _collect_named(self._manager, "register_templates", "template", _checked_template)

    def benchmark(self, name: str) -> Benchmark:
        """Finds a benchmark by name.

        Raises:
            ConfigurationError: No benchmark has that name.
        """
        if name not in self.benchmarks:
            raise unknown_choice("suite", name, self.benchmarks)
        return self.benchmarks[name].item

    def judge(self, name: str) -> JudgeFactory:
        """Finds a judge's factory by name.

        Raises:
            ConfigurationError: No judge has that name.
            PluginError: Its factory cannot be imported.
        """
        if name not in self.judges:
            raise unknown_choice("judge", name, self.judges)
        factory = self.judges[name].item
        return factory if not isinstance(factory, str) else self._imported(name, factory)

    def described_judge(self, name: str) -> str:
        """A judge with its plugin and package, for messages."""
        return f"Judge {name!r} ({described_plugin(self.judges[name].plugin)})"

    def is_ours(self, judge: str) -> bool:
        """Whether a judge is built in."""
        return self.judges[judge].plugin == OWN_PLUGIN

    def _imported(self, name: str, path: str) -> JudgeFactory:
        module, _, attribute = path.partition(":")
        try:
            loaded: JudgeFactory = attrgetter(attribute)(importlib.import_module(module))
        except Exception as error:
            if self.is_ours(name):
                raise
            # Whatever a third-party module raises when it is imported.
            raise PluginError(
                f"{self.described_judge(name)}: its factory {path!r} cannot be imported: "
                f"{first_line(error)}"
            ) from error
        if not callable(loaded):
            raise PluginError(
                f"{self.described_judge(name)}: {path!r} is a {type(loaded).__name__}; a factory "
                "must be callable."
            )
        return loaded

    def sources(self) -> list[PairSource]:
        """All pair sources, third-party ones first, since they may match a schema more exactly."""
        return [registration.item for registration in reversed(list(self.pair_sources.values()))]


@cache
def registry() -> PluginRegistry:
    """The plugins of this process: ours, and those of installed packages."""
    return PluginRegistry(make_plugin_manager())


def make_plugin_manager(*, load_entry_points: bool = True) -> pluggy.PluginManager:
    """A new plugin manager with our own plugin and those of installed packages.

    A package whose plugin does not load is reported by name and skipped.

    Args:
        load_entry_points: Whether to load installed packages' plugins.
    """
    from ultrarm_eval import builtin_plugin

    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin_plugin, name=OWN_PLUGIN)
    if load_entry_points:
        for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
            _load(manager, entry_point)
    return manager


def described_plugin(plugin: str) -> str:
    """A plugin with its package, for messages."""
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.name == plugin and entry_point.dist is not None:
            return f"plugin {plugin!r} of {entry_point.dist.name} {entry_point.dist.version}"
    return f"plugin {plugin!r}"


def _load(manager: pluggy.PluginManager, entry_point: importlib.metadata.EntryPoint) -> None:
    package = entry_point.dist.name if entry_point.dist else "unknown package"
    if manager.has_plugin(entry_point.name):
        logger.warning(
            "Plugin %r of %s is skipped: a plugin with that name is already loaded.",
            entry_point.name,
            package,
        )
        return
    try:
        plugin = entry_point.load()
        manager.register(plugin, name=entry_point.name)
        manager.check_pending()
    except Exception as error:
        # Whatever a third-party module does must not break everyone else's run.
        if manager.has_plugin(entry_point.name):
            manager.unregister(name=entry_point.name)
        logger.warning(
            "Plugin %r of %s is skipped: %s: %s",
            entry_point.name,
            package,
            type(error).__name__,
            error,
        )


def _collect_judges(manager: pluggy.PluginManager) -> dict[str, Registration[JudgeFactory | str]]:
    found: dict[str, Registration[JudgeFactory | str]] = {}

    def collect(plugin: str) -> object:
        def register(name: str, factory: JudgeFactory | str) -> None:
            if not isinstance(name, str) or not name:
                raise PluginError(
                    f"Plugin {plugin!r}: a judge's name must be a non-empty string, not {name!r}."
                )
            if not callable(factory) and not _is_path(factory):
                raise PluginError(
                    f"Plugin {plugin!r}: judge {name!r} needs a factory or its path "
                    f"'module:object', not {factory!r}."
                )
            _add(found, "judge", name, factory, plugin)

        return register

    _call_each(manager, "register_judges", found, collect)
    return found


def _is_path(factory: object) -> bool:
    """Whether it names an object of a module."""
    module, colon, attribute = str(factory).partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    return isinstance(factory, str) and bool(colon) and all(part.isidentifier() for part in parts)


def _checked_source(source: object, plugin: str) -> PairSource:
    from ultrarm_eval.sources.plugin_source import of_plugin

    return of_plugin(source, plugin)


def _checked_benchmark(benchmark: object, plugin: str) -> Benchmark:
    from ultrarm_eval.benchmarks.benchmark import of_plugin

    return of_plugin(benchmark, plugin)


def _checked_template(template: object, plugin: str) -> Template:
    from ultrarm_eval.text_format.template_lookup import of_plugin

    return of_plugin(template, plugin)


def _collect_named(
    manager: pluggy.PluginManager, hook: str, kind: str, checked: Callable[[object, str], Named]
) -> dict[str, Registration[Named]]:
    """Collects the named items that plugins register.

    Args:
        manager: The plugins.
        hook: The hook's name.
        kind: What it registers, for messages.
        checked: Checks a third-party item, and returns it with errors that name the plugin.
    """
    found: dict[str, Registration[Named]] = {}

    def collect(plugin: str) -> object:
        def register(item: Named) -> None:
            if plugin != OWN_PLUGIN:
                item = checked(item, described_plugin(plugin))
            _add(found, kind, item.name, item, plugin)

        return register

    _call_each(manager, hook, found, collect)
    return found


def _add(found: dict[str, Registration[T]], kind: str, name: str, item: T, plugin: str) -> None:
    if name in found:
        raise PluginError(
            f"Plugin {plugin!r} registers the {kind} {name!r}, which plugin "
            f"{found[name].plugin!r} has already registered. Rename it, or uninstall one of the "
            "packages."
        )
    found[name] = Registration(item, plugin)


def _call_each(
    manager: pluggy.PluginManager,
    hook: str,
    found: dict[str, Registration[T]],
    collect: Callable[[str], object],
) -> None:
    """Calls a hook plugin by plugin, so that a failure is attributed to one plugin only."""
    plugins = manager.list_name_plugin()
    for name, plugin in plugins:
        others = [other for _, other in plugins if other is not plugin]
        before = dict(found)
        try:
            manager.subset_hook_caller(hook, others)(register=collect(name))
        except Exception as error:
            if name == OWN_PLUGIN:
                raise
            # What it registered before it failed is skipped too.
            found.clear()
            found.update(before)
            logger.warning(
                "Plugin %r is skipped: %s fails: %s: %s", name, hook, type(error).__name__, error
            )
