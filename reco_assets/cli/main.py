"""``reco``: the command line. Every failure is one line that says what to do, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.core import TyperGroup

from reco_assets.cli.lazy import Entry, LazyCommand
from reco_assets.errors import RecoError

_CLI: Final = "reco_assets.cli"
_START, _DATA, _GRAPH, _SERVICE = "Start here", "Data", "Asset graph", "Service"

#: Every command, in the order in which a newcomer meets them.
COMMANDS: Final[tuple[Entry, ...]] = (
    Entry("demo", f"{_CLI}.demo:demo", _START, "Simulate a shop, train on it and ask for recommendations."),
    Entry("up", f"{_CLI}.stack:up", _START, "Start Redis, the service and Dagster in the background."),
    Entry("down", f"{_CLI}.stack:down", _START, "Stop what `reco up` started."),
    Entry("simulate", f"{_CLI}.simulate:simulate", _DATA, "Write a realistic shop history."),
    Entry("import", f"{_CLI}.imports:import_app", _DATA, "Import event files: rees46, tmall2014, csv..."),
    Entry("changes", f"{_CLI}.changes:changes_app", _DATA, "Import what a shop's database did to its rows."),
    Entry("quarantine", f"{_CLI}.imports:quarantine_app", _DATA, "Look at bad events and replay them."),
    Entry("materialize", f"{_CLI}.materialize:materialize", _GRAPH, "Bring the asset graph up to date."),
    Entry("tune", f"{_CLI}.tune:tune", _GRAPH, "Look for better hyper-parameters of the ranker."),
    Entry("stream", f"{_CLI}.stream:stream", _GRAPH, "Follow the stream of events in the foreground."),
    Entry("policy", f"{_CLI}.policy:policy_app", _SERVICE, "Check the rules after ranking, and try them."),
    Entry("serve", f"{_CLI}.ask:serve", _SERVICE, "Run the recommendation service."),
    Entry("keys", f"{_CLI}.keys:keys_app", _SERVICE, "Say who may ask the service, and for what."),
    Entry("promote", f"{_CLI}.promote:promote", _SERVICE, "Let another version of the bundle serve."),
    Entry("rollback", f"{_CLI}.promote:rollback", _SERVICE, "Let the version before serve again."),
    Entry("recommend", f"{_CLI}.ask:recommend", _SERVICE, "Ask the running service for a user's products."),
    Entry("similar", f"{_CLI}.ask:similar", _SERVICE, "Ask the running service for similar products."),
    Entry("experiment", f"{_CLI}.experiment:experiment_app", _SERVICE, "Start, stop and judge experiments."),
    Entry("canary", f"{_CLI}.canary:canary_app", _SERVICE, "Show a new bundle to a few users first."),
)

#: How far commands stand back behind the visitors of the machine's service. `rollback` does not: it is
#: called when something is wrong, and must be quick however much there is to do.
STANDS_BACK: Final = {"promote": 10}


class Reco(TyperGroup):
    """The root command; its sub-commands are imported when they are called."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        for entry in COMMANDS:
            self.add_command(LazyCommand(entry))


app = typer.Typer(
    name="reco",
    cls=Reco,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Settings are environment variables named RECO_*; docs/reference.md lists them all.",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder for the lake, Redis, MLflow and bundles [default: RECO_HOME, else data]"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """The personalization engine that an e-commerce team runs itself.

    Examples:

    * `reco demo`

    * `reco --home /srv/shop import csv events.csv.gz --yes`

    * `reco recommend 42 -n 5 --json`
    """
    if home is not None:
        os.environ["RECO_HOME"] = str(home)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    names = {entry.name for entry in COMMANDS}
    os.nice(STANDS_BACK.get(next((one for one in given if one in names), ""), 0))
    sys.exit(run(given))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    try:
        code = app(args=list(arguments), prog_name="reco", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", "run the same command again: it goes on from what is stored", code=130)
    except Exception as error:  # the outermost edge: whatever it is, a person reads it
        if "--debug" in arguments:
            traceback.print_exc()
        return _fail(*explain(error))


def explain(error: Exception) -> tuple[str, str, int]:
    """What to tell a person about ``error``: the message, the way out, and the exit code."""
    match error:
        case RecoError():
            return error.message, error.hint, 1
        case typer.TyperException():
            context = getattr(error, "ctx", None)
            return (
                error.format_message(),
                f"see `{context.command_path if context else 'reco'} --help`",
                error.exit_code,
            )
        case OSError(strerror=str(reason)):
            where = f": {error.filename}" if error.filename else ""
            return f"{reason}{where}", "check the path, its permissions and the free space", 1
        case OSError():  # those of polars and of deltalake are text alone
            return str(error), "check the path, its permissions and the free space", 1
    if type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic"):
        return _settings(error), "docs/reference.md lists every RECO_* setting", 1
    return f"{type(error).__name__}: {error}", "this is a defect; `reco --debug ...` shows where it is", 1


def _settings(error: Exception) -> str:
    """Which variables cannot be used and why; pydantic is not imported to say so."""
    told = [
        f"{name if name.isupper() else f'RECO_{name.upper()}'}={fault['input']}: {fault['msg']}"
        for fault in getattr(error, "errors")()  # noqa: B009 - the class is known by its name only
        for name in [str(fault["loc"][0] if fault["loc"] else "settings")]
    ]
    return f"a setting cannot be used: {'; '.join(told)}"


def _fail(message: str, hint: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    if hint:
        sys.stderr.write(f"hint: {' '.join(hint.split())}\n")
    return code


if __name__ == "__main__":
    main()
