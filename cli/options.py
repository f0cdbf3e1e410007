"""Options of a task as options of a command, in groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from numlstm.messages import on_command_line
from numlstm.override import override
from numlstm.tasks.task import Option

__all__ = ["GroupedCommand", "GroupedOption", "given_of", "with_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class GroupedOption(click.Option):
    """An option that knows under which heading the help has it."""

    def __init__(self, *arguments: Any, group: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help has a section for each group of its options, after the options without one.

    Sentences on its data and settings name its options.
    """

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with on_command_line(parameter.name for parameter in self.params if parameter.name is not None):
            return super().invoke(ctx)

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups.setdefault(getattr(parameter, "group", ""), []).append(record)
        for name, records in groups.items():
            with formatter.section(name or "Options"):
                formatter.write_dl(records)


def with_options(options: Iterable[Option]) -> Callable[[_Function], _Function]:
    """Add options to a command, in their order. Those that are not given are None or ()."""

    def add(command: _Function) -> _Function:
        for option in reversed(tuple(options)):
            switch = {"is_flag": True} if option.values is bool else {}
            values: Any = click.Choice(option.values) if isinstance(option.values, tuple) else option.values
            command = click.option(
                option.flag, option.name, type=values, multiple=option.several, default=None, help=option.help,
                cls=GroupedOption, group=option.group, **switch,
            )(command)  # fmt: skip
        return command

    return add


def given_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by name."""
    return {name: value for name, value in options.items() if value not in (None, ())}
