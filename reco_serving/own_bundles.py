"""The bundles of experiments in one worker: opened one after the other, beside what watches the experiments.

Opening one may take a download and a while of trying it. That must not keep another experiment's end
waiting, and whatever is wrong with a bundle is told of that bundle alone.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import redis

from reco_assets.platform.versions import find
from reco_serving.current import Current
from reco_serving.loaded import Loaded
from reco_serving.opening import why
from reco_serving.verdicts import NO_MARK, Mark, mark_of

#: Pause before a bundle that could not be opened is tried again: fetching one may take a process.
RETRY_SECONDS: Final = 10.0

log = logging.getLogger("reco.experiments")

#: What a bundle was tried under: its files, those of the bundle that served, and the policy.
_Under: TypeAlias = tuple[Mark, Mark, bytes]


@dataclass(frozen=True)
class _Failure:
    """Why a bundle is not open, and until when (monotonic seconds) it is left alone.

    ``under`` is None where that is not known: it is tried again whatever has changed.
    """

    until: float
    why: str
    under: _Under | None


class OwnBundles:
    """Bundles by their version in the registry; ``open`` is replaced as a whole."""

    def __init__(self, current: Current, clock: Callable[[], float] = time.monotonic) -> None:
        self.open: dict[str, Loaded] = {}
        self._current = current
        self._clock = clock
        self._failed: dict[str, _Failure] = {}
        self._opener: threading.Thread | None = None
        #: What became of the one that was being opened, until it is taken.
        self._ended: tuple[str, Loaded | _Failure] | None = None

    def trouble(self) -> str | None:
        """Which bundles are not open, and why; for the thread that looks."""
        return "; ".join(one.why for one in self._failed.values()) or None

    def look(self, wanted: frozenset[str], client: redis.Redis) -> bool:
        """Take what has been opened, let go of what is not ``wanted``, begin to open what is missing.

        The champion is not held twice: where it is wanted, it is what serves, and stays when another one
        does. Returns whether other bundles are open than before.
        """
        before, held = self.open, dict(self.open)
        if self._ended is not None:
            version, result = self._ended
            self._ended = self._opener = None
            if isinstance(result, Loaded):
                held[version] = result
            else:
                self._failed[version] = result
        serving = self._current.loaded
        if serving is not None:
            held[serving.champion.version] = serving
        held = {version: loaded for version, loaded in held.items() if version in wanted}
        missing = wanted - held.keys()
        self._failed = {version: one for version, one in self._failed.items() if version in missing}
        for version, loaded in tuple(held.items()):
            if loaded is not serving and not self._brought_up_to_date(version, loaded):
                del held[version]
        self.open = held
        self._begin(missing, client)
        return any(before.get(version) is not held.get(version) for version in before.keys() | held.keys())

    def stop(self) -> None:
        """Wait a little for the one that is being opened."""
        if self._opener is not None:
            self._opener.join(timeout=10.0)

    def _begin(self, missing: frozenset[str], client: redis.Redis) -> None:
        if self._opener is not None:
            return
        for version in sorted(missing):
            failed = self._failed.get(version)
            if failed is None or failed.until <= self._clock():
                given = (version, failed, client)
                self._opener = threading.Thread(
                    target=self._run, args=given, name="experiment-bundle", daemon=True
                )
                self._opener.start()
                return

    def _run(self, version: str, failed: _Failure | None, client: redis.Redis) -> None:
        self._ended = version, self._opened(version, failed, client)

    def _opened(self, version: str, failed: _Failure | None, client: redis.Redis) -> Loaded | _Failure:
        """Bundle ``version``; one that has ``failed`` is not tried again under what it failed under."""
        under: _Under | None = None
        try:
            found = find(self._current.settings, version)
            mark, opening = mark_of(version, found.folder), self._current.opening()
            policy = self._current.policy
            under = mark, opening.serving.mark if opening.serving else NO_MARK, policy.text or b""
            if failed is not None and failed.under == under:
                return _Failure(self._clock() + RETRY_SECONDS, failed.why, under)
            loaded = opening.open(found, mark, client, policy.over, _fresh)
        except Exception as error:
            # whatever is wrong with it, it is told, and all others go on
            return self._failure(version, error, under)
        self._current.metrics.guards.openings.labels("opened").inc()
        log.info("bundle %s, registry version %s, is open for experiments", loaded.bundle.version, version)
        # what is loaded now stays: the collector need not walk over it in the middle of a request
        gc.freeze()
        return loaded

    def _brought_up_to_date(self, version: str, loaded: Loaded) -> bool:
        """Whether ``loaded`` may go on, with today's products and by the policy in force."""
        try:
            _fresh(loaded.feed.follow)
            if loaded.rules.text != (self._current.policy.text or b""):
                loaded.rules = self._current.policy.over(loaded.bundle)
        except Exception as error:
            # nobody is answered by a policy that does not hold any more
            self._failed[version] = self._failure(version, error, None)
            return False
        return True

    def _failure(self, version: str, error: Exception, under: _Under | None) -> _Failure:
        told = f"version {version} is refused: {why(error)}; the experiment that needs it does not run here"
        before = self._failed.get(version)
        if before is None or before.why != told:
            log.error("an experiment's bundle: %s", told)
        self._current.metrics.guards.openings.labels("refused").inc()
        return _Failure(self._clock() + RETRY_SECONDS, told, under)


def _fresh(bring: Callable[[], int]) -> None:
    try:
        bring()
    except redis.RedisError as error:
        # products stay as they were; the next round tries again, and /health says that Redis is gone
        log.debug("product features stay as they were: %s", error)
