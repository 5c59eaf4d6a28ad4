"""The page of the command line, from the parsers of its commands.

It is made from the parsers' actions and not from their help texts, whose layout depends on the
version of Python.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from docs_tables.markdown import code, codes, table
from ultrarm_eval.cli.main import _COMMANDS, COMMAND_GROUPS, EXIT_STATUSES, _parser

PROGRAM = "ultrarm-eval"
# Beside the settings of a judge: what several commands take, and the page describes once.
_OF_JUDGES = ("judge", "kind", "judge_args")
_DEFAULT = re.compile(r"\s*\(default: ([^()]*)\)$")
_INTRODUCTION = f"""\
# Command line

This page lists the commands of `{PROGRAM}`, their arguments and options, and their exit statuses.
Benchmarks are run by `lm_eval` itself: see [scoring](scoring.md).

The page is made from the commands' parsers; `{PROGRAM} COMMAND --help` shows the same. Names in
capitals stand for values. Every command also has `-h`, `--help`.
"""


@dataclass(frozen=True)
class Command:
    """A command, or a subcommand of one.

    Attributes:
        name: Its words after the program's name.
        about: What it does, in a line.
        parser: Its parser.
    """

    name: str
    about: str
    parser: argparse.ArgumentParser

    @property
    def options(self) -> list[argparse.Action]:
        """Its options, without `--help`."""
        return [one for one in _shown(self.parser) if one.option_strings]

    @property
    def arguments(self) -> list[argparse.Action]:
        """Its positional arguments."""
        return [one for one in _shown(self.parser) if not one.option_strings]

    @property
    def usage(self) -> str:
        """Its command line, with the options that are required."""
        words = [PROGRAM, self.name, *(["[OPTION ...]"] if self.options else [])]
        words += [f"{_long(one)} {_value(one)}" for one in self.options if one.required]
        for one in self.arguments:
            words.append(f"{_value(one)} [...]" if one.nargs == "+" else _value(one))
        return " ".join(words)


def commands_page() -> str:
    """The page.

    Raises:
        ValueError: A command is in no group or in several, or an option has no help text.
    """
    names = [name for group in COMMAND_GROUPS.values() for name in group]
    if sorted(names) != sorted(_COMMANDS):
        raise ValueError("Each command of ultrarm_eval.cli.main is in one group of COMMAND_GROUPS.")
    parsers = _subparsers(_parser(names))
    commands = {
        title: [one for name in group for one in _commands(name, _COMMANDS[name], parsers[name])]
        for title, group in COMMAND_GROUPS.items()
    }
    shared = _shared(one for group in commands.values() for one in group)
    parts = [_INTRODUCTION, "## Commands\n", _overview(commands), "## Exit statuses\n", _statuses()]
    for title, group in commands.items():
        parts += [f"## {title}\n", *(_section(one, shared) for one in group)]
    parts += ["## Options for the judge\n", _options(shared)]
    return "\n".join(parts)


def _shown(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)
    for action in parser._actions:
        if not isinstance(action, hidden) and action.help != argparse.SUPPRESS:
            yield action


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _commands(name: str, about: str, parser: argparse.ArgumentParser) -> Iterator[Command]:
    """A command; instead of one that has subcommands these."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            for each, below in action.choices.items():
                yield from _commands(f"{name} {each}", helps[each], below)
            return
    yield Command(name, about, parser)


def _shared(commands: Iterable[Command]) -> list[argparse.Action]:
    """The options of judges that several commands have in the same words, each once."""
    options = [
        option
        for command in commands
        for option in command.options
        if option.dest in (*_OF_JUDGES, *(command.parser.get_default("judge_settings") or ()))
    ]
    often = Counter(map(_cells, options))
    return [one for cells, one in {_cells(one): one for one in options}.items() if often[cells] > 1]


def _overview(commands: Mapping[str, Sequence[Command]]) -> str:
    return table(
        ("group", "command", "what it does"),
        (
            (title if one is group[0] else "", _link(one), _escaped(one.about))
            for title, group in commands.items()
            for one in group
        ),
    )


def _link(command: Command) -> str:
    return f"[{code(command.name)}](#{PROGRAM}-{command.name.replace(' ', '-')})"


def _statuses() -> str:
    statuses = EXIT_STATUSES.items()
    return table(("status", "meaning"), ((code(str(one)), what) for one, what in statuses))


def _section(command: Command, shared: Sequence[argparse.Action]) -> str:
    """A command's heading, description, usage, arguments and options."""
    described = list(map(_cells, shared))
    own = [one for one in command.options if _cells(one) not in described]
    others = [_long(one) for one in command.options if _cells(one) in described]
    parts = [
        f"### {PROGRAM} {command.name}\n",
        f"{_escaped(command.parser.description or '')}\n",
        f"```text\nusage: {command.usage}\n```\n",
    ]
    if command.arguments:
        arguments = ((code(_value(one)), _escaped(_expanded(one))) for one in command.arguments)
        parts.append(table(("argument", "meaning"), arguments))
    if own:
        parts.append(_options(own))
    if others:
        parts.append(f"[Options for the judge](#options-for-the-judge): {codes(others)}.\n")
    return "\n".join(parts)


def _options(options: Iterable[argparse.Action]) -> str:
    return table(("option", "default", "meaning"), map(_cells, options))


def _cells(option: argparse.Action) -> tuple[str, str, str]:
    """What the table says of an option: its spellings, its default and what it does."""
    *others, last = sorted(option.option_strings, key=len)
    spelled = [*others, last if option.nargs == 0 else f"{last} {_value(option)}"]
    text = _expanded(option)
    said = _DEFAULT.search(text)
    default = _escaped(said[1]) if said else ""
    if option.required:
        default = "required"
    elif option.nargs != 0 and option.default is not None and option.default != []:
        default = code(str(option.default))
    about = _escaped(text[: said.start()] if said else text)
    choices = list(map(str, option.choices or ()))
    if any(choice not in text for choice in choices):
        about += f"; one of {codes(choices)}"
    return codes(spelled), default, about


def _expanded(action: argparse.Action) -> str:
    """An action's help with what it names of the action, as argparse puts it in.

    Raises:
        ValueError: It has no help.
    """
    if not action.help:
        raise ValueError(f"The option or argument {_long(action)} has no help text.")
    return action.help % {**vars(action), "prog": PROGRAM}


def _long(action: argparse.Action) -> str:
    return max(action.option_strings, key=len) if action.option_strings else _value(action)


def _value(action: argparse.Action) -> str:
    """What stands for an action's value: its metavar, or its name in capitals."""
    return str(action.metavar or action.dest.upper())


# Options, and names with underscores, which may be parts of paths.
_NAMES = re.compile(r"(?<![\w`])(--[a-z][\w-]*|[\w./*]*[a-z0-9]_[\w*]+(?:[./][\w*]+)*)")


def _escaped(text: str) -> str:
    """Plain text in Markdown: options and names are code, and `<` begins no tag."""
    return _NAMES.sub(r"`\1`", text).replace("<", "&lt;")
