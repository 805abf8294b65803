"""A shop of the project's own that has taken in a part of a log: lake, graph, bundle, users' state."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.quality.periods import moment
from benchmarks.quality.shop_files import ShopFiles, Within
from reco_assets.candidates.habits import midnight
from reco_assets.catalogue.ingest import ingest_files
from reco_assets.errors import RecoError
from reco_assets.events.importer import import_files
from reco_assets.features.windows import WATERMARK_US
from reco_assets.interactions.history import load_history
from reco_assets.online.codec import decode_user
from reco_assets.online.habits import decode_habits, habit_values
from reco_assets.online.materialise import user_values
from reco_assets.online.past import LakePast, bought_products, recent_events
from reco_assets.online.state import user_rows
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import stop_redis
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_assets.ranking.windowed import product_matrix
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import UserState
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import advance_tables

Progress = Callable[[str], None]

_CHECKOUT = Path(__file__).resolve().parents[2]


class GraphFailed(RecoError):
    """The asset graph did not come to its end."""


@dataclass(frozen=True)
class Known:
    """What the shop knows at a moment.

    Attributes
    ----------
    at
        UTC microseconds: when it is asked, when the last window before the split has closed.
    bundle
        The champion of the registry, with the product features of that moment.
    states
        What the online store would hold of each person; nobody else is known.
    """

    at: int
    bundle: Bundle
    states: Mapping[str, UserState]


@dataclass
class LiveShop:
    """One home folder of the project, filled stretch by stretch from ``files``.

    Attributes
    ----------
    steps
        Seconds of each step of the graph's last run.
    """

    home: Path
    files: ShopFiles
    progress: Progress
    steps: Mapping[str, float] = field(default_factory=dict)
    _reached: int = 0
    _bundle: Bundle | None = None

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        # nothing of the shop that somebody runs here: what the environment says is passed over
        self.settings = Settings(
            home=self.home, redis_port=port, redis_url=None, lake_uri=None, landing=None,
            landing_s3=None, mlflow_uri=None, first_day=None, engine="duckdb", model_name="reco-bundle",
        )  # fmt: skip

    @property
    def lake(self) -> Lake:
        """The lake of this home."""
        return open_lake(self.settings)

    def take_in(self, until: int) -> None:
        """Import what happened since the last time and before ``until``: events and observations."""
        now = datetime.now(UTC)
        reads = Within(self.files.reads, self._reached, until)
        report = import_files(self.lake, reads, self.files.events, now)
        arrived = self.home / "observed" / str(until)
        for name, kind, rows in self.files.observed(self._reached, until, self.progress):
            arrived.mkdir(parents=True, exist_ok=True)
            path = arrived / f"{name.split('.')[0]}.parquet"
            rows.write_parquet(path)
            ingest_files(self.lake, kind, [path], now)
        self._reached = until
        self.progress(
            f"took in {report.accepted:,} events up to {moment(until):%Y-%m-%d %H:%M}"
            + (f", {report.quarantined:,} rows are in quarantine" if report.quarantined else "")
        )

    def materialize(self, first: int | None = None, decisions: int | None = None) -> None:
        """Run the whole graph as ``reco materialize`` does, from the day of ``first`` on; train anew.

        The training learns from ``decisions`` past decisions; by default as many as every night.

        The graph runs in a process of its own, since Dagster's partitions begin at one lake's first day.

        Raises GraphFailed with what the graph said.
        """
        command = [sys.executable, "-m", "reco_assets.cli.main", "materialize", "--json"]
        if first is not None:
            command += ["--from", f"{moment(first):%Y-%m-%d}"]
        if decisions is not None:
            command += ["--decisions", str(decisions)]
        self.progress("materializing the graph")
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=False, cwd=_CHECKOUT
        )
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.startswith(("error", "hint"))]
            raise GraphFailed("; ".join(said) or f"materializing the shop: {done.stderr[-2000:].strip()}")
        self.steps = json.loads(done.stdout)["steps"]
        self._bundle = None

    def follow(self) -> None:
        """Bring tables and features up to what was taken in, as a micro-batch does; nothing is learned."""
        engine = open_engine(self.settings, self.lake)
        try:
            advance_tables(engine, Indexes.in_lake(self.lake))
        finally:
            engine.close()

    def known(self, split: int, people: pl.Series) -> Known:
        """What is known at ``split`` of ``people`` (distinct ids), whom the shop must have seen."""
        at = split + WATERMARK_US
        bundle = self.bundle()
        lake = self.lake
        engine = open_engine(self.settings, lake)
        try:
            matrix = product_matrix(engine, bundle.items, at)
            past = LakePast(lake).of(people)
            rows = user_rows(engine, people, moment(at))
        finally:
            engine.close()
        bundle.update_products(np.arange(len(bundle.items), dtype=np.int32), matrix)
        ids, values = user_values(rows, recent_events(past), bought_products(past))
        states = {person: decode_user(value, bundle.items) for person, value in zip(ids, values, strict=True)}
        history = load_history(lake)
        for person, value in habit_values(history.log, history.items, midnight(at)):
            if person in states:
                states[person] = replace(states[person], habits=decode_habits(value, bundle.items))
        return Known(at, bundle, states)

    def bundle(self) -> Bundle:
        """The champion; its product features follow :meth:`known`."""
        if self._bundle is None:
            champion = Registry(self.settings).champion()
            if champion is None:
                raise GraphFailed("the graph has promoted no bundle")
            self._bundle = Bundle.load(champion.folder)
        return self._bundle

    def close(self) -> None:
        """Stop the Redis that the graph has started."""
        stop_redis(self.settings)

    def _environment(self) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("RECO_", "DAGSTER_"))
        }
        return own | {
            "RECO_HOME": str(self.home.resolve()),
            "RECO_REDIS_PORT": str(self.settings.redis_port),
            "DAGSTER_HOME": str((self.home / "dagster").resolve()),
        }
