"""The bundle that serves now, and the thread that brings the next one without anybody waiting for it.

The same thread looks once a second how far the tables are behind the stream.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import redis

from reco_assets.errors import RecoError
from reco_assets.platform.champion import look
from reco_assets.platform.notice import sign
from reco_assets.platform.redis import connect
from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_serving.backlog import Backlog
from reco_serving.last_good import LastGood
from reco_serving.loaded import Loaded
from reco_serving.metrics import Metrics
from reco_serving.opening import Opening, why
from reco_serving.policy import PolicyWatch
from reco_serving.recordings import Recordings
from reco_serving.rehearsal import RECORDED, Case
from reco_serving.verdicts import Mark, mark_of

#: Pause between two looks at the registry, at the stream of product changes and at the stream of events.
PAUSE_SECONDS: Final = 1.0
#: Pause between two glances at whether somebody has promoted a version meanwhile.
GLANCE_SECONDS: Final = 0.1
#: A worker takes no requests for so long, at the most, while it looks for its first bundle.
FIRST_LOOK_SECONDS: Final = 60.0

log = logging.getLogger("reco.bundle")


@dataclass
class Current:
    """Holds the bundle that serves; ``loaded`` is replaced as a whole, so a request sees one or the other.

    ``trouble`` says why the newest champion does not serve, where it does not; ``recorded`` holds what
    was asked last, to try the next one on, and ``recordings`` the same on disk. The bundle that served
    before is kept as it is, so that a rollback loads nothing.
    """

    settings: Settings
    metrics: Metrics
    backlog: Backlog
    loaded: Loaded | None = None
    trouble: str | None = None
    recorded: deque[Case] = field(default_factory=lambda: deque(maxlen=RECORDED), repr=False)
    products_trouble: str | None = None
    policy: PolicyWatch = field(init=False)
    recordings: Recordings = field(init=False, repr=False)
    disk_trouble: str | None = None
    _refused: Mark | None = field(default=None, repr=False)
    _before: Loaded | None = field(default=None, repr=False)
    _looked: threading.Event = field(default_factory=threading.Event, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.policy = PolicyWatch(self.settings)
        self.recordings = Recordings.of(self.settings)

    def start(self) -> None:
        """Begin to watch the registry and the online store."""
        self._thread = threading.Thread(target=self._run, name="bundle-watch", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the first look: a worker that is started again does not answer without a bundle."""
        self._looked.wait(FIRST_LOOK_SECONDS)

    def stop(self) -> None:
        """End the watching; what serves stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    def look(self, client: redis.Redis) -> None:
        """Take the champion of the registry if it is another one, and bring product features up to date."""
        before = self.loaded
        try:
            champion = look(self.settings, before.champion if before else None)
        except (RecoError, OSError) as error:
            self._alert(str(error))
            self._serve_last_good(client)
        else:
            if champion is None:
                self._serve_last_good(client)
            elif before is None or champion is not before.champion:
                self._take(champion, client)
            else:
                self.trouble, self._refused = None, None
                if self.disk_trouble is not None:
                    self._keep(champion)
        if self.loaded is not None and self.loaded is before:
            self._fresh(self.loaded.feed.follow)
            another = self.policy.look(self.loaded.bundle)
            if another is not None:
                self.loaded.rules = another
        if self.loaded is not None:
            self.metrics.freshness.show(self.loaded)
            self.metrics.answered.proposals.show()

    def _take(self, champion: Champion, client: redis.Redis) -> None:
        """Load ``champion``, try it on recorded requests, and let it serve; or refuse it."""
        mark = mark_of(champion.version, champion.folder)
        if mark == self._refused:
            return  # nothing about it has changed, and ``trouble`` says what is wrong
        try:
            again = self._again(mark)
            loaded = again or self._load(champion, mark, client)
        except Exception as error:
            # whatever is wrong with it, what serves goes on; a file that is mended is tried again
            self._alert(f"version {champion.version} is refused: {why(error)}", alarm=True)
            self.metrics.guards.swaps.labels("refused").inc()
            self._refused = mark
            self._serve_last_good(client)
            return
        self._swap(loaded, "served" if again is None else "returned")
        self.recordings.keep(tuple(self.recorded), at_once=True)
        self.trouble, self._refused = None, None
        self._keep(champion)

    def _again(self, mark: Mark) -> Loaded | None:
        """The bundle that served before the present one, brought up to date, where ``mark`` is its own.

        It has been tried, and it is warm: going back need not wait for more.
        """
        loaded = self._before
        if loaded is None or loaded.mark != mark:
            return None
        self._fresh(loaded.feed.follow)
        loaded.rules = self.policy.rules_of(loaded.bundle)
        return loaded

    def _keep(self, champion: Champion) -> None:
        try:
            self.last_good.keep(champion)
        except OSError as error:
            if self.disk_trouble is None:
                log.warning("version %s cannot be kept on this machine: %s", champion.version, error)
            self.disk_trouble = str(error)
        else:
            self.disk_trouble = None

    def opening(self) -> Opening:
        """What a bundle that is opened now is held against."""
        return Opening(self.settings, self.loaded, tuple(self.recorded))

    def _load(self, champion: Champion, mark: Mark, client: redis.Redis) -> Loaded:
        return self.opening().open(champion, mark, client, self.policy.rules_of, self._fresh)

    def _serve_last_good(self, client: redis.Redis) -> None:
        """Where nothing serves, serve what served last on this machine."""
        if self.loaded is not None:
            return
        champion = self.last_good.find()
        if champion is None:
            return
        try:
            mark = mark_of(champion.version, champion.folder)
            self._swap(self._load(champion, mark, client))
        except Exception as error:
            self._alert(f"the last good version {champion.version} cannot be served either: {error}")
            return
        why = self.trouble or "the registry knows no champion"
        self._alert(f"{why}; version {champion.version}, the last that served here, does so again")

    def _alert(self, told: str, alarm: bool = False) -> None:
        if told != self.trouble:
            log.log(logging.ERROR if alarm else logging.WARNING, "the champion: %s", told)
        self.trouble = told

    def _fresh(self, bring: Callable[[], int]) -> None:
        try:
            bring()
        except redis.RedisError as error:
            # products stay as they were; /health says so, and the next round tries again
            self.products_trouble = f"{type(error).__name__}: {error}"
        else:
            self.products_trouble = None

    def _swap(self, loaded: Loaded, outcome: str = "served") -> None:
        if self.loaded is not None:
            self.metrics.bundle.labels(self.loaded.bundle.version).set(0)
            self._before = self.loaded
        self.metrics.bundle.labels(loaded.bundle.version).set(1)
        self.metrics.guards.swaps.labels(outcome).inc()
        self.loaded = loaded
        log.info("serving bundle %s, registry version %s", loaded.bundle.version, loaded.champion.version)
        # what is loaded now stays: the collector need not walk over it in the middle of a request
        gc.freeze()

    def _run(self) -> None:
        # before anything is asked: the first bundle is tried on what was asked in a worker's last life
        self.recorded.extend(self.recordings.read())
        with connect(self.settings) as client:
            while not self._stop.is_set():
                signed = sign(self.settings, client)
                try:
                    self.look(client)
                except Exception as error:
                    # the thread must outlive any defect: what serves goes on, and /health tells
                    log.exception("watching the registry")
                    self.trouble = f"{type(error).__name__}: {error}"
                try:
                    self.backlog.look(client)
                except Exception as error:
                    log.exception("watching the stream")
                    self.backlog.trouble = f"{type(error).__name__}: {error}"
                self._looked.set()
                self.recordings.keep(tuple(self.recorded))
                self._wait(client, signed)
        self.recordings.keep(tuple(self.recorded), at_once=True)
        self.backlog.close()

    @property
    def last_good(self) -> LastGood:
        """What this machine serves when the registry cannot be asked."""
        return LastGood.of(self.settings)

    def _wait(self, client: redis.Redis, signed: tuple[object, ...]) -> None:
        """A pause, which a promotion since ``signed`` ends."""
        for _ in range(round(PAUSE_SECONDS / GLANCE_SECONDS)):
            if self._stop.wait(GLANCE_SECONDS) or sign(self.settings, client) != signed:
                return
