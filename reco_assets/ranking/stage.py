"""The decisions of a stretch of time with all that is needed to walk through them, on one core or on many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
from joblib import Parallel, cpu_count, delayed

from reco_assets.interactions.history import ShopHistory
from reco_assets.interactions.log import InteractionLog
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Decisions, Objective
from reco_assets.ranking.replay import Moment, moments
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline
from reco_assets.ranking.windowed import product_timeline, user_timeline
from reco_assets.recommender.bundle import Bundle

#: Fewer decisions than this are walked in the process that asks: others take seconds to start.
WORTH_SHARING: Final = 1_000
#: Parts a process, so that none waits long for the slowest.
_PARTS: Final = 4
#: The processes wait so long for the next stage: as long as trees take to grow between two of them.
_IDLE_SECONDS: Final = 600

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Stage:
    """Decisions, the features as they stood at each of them, and the bundle that is asked.

    Attributes
    ----------
    last
        Outcomes are looked for before this, UTC microseconds.
    first
        Number of the first of ``decisions`` within the stage that this is a part of.
    """

    log: InteractionLog
    decisions: Decisions
    last: int
    users: UserTimeline
    products: ProductTimeline
    bundle: Bundle
    objective: Objective
    first: int = 0

    def walk(self) -> Iterator[Moment]:
        """Each decision in the order of time; the product features of ``bundle`` follow the clock."""
        return moments(
            self.log,
            self.decisions,
            self.last,
            self.users,
            self.products,
            self.bundle,
            self.objective,
            self.first,
        )

    def part(self, begin: int, end: int) -> Stage:
        """Decisions ``[begin, end)`` on a bundle whose product features move on their own."""
        chosen = slice(begin, end)
        whole, users = self.decisions, self.users
        return replace(
            self,
            decisions=Decisions(whole.user[chosen], whole.time[chosen], whole.at[chosen]),
            users=UserTimeline(users.values[chosen], users.favorite_category[chosen]),
            bundle=self.bundle.apart(),
            first=self.first + begin,
        )


@dataclass(frozen=True)
class Setting:
    """Decisions and the features as they stood at each of them: a stage on which no bundle is asked yet."""

    decisions: Decisions
    last: int
    users: UserTimeline
    products: ProductTimeline

    @classmethod
    def of(
        cls, engine: Engine, lake: Lake, history: ShopHistory, decisions: Decisions, first: int, last: int
    ) -> Self:
        """Of ``decisions``, all of them in ``[first, last)``."""
        users = user_timeline(engine, history, decisions)
        return cls(decisions, last, users, product_timeline(engine, lake, history, first, last))

    def stage(self, history: ShopHistory, bundle: Bundle, objective: Objective) -> Stage:
        """Ask ``bundle``."""
        return Stage(history.log, self.decisions, self.last, self.users, self.products, bundle, objective)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All of it, by name."""
        return {
            "last": np.array(self.last),
            **{
                f"{name}-{field.name}": getattr(part, field.name)
                for name, part in self._parts().items()
                for field in fields(part)
            },
        }

    def _parts(self) -> dict[str, Decisions | UserTimeline | ProductTimeline]:
        return {"decisions": self.decisions, "users": self.users, "products": self.products}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """What :meth:`arrays` took apart."""

        def own(name: str) -> dict[str, npt.NDArray[Any]]:
            return {key.split("-")[1]: part for key, part in arrays.items() if key.startswith(f"{name}-")}

        parts = (
            Decisions(**own("decisions")),
            int(arrays["last"].item()),
            UserTimeline(**own("users")),
            ProductTimeline(**own("products")),
        )
        return cls(*parts)


def stage(
    engine: Engine,
    lake: Lake,
    history: ShopHistory,
    bundle: Bundle,
    decisions: Decisions,
    first: int,
    last: int,
    objective: Objective,
) -> Stage:
    """``bundle`` asked at each of ``decisions``, all of them in ``[first, last)``."""
    return Setting.of(engine, lake, history, decisions, first, last).stage(history, bundle, objective)


def over(stage: Stage, work: Callable[[Stage], _Found], threads: int) -> list[_Found]:
    """What ``work`` finds in each part of ``stage``, in the order of time.

    The parts are shared out to processes, which map the arrays of ``stage`` instead of copying them.
    Nothing depends on how many there are, as long as ``work`` looks at each decision by itself.

    Parameters
    ----------
    work
        A function of a module, or a partial of one: it goes to other processes.
    threads
        Processes; 0 takes every core.
    """
    count = len(stage.decisions)
    processes = threads or cpu_count()
    if processes == 1 or count < WORTH_SHARING:
        return [work(stage.part(0, count))]
    cuts = np.linspace(0, count, _PARTS * processes + 1).astype(int).tolist()
    shared = Parallel(n_jobs=processes, max_nbytes="256K", idle_worker_timeout=_IDLE_SECONDS)
    return list(shared(delayed(_of_part)(stage, work, *cut) for cut in pairwise(cuts)))


def _of_part(stage: Stage, work: Callable[[Stage], _Found], begin: int, end: int) -> _Found:
    _plain(stage)
    return work(stage.part(begin, end))


def _plain(holder: object) -> None:
    """Make plain views of what is mapped in ``holder`` and its parts: compiled code takes those at once."""
    held = holder if isinstance(holder, dict) else getattr(holder, "__dict__", {})
    for name, value in held.items():
        if isinstance(value, np.memmap):
            held[name] = np.asarray(value)
        elif isinstance(value, dict) or type(value).__module__.startswith("reco_assets."):
            _plain(value)
