"""What goes into a recommendation and what comes out; plain values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.errors import BadInput, BadRequest

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]
UInt64s = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]

#: How many of a user's last product events are kept and used, newest last.
RECENT: Final = 20
#: How many of a user's last distinct bought products are kept.
BOUGHT: Final = 255
#: The most that one answer may hold.
MOST: Final = 100

DEVICES: Final = ("unknown", "desktop", "mobile", "tablet", "app")


@dataclass(frozen=True)
class Habits:
    """What a person keeps coming back to, as of a midnight; nothing where there are few events.

    Attributes
    ----------
    items
        ``int32[n]`` distinct item rows, the heaviest first.
    weights
        ``float32[n]``: events by their kinds, faded, see ``candidates/habits.py``.
    at
        UTC microseconds: later events are not in it.
    """

    items: Int32s = field(default_factory=lambda: np.empty(0, np.int32))
    weights: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    at: int = 0


#: Of somebody of whom nothing is remembered.
NO_HABITS: Final = Habits()


@dataclass(frozen=True)
class UserState:
    """What is known of one user at one moment, as online/codec packs it.

    Attributes
    ----------
    features
        ``float32[len(USER_FEATURES)]`` in catalogue order; defaults where the user is unknown.
    favorite_category
        Category code of the bundle's item table, or -1.
    items, kinds, times
        The last up to ``RECENT`` product events, oldest first: item row of the bundle,
        :class:`EventType` code, UTC microseconds. Items that the bundle lacks are left out.
    bought
        Item rows of products that the user has bought, oldest first.
    habits
        What more than the last events tell of somebody with a long history.
    """

    features: Floats
    favorite_category: int
    items: Int32s
    kinds: Int8s
    times: Int64s
    bought: Int32s
    habits: Habits = NO_HABITS


@dataclass(frozen=True)
class Context:
    """Where and when the answer will be shown.

    ``hour`` (0-23) and ``weekday`` (0 is Monday) default to those of ``now`` in UTC. ``age`` (years) and
    ``region`` are the visitor's, where known: a policy may limit products to them.
    """

    device: str = "unknown"
    page: str = ""
    hour: int | None = None
    weekday: int | None = None
    age: int | None = None
    region: str | None = None


@dataclass(frozen=True)
class Request:
    """One question to the recommender, ids already resolved to item rows.

    Attributes
    ----------
    session_items
        Item rows the request itself reports as just seen, oldest first; they count as clicks
        at ``now`` and follow the stored history.
    exclude
        Item rows that must not be in the answer.
    cart
        Item rows of what lies in the cart, which is not recommended again.
    category
        Only products of this category code, where it is not None.
    seed
        Breaks ties and drives anything random; the same request, state, bundle, policy, ``now``
        and seed give the same answer to the bit.
    filters
        Only products for which this expression over product columns is true; nothing asks for all.
    """

    n: int = 10
    context: Context = field(default_factory=Context)
    session_items: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    category: int | None = None
    seed: int = 0
    cart: tuple[int, ...] = ()
    filters: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MOST:
            raise BadRequest("num_recommendations", f"must be from 1 to {MOST}, got {self.n}")


@dataclass(frozen=True)
class Policy:
    """The rules after ranking; the defaults are part of every bundle's manifest.

    Attributes
    ----------
    max_per_category
        Largest share of the answer that one category may take before others are preferred.
    max_per_brand
        The same for one brand; 1 leaves brands alone.
    hide_bought
        Leave out what the user has bought, but for what ``rebuy_above`` lets through.
    rebuy_above
        A bought product is shown where the probability that it is bought again in the coming week, as
        the shop's log tells for its age (``candidates.repeat``), is above this. A product that nobody
        buys twice is never shown, whatever the value; 1 hides everything bought.
    in_stock_only
        Leave out products whose inventory level is known to be 0.
    candidates
        How many candidates are ranked, at the most.
    diversity
        From 0 to below 1: how much a product loses in the ranking by being like those above it. 0 ranks
        by score alone.
    explore
        Share of the places of an answer that new products may take, at the most; 0 shows none for being
        new.
    max_explored
        Places of one answer that new products may take, at the most.
    """

    max_per_category: float = 0.4
    max_per_brand: float = 1.0
    hide_bought: bool = True
    rebuy_above: float = 0.05
    in_stock_only: bool = True
    candidates: int = 400
    diversity: float = 0.0
    explore: float = 0.1
    max_explored: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.explore <= 1.0:
            raise BadInput(f"a policy's explore is {self.explore}", hint="choose it from 0 to 1")
        if not 0.0 <= self.diversity < 1.0:
            raise BadInput(f"a policy's diversity is {self.diversity}", hint="choose it from 0 to below 1")

    def changed(self, changes: Mapping[str, bool | int | float]) -> Policy:
        """These rules with other values of the fields that ``changes`` names."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def settled(self) -> Policy:
        """These rules without exploration: what recommenders are compared by."""
        return replace(self, explore=0.0)


@dataclass(frozen=True)
class Recommendation:
    """One product of an answer.

    ``propensity`` is the probability that, given the places above, the policy shows this product here:
    1 where nothing was left to chance but the order of equals. ``campaign`` names the promotion that put it
    here, ``rules`` the boosts that moved it.
    """

    item: int
    score: float
    position: int
    source: str
    reason: str
    propensity: float = 1.0
    campaign: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shortfall:
    """What an answer lacks, and why.

    Attributes
    ----------
    missing
        How many products it lacks.
    catalogue
        How many products there are.
    left_out
        How many of them each rule leaves out; a product counts for the first rule that does.
    """

    missing: int
    catalogue: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class Decision:
    """An answer with what is needed to explain it.

    ``rung`` names the step of the degradation ladder that answered: full, no_ranker, popular.
    ``shortfall`` says why there are fewer products than were asked for, where the service has looked.
    ``proposed`` is how many candidates each source proposed for a ranked answer.
    """

    recommendations: tuple[Recommendation, ...]
    candidates: int
    rung: str
    shortfall: Shortfall | None = None
    proposed: Mapping[str, int] = field(default_factory=dict)
