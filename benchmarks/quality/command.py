"""The command line of the quality benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from benchmarks.quality.ablation_command import ablation_job, add_ablation
from benchmarks.quality.definitions import interactions, sequences, sessions
from benchmarks.quality.public_splits import measure
from benchmarks.quality.recorded import recorded
from benchmarks.quality.shop_command import (
    PUBLIC,
    SIMULATED,
    add_shop,
    picture,
    positive,
    public_files,
    public_jobs,
    shop_job,
)
from benchmarks.quality.shop_report import ShopOutcome
from benchmarks.quality.split_command import SPLITS, add_splits, split_job
from benchmarks.quality.tables import tables
from benchmarks.report import Stopwatch, Value, log, report
from reco_assets.errors import BadInput, RecoError

#: Where the public files lie, beside a checkout.
DATA: Final = Path("../shared/data")
#: What ``all`` goes through.
NAMES: Final = ("diginetica", "amazon_beauty", "ml_1m", *PUBLIC, SIMULATED)


class Measured(Protocol):
    """What any sub-command finds."""

    @property
    def costs(self) -> Mapping[str, float]:
        """Seconds and megabytes."""
        ...

    def as_json(self) -> dict[str, Value]:
        """Everything, by recommender."""
        ...

    def table(self) -> str:
        """What a person reads."""
        ...

    def plot(self) -> bytes:
        """PNG of the metrics."""
        ...


def parser() -> argparse.ArgumentParser:
    """The sub-commands and their options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cases", type=positive, help="ask only so many questions, drawn at random")
    common.add_argument("--plot", type=picture, help="write a picture of the metrics here (PNG)")
    common.add_argument("--json", action="store_true", help="print one JSON object")

    add_splits(commands, common)
    add_shop(commands, common)
    add_ablation(commands, common)

    one = commands.add_parser("all", parents=[common], help="all of them, on the public files")
    one.add_argument("--data", type=Path, default=DATA, help="folder of the files")
    one.add_argument("--only", type=_names, help=f"of {', '.join(NAMES)}: those with commas between")

    one = commands.add_parser("tables", help="the tables of docs/quality.md, from the JSON of a run")
    one.add_argument("file", metavar="FILE", type=Path, help="what another command printed with --json")
    return made


def jobs(given: argparse.Namespace) -> dict[str, Callable[[], Measured]]:
    """What the arguments mean, by name; each reads its files when it is called."""
    cases: int | None = given.cases
    if given.command in SPLITS:
        return {given.command: split_job(given)}
    if given.command == "shop":
        return {"shop": shop_job(given)}
    if given.command == "ablation":
        return {"ablation": ablation_job(given)}
    return _public(given.data, given.only or NAMES, cases)


def _public(folder: Path, names: Sequence[str], cases: int | None) -> dict[str, Callable[[], Measured]]:
    """The jobs of ``names`` on the public files; BadInput names those that are missing."""
    clicks, asked = (folder / "diginetica" / f"{name}.parquet" for name in ("train_sessions", "test_cases"))
    beauty = folder / "amazon_beauty" / "sequences.parquet"
    train, test, valid = (folder / "ml_1m" / f"{part}.parquet" for part in ("train", "test", "valid"))
    needed = {"diginetica": [clicks, asked], "amazon_beauty": [beauty], "ml_1m": [train, test, valid]}
    wanted = [path for name in names for path in needed.get(name, [])] + public_files(folder, names)
    missing = [str(path) for path in wanted if not path.is_file()]
    if missing:
        raise BadInput(
            f"the public files: {', '.join(missing)} not found", hint="name their folder by --data"
        )
    found: dict[str, Callable[[], Measured]] = {
        "diginetica": lambda: measure(sessions(clicks, asked), cases),
        "amazon_beauty": lambda: measure(sequences(beauty), cases),
        "ml_1m": lambda: measure(interactions(train, test, valid), cases),
        **public_jobs(folder, cases),
    }
    return {name: job for name, job in found.items() if name in names}


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; the exit code."""
    given = parser().parse_args(arguments)
    found: dict[str, Measured] = {}
    try:
        if given.command == "tables":
            print(tables(recorded(given.file)))
            return 0
        for name, job in jobs(given).items():
            with Stopwatch() as watch:
                found[name] = job()
            log(f"{name}: {watch.seconds:,.0f} s in all")
            _draw(found[name], name, given)
    except (RecoError, OSError) as error:
        log(f"benchmarks.quality: {error}")
        return 1
    parameters: dict[str, Value] = {
        name: _shown(value)
        for name, value in vars(given).items()
        if name not in ("json", "plot", "curve", "home")
    }
    results: dict[str, Value] = {name: outcome.as_json() for name, outcome in found.items()}
    if len(found) == 1 and given.command != "all":
        (results,) = (outcome.as_json() for outcome in found.values())
    for outcome in found.values():
        (log if given.json else print)(outcome.table())
    if given.json:
        report("quality", parameters, results, True)
        return 0
    costs: dict[str, Value] = {
        f"{name}_{key}": value for name, outcome in found.items() for key, value in outcome.costs.items()
    }
    report("quality", parameters, costs, False)
    return 0


def _draw(outcome: Measured, name: str, given: argparse.Namespace) -> None:
    """The pictures that were asked for; ``all`` adds the data set's name to the file's."""
    if given.plot is not None:
        path: Path = given.plot
        path = path.with_stem(f"{path.stem}-{name}") if given.command == "all" else path
        path.write_bytes(outcome.plot())
    if given.command == "shop" and given.curve is not None and isinstance(outcome, ShopOutcome):
        given.curve.write_bytes(outcome.curve_plot())


def _shown(value: object) -> Value:
    """A parameter as JSON has it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return value if isinstance(value, float | int | str | bool) else None


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names
