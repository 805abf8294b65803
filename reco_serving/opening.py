"""A bundle is opened whole, warm, and fit to answer beside the one that serves; or not at all.

Champions and the bundles of experiments come this way: what visitors are shown has passed the same.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

import redis

from reco_assets.errors import RecoError
from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.integrity import verify
from reco_assets.recommender.policy.rules import Rules
from reco_serving.last_good import LastGood
from reco_serving.loaded import Loaded
from reco_serving.products import ProductFeed
from reco_serving.rehearsal import Case, answerable, synthetic, warm
from reco_serving.trial import Bounds, tried
from reco_serving.turns import turn
from reco_serving.verdicts import Mark, Verdicts

#: Share of the default deadline that a new bundle's answers may take, whatever the old one's take.
_SHARE_OF_DEADLINE: Final = 0.1

_TURN: Final = "loading.lock"

log = logging.getLogger("reco.bundle")


@dataclass(frozen=True)
class Opening:
    """What a bundle is held against while it is opened.

    Attributes
    ----------
    serving
        What serves now; None where nothing does yet.
    recorded
        What visitors asked last.
    """

    settings: Settings
    serving: Loaded | None
    recorded: Sequence[Case]

    def open(
        self,
        found: Champion,
        mark: Mark,
        client: redis.Redis,
        rules_of: Callable[[Bundle], Rules],
        fresh: Callable[[Callable[[], int]], None],
    ) -> Loaded:
        """The bundle of ``found``, whose files have ``mark``, as it may answer visitors.

        Of the workers of a machine that all serve the same, the first finds out for the others; and
        while visitors are answered, one after the other has its turn.

        Parameters
        ----------
        rules_of
            The policy for it.
        fresh
            Brings its product features up to date, by what it is given; they may be late.

        Raises
        ------
        BadBundle
            A file is not what was written, it is of another feature catalogue, or it is not fit to serve.
        Exception
            Whatever a bundle that is broken in another way raises.
        """
        old = self.serving
        verdicts = Verdicts(LastGood.of(self.settings).root)
        with self._turn(), _uncollected():
            passed = old is not None and verdicts.passed(mark, old.mark)
            if not passed:
                verify(found.folder)
            bundle = Bundle.load(found.folder)
            rules = rules_of(bundle)
            loaded = Loaded(bundle, found, ProductFeed(client, bundle), time.time_ns() // 1000, rules, mark)
            fresh(loaded.feed.load)
            warm(loaded)
            if passed:
                log.info("bundle %s has passed in another worker", bundle.version)
                return loaded
            self._try(loaded)
            if old is not None:
                verdicts.note(mark, old.mark)
        return loaded

    def _try(self, loaded: Loaded) -> None:
        old = self.serving
        bounds = Bounds(
            self.settings.swap_overlap,
            self.settings.swap_slower,
            _SHARE_OF_DEADLINE * self.settings.deadline_ms / 1e3,
        )
        # of a shop that is another one by now, none may be left
        cases = answerable(self.recorded, loaded) or synthetic(old.bundle if old else loaded.bundle)
        found = tried(loaded, old, cases, bounds, time.time_ns() // 1000)
        log.info("bundle %s on %d requests: %s", loaded.bundle.version, len(cases), found)

    def _turn(self) -> AbstractContextManager[None]:
        if self.serving is None:
            return nullcontext()
        return turn(LastGood.of(self.settings).root / _TURN)


def why(error: Exception) -> str:
    """Why a bundle was not opened, for people; a defect is named by its kind too."""
    return str(error) if isinstance(error, RecoError | OSError) else f"{type(error).__name__}: {error}"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector, which would walk over half a bundle while visitors wait for the interpreter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
