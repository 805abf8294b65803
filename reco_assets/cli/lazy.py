"""Commands whose modules are imported when they are used, so that ``reco --help`` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group


@dataclass(frozen=True)
class Entry:
    """Where one command lives and what the overview says of it.

    Attributes
    ----------
    target
        ``module:attribute``; the attribute is a function or a ``typer.Typer`` with sub-commands.
    panel
        The heading of the overview under which the command stands.
    """

    name: str
    target: str
    panel: str
    summary: str


class LazyCommand(TyperCommand):
    """A command that is only a name and a summary until somebody calls it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.summary, rich_help_panel=entry.panel)
        self.entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401
        """Load the real command and hand over to it; from here on it is the context's command."""
        return load(self.entry).make_context(info_name, args, parent, **extra)


def load(entry: Entry) -> Any:  # noqa: ANN401 - a typer command; its class is private to typer
    """Import the module of ``entry`` and make its command."""
    module, _, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return get_group(found)
    single = typer.Typer(add_completion=False)
    single.command(entry.name)(found)
    return get_command(single)
