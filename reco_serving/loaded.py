"""A bundle as the service holds it: with its product features, its texts, and what its answers take."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from reco_assets.platform.registry import Champion
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.rules import Rules
from reco_serving.ladder import Cost
from reco_serving.products import ProductFeed
from reco_serving.verdicts import NO_MARK, Mark


@dataclass
class Loaded:
    """A bundle with what the service keeps beside it.

    Attributes
    ----------
    champion
        Its version in the registry and its folder.
    loaded_at
        UTC microseconds.
    rules
        The policy that it is served with; another file replaces it as a whole.
    mark
        Of its files when it was opened.
    costs
        What an answer of each rung takes, as the worker has measured it; empty before it is warm.
    counted
        Hits and misses of ``texts`` that are in the metrics already.
    """

    bundle: Bundle
    champion: Champion
    feed: ProductFeed
    loaded_at: int
    rules: Rules
    mark: Mark = NO_MARK
    costs: dict[str, Cost] = field(default_factory=dict)
    counted: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        #: Product id, title and category of an item row; the popular ones are asked for all the time.
        self.texts = lru_cache(maxsize=20_000)(self._texts)
        self.feed.renewed = self._renewed

    def _renewed(self) -> None:
        # not by the first visitor who comes after the update
        self.rules.now()

    def _texts(self, row: int) -> tuple[str, str, str | None]:
        items = self.bundle.items
        return items.ids[row], items.titles[row], items.category_name(row)
