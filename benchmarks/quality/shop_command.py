"""The options of ``python -m benchmarks.quality shop``, and the shops that ``all`` goes through."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from benchmarks.quality.periods import micros
from benchmarks.quality.shop import judge_shop
from benchmarks.quality.shop_files import NAMED, ShopFiles, open_files
from benchmarks.quality.shop_options import Options
from benchmarks.quality.shop_report import ShopOutcome
from benchmarks.report import log
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

Job = Callable[[], ShopOutcome]

#: The public logs by name: file, format, and where they are split in ``all``.
PUBLIC: Final = {
    # most of its events are in the last half hour: this is where about half of them are before
    "rees46": ("rees46_2019_oct_fragment.csv.gz", "rees46", datetime(2019, 10, 1, 2, 35, tzinfo=UTC)),
    "tmall2014": ("tmall2014_events.csv.gz", "tmall2014", datetime(2013, 7, 15, tzinfo=UTC)),
    "online_retail": ("uci_online_retail.csv.gz", "online-retail", None),
}
SIMULATED: Final = "simulated"
#: A shop of the size of the demo's, on fixed days.
_SHOP: Final = Parameters(users=2_000, products=1_500, days=30, events=300_000, seed=7, end=date(2025, 6, 30))


def add_shop(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """The sub-command and its options."""
    one = commands.add_parser("shop", parents=[common], help="a shop's own log through the whole project")
    add_log_arguments(one)
    one.add_argument("--rolling", action="store_true", help="day after day: take one in, ask about the next")
    one.add_argument("--retrain", type=positive, default=0, help="with --rolling: train every N days")
    one.add_argument("--decisions", type=positive, help="learn from so many [default: as every night]")
    one.add_argument("--curve", type=picture, help="write accuracy against diversity and time here (PNG)")


def add_log_arguments(one: argparse.ArgumentParser) -> None:
    """Which files, how they are read, and where they are cut."""
    one.add_argument("paths", metavar="PATH", type=Path, nargs="+", help="files, or folders of files")
    one.add_argument("--format", choices=NAMED, required=True, help="how the files are read")
    one.add_argument("--map", default="", help="field=column,... of a CSV or Parquet file")
    one.add_argument("--event-types", default="", help="value=type,... of a CSV file; *=purchase for all")
    one.add_argument(
        "--split", type=split_time, help="first day, or moment, of the test [default: the last fifth]"
    )
    one.add_argument("--days", type=positive, help="length of the test period [default: all that is there]")
    one.add_argument("--home", type=Path, help="work in this new folder and keep it")


def options_of(given: argparse.Namespace, cases: int | None) -> Options:
    """What :func:`add_log_arguments` has read."""
    return Options(split=given.split, days=given.days, cases=cases, home=given.home)


def shop_job(given: argparse.Namespace) -> Job:
    """What the arguments of ``shop`` ask for; the files are looked at when it runs."""

    def job() -> ShopOutcome:
        files = open_files(given.paths, given.format, given.map, given.event_types)
        options = replace(
            options_of(given, given.cases),
            rolling=given.rolling,
            retrain=given.retrain,
            decisions=given.decisions,
            curve=given.curve is not None,
        )
        return _judged(given.paths[0].name.split(".")[0], files, options)

    return job


def public_jobs(folder: Path, cases: int | None) -> dict[str, Job]:
    """The public logs in ``folder`` and a simulated shop, by name."""
    jobs: dict[str, Job] = {}
    for name, (file, form, split) in PUBLIC.items():
        options = Options(split=micros(split) if split else None, cases=cases)
        jobs[name] = _public(name, folder / file, form, options)
    jobs[SIMULATED] = lambda: _simulated(Options(cases=cases))
    return jobs


def public_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files that :func:`public_jobs` reads for ``names``."""
    return [folder / file for name, (file, _, _) in PUBLIC.items() if name in names]


def _public(name: str, path: Path, form: str, options: Options) -> Job:
    return lambda: _judged(name, open_files([path], form), options)


def _simulated(options: Options) -> ShopOutcome:
    with tempfile.TemporaryDirectory(prefix="reco-simulated-") as folder:
        log(f"{SIMULATED}: {_SHOP.total_events:,} events of {_SHOP.users:,} users")
        simulate(_SHOP, Path(folder), overwrite=True)
        return _judged(SIMULATED, open_files([Path(folder)], "parquet"), options)


def _judged(name: str, files: ShopFiles, options: Options) -> ShopOutcome:
    return judge_shop(name, files, options, lambda told: log(f"{name}: {told}"))


def split_time(text: str) -> int:
    """``2013-07-15`` is that day's midnight, ``2019-10-01T02:00`` that moment, both UTC; microseconds."""
    try:
        return micros(datetime.fromisoformat(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no day or moment; write it as 2013-07-15 or 2019-10-01T02:00"
        ) from error


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def picture(text: str) -> Path:
    """Where a picture is to be written; refused at once, not after the measuring."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path
