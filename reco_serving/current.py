"""The bundle that serves now, and the thread that brings the next one without anybody waiting for it.

The same thread looks once a second how far the tables are behind the stream.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import redis

from reco_assets.errors import RecoError
from reco_assets.platform.champion import look
from reco_assets.platform.redis import connect
from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend, similar, trending
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request, UserState
from reco_serving.backlog import Backlog
from reco_serving.metrics import Metrics
from reco_serving.policy import PolicyWatch
from reco_serving.products import ProductFeed

#: Pause between two looks at the registry, at the stream of product changes and at the stream of events.
PAUSE_SECONDS: Final = 1.0

log = logging.getLogger("reco.bundle")


class Loaded:
    """A warm bundle with what the service keeps beside it.

    Attributes
    ----------
    champion
        Its version in the registry and its folder.
    loaded_at
        UTC microseconds.
    rules
        The policy that it is served with; another file replaces it as a whole.
    """

    def __init__(
        self, bundle: Bundle, champion: Champion, feed: ProductFeed, loaded_at: int, rules: Rules
    ) -> None:
        self.bundle = bundle
        self.champion = champion
        self.feed = feed
        self.loaded_at = loaded_at
        self.rules = rules
        #: Product id, title and category of an item row; the popular ones are asked for all the time.
        self.texts = lru_cache(maxsize=20_000)(self._texts)

    def _texts(self, row: int) -> tuple[str, str, str | None]:
        items = self.bundle.items
        return items.ids[row], items.titles[row], items.category_name(row)


@dataclass
class Current:
    """Holds the bundle that serves; ``loaded`` is replaced as a whole, so a request sees one or the other.

    ``trouble`` says why the newest champion does not serve, where it does not.
    """

    settings: Settings
    metrics: Metrics
    backlog: Backlog
    loaded: Loaded | None = None
    trouble: str | None = None
    products_trouble: str | None = None
    policy: PolicyWatch = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.policy = PolicyWatch(self.settings)

    def start(self) -> None:
        """Begin to watch the registry and the online store."""
        self._thread = threading.Thread(target=self._run, name="bundle-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching; what serves stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    def look(self, client: redis.Redis) -> None:
        """Load the champion of the registry if it is another one, and bring product features up to date."""
        before = self.loaded
        try:
            champion = look(self.settings, before.champion if before else None)
            if champion is not None and (before is None or champion is not before.champion):
                self._swap(self._load(champion, client))
            self.trouble = None
        except (RecoError, OSError) as error:
            if str(error) != self.trouble:
                log.warning("the champion cannot be served: %s", error)
            self.trouble = str(error)
        if self.loaded is not None and self.loaded is before:
            self._fresh(self.loaded.feed.follow)
            another = self.policy.look(self.loaded.bundle)
            if another is not None:
                self.loaded.rules = another

    def _load(self, champion: Champion, client: redis.Redis) -> Loaded:
        bundle = Bundle.load(champion.folder)
        feed = ProductFeed(client, bundle)
        self._fresh(feed.load)
        rules = self.policy.rules_of(bundle)
        loaded = Loaded(bundle, champion, feed, time.time_ns() // 1000, rules)
        feed.renewed = lambda: loaded.rules.now()
        warm(bundle, rules)
        return loaded

    def _fresh(self, bring: Callable[[], int]) -> None:
        try:
            bring()
        except redis.RedisError as error:
            # products stay as they were; /health says so, and the next round tries again
            self.products_trouble = f"{type(error).__name__}: {error}"
        else:
            self.products_trouble = None

    def _swap(self, loaded: Loaded) -> None:
        if self.loaded is not None:
            self.metrics.bundle.labels(self.loaded.bundle.version).set(0)
        self.metrics.bundle.labels(loaded.bundle.version).set(1)
        self.loaded = loaded
        log.info("serving bundle %s, registry version %s", loaded.bundle.version, loaded.champion.version)
        # what is loaded now stays: the collector need not walk over it in the middle of a request
        gc.collect()
        gc.freeze()

    def _run(self) -> None:
        with connect(self.settings) as client:
            while not self._stop.is_set():
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
                self._stop.wait(PAUSE_SECONDS)
        self.backlog.close()


def warm(bundle: Bundle, rules: Rules) -> None:
    """Answer a few requests of every kind, so that nothing is compiled or paged in for a visitor."""
    now = bundle.manifest.as_of
    rows = np.asarray(bundle.popular.ranked[:5], np.int32)
    known = UserState(
        features=np.array(empty_state().features),
        favorite_category=-1,
        items=rows.copy(),
        kinds=np.zeros(len(rows), np.int8),
        times=np.full(len(rows), now, np.int64),
        bought=rows[:1].copy(),
    )
    for state in (known, empty_state()):
        for session_items in ((), tuple(rows.tolist())):
            told = rules.now()
            recommend(Request(session_items=session_items), state, bundle, told.policy, now, rules=told)
    if len(rows):
        similar(int(rows[0]), bundle, 10, now)
    trending(bundle, 10)
