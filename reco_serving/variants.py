"""The experiments of the moment, in one worker: watched, and their bundles held open.

A thread of its own looks once a second whether the experiments have changed, opens the bundles that they
name, and keeps their product features fresh. An experiment begins in a worker when all of its bundles are
open: nobody is shown its control before others can be shown its variants.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import redis

from reco_assets.errors import RecoError
from reco_assets.experiments.board import Board
from reco_assets.experiments.store import folder, keep, kept, newer
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.versions import find
from reco_assets.recommender.bundle import Bundle
from reco_serving.choices import Choice, Choices
from reco_serving.loaded import Loaded
from reco_serving.policy import PolicyWatch
from reco_serving.products import ProductFeed
from reco_serving.rehearsal import warm

PAUSE_SECONDS: Final = 1.0
#: Pause before a bundle that could not be opened is tried again: fetching one may take a process.
RETRY_SECONDS: Final = 10.0

log = logging.getLogger("reco.experiments")


@dataclass(frozen=True)
class _Failure:
    """Why a bundle could not be opened, and until when (monotonic seconds) it is left alone."""

    until: float
    why: str


#: Before the first look.
_NOTHING: Final = Choices()


class Variants:
    """The experiments that this worker knows; ``trouble`` says why one of them has not begun here."""

    def __init__(self, settings: Settings, policy: PolicyWatch) -> None:
        self.board = Board()
        self.trouble: str | None = None
        self._settings = settings
        self._policy = policy
        self._path = folder(settings) / "known.json"
        self._bundles: dict[str, Loaded] = {}
        self._failed: dict[str, _Failure] = {}
        self._choices = _NOTHING
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with what was last known, and to watch the store."""
        try:
            self.board = kept(self._path)
        except msgspec.DecodeError as error:
            log.warning("%s was written by another version and is not used: %s", self._path, error)
        self._thread = threading.Thread(target=self._run, name="experiment-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    def of(self, user: str, champion: Loaded) -> Choice:
        """How ``user`` is answered while ``champion`` serves; costs about a microsecond a layer."""
        return self._choices.choose(user, champion)

    @property
    def opened(self) -> tuple[Loaded, ...]:
        """The bundles that are held open for experiments."""
        return tuple(self._bundles.values())

    def look(self, client: redis.Redis) -> None:
        """Take over what has changed, and bring the products of the own bundles up to date."""
        told = self._told(client)
        if told is not None:
            self.board = told
            keep(self._path, told)
        wanted = frozenset[str]().union(*(one.sources for one in self.board.running))
        opened = self._open(wanted, client)
        if told is not None or opened or self._choices is _NOTHING:
            self._choices = Choices.of(self.board, self._bundles)
        for version in self._bundles.keys() - wanted:
            del self._bundles[version]
        for loaded in self._bundles.values():
            _fresh(loaded.feed.follow)
            if loaded.rules.text != self._policy.text:
                loaded.rules = self._policy.over(loaded.bundle)

    def _told(self, client: redis.Redis) -> Board | None:
        try:
            return newer(client, self.board.version)
        except redis.RedisError as error:
            # what is known goes on; that Redis is gone is on /health and in every answer too
            log.debug("the experiments cannot be asked for: %s", error)
            return None

    def _open(self, wanted: frozenset[str], client: redis.Redis) -> bool:
        """Open what is wanted and not there yet; whether there was any."""
        opened, now = False, time.monotonic()
        self._failed = {version: one for version, one in self._failed.items() if version in wanted}
        for version in sorted(wanted - self._bundles.keys()):
            if version in self._failed and now < self._failed[version].until:
                continue
            try:
                found = find(self._settings, version)
                bundle = Bundle.load(found.folder)
                rules = self._policy.over(bundle)
            except (RecoError, OSError) as error:
                self._failed[version] = _Failure(now + RETRY_SECONDS, str(error))
                continue
            self._failed.pop(version, None)
            loaded = Loaded(bundle, found, ProductFeed(client, bundle), time.time_ns() // 1000, rules)
            _fresh(loaded.feed.load)
            warm(loaded)
            self._bundles[version] = loaded
            opened = True
            log.info("bundle %s, registry version %s, is open for experiments", bundle.version, version)
        self.trouble = "; ".join(one.why for one in self._failed.values()) or None
        if opened:
            gc.collect()
            gc.freeze()
        return opened

    def _run(self) -> None:
        with connect(self._settings) as client:
            while not self._stop.is_set():
                try:
                    self.look(client)
                except Exception as error:
                    # the thread must outlive any defect, and /health tells
                    log.exception("watching the experiments")
                    self.trouble = f"{type(error).__name__}: {error}"
                self._stop.wait(PAUSE_SECONDS)


def _fresh(bring: Callable[[], int]) -> None:
    try:
        bring()
    except redis.RedisError as error:
        # products stay as they were; the next round tries again, and /health says that Redis is gone
        log.debug("product features stay as they were: %s", error)
