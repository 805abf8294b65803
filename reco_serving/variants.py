"""The experiments of the moment, in one worker: watched, with the bundles that they need held open.

A thread of its own looks once a second whether the experiments have changed. An experiment begins in a
worker when all of its bundles are open: nobody is shown its control before others can be shown its
variants. One whose bundle cannot be opened keeps none of the others waiting.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

import msgspec
import redis

from reco_assets.experiments.board import Board
from reco_assets.experiments.store import folder, keep, kept, newer
from reco_assets.platform.redis import connect
from reco_serving.choices import Choice, Choices
from reco_serving.current import Current
from reco_serving.loaded import Loaded
from reco_serving.own_bundles import OwnBundles

PAUSE_SECONDS: Final = 1.0

log = logging.getLogger("reco.experiments")


class Variants:
    """The experiments that this worker knows; ``trouble`` says why one of them has not begun here."""

    def __init__(self, current: Current) -> None:
        self.board = Board()
        self.trouble: str | None = None
        self._settings = current.settings
        self._path = folder(current.settings) / "known.json"
        self._on_disk = self.board
        self._bundles = OwnBundles(current)
        self._choices = Choices()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with what was last known, and to watch the store."""
        try:
            self.board = self._on_disk = kept(self._path)
        except msgspec.DecodeError as error:
            log.warning("%s was written by another version and is not used: %s", self._path, error)
        self._lay_out()
        self._thread = threading.Thread(target=self._run, name="experiment-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)
        self._bundles.stop()

    def of(self, user: str, champion: Loaded) -> Choice:
        """How ``user`` is answered while ``champion`` serves; costs about a microsecond a layer."""
        return self._choices.choose(user, champion)

    @property
    def opened(self) -> tuple[Loaded, ...]:
        """The bundles that are held open for experiments."""
        return tuple(self._bundles.open.values())

    def look(self, client: redis.Redis) -> None:
        """Take over what has changed, and have the bundles open that it needs."""
        told = self._told(client)
        if told is not None:
            self.board = told
            # what has ended has ended, whatever becomes of the bundles
            self._lay_out()
        wanted = frozenset[str]().union(*(one.sources for one in self.board.running))
        if self._bundles.look(wanted, client):
            self._lay_out()
        self.trouble = self._bundles.trouble()
        self._keep()

    def _lay_out(self) -> None:
        self._choices = Choices.of(self.board, self._bundles.open)

    def _keep(self) -> None:
        if self.board is self._on_disk:
            return
        try:
            keep(self._path, self.board)
        except OSError as error:
            # they hold all the same, and are kept when the disk takes them
            self.trouble = f"they cannot be kept for a start without Redis: {error}"
        else:
            self._on_disk = self.board

    def _told(self, client: redis.Redis) -> Board | None:
        try:
            return newer(client, self.board.version)
        except redis.RedisError as error:
            # what is known goes on; that Redis is gone is on /health and in every answer too
            log.debug("the experiments cannot be asked for: %s", error)
            return None

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
