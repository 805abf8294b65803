"""A shop's whole history in the form in which everything is learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from reco_assets.catalogue.attributes import ATTRIBUTES, latest_attributes
from reco_assets.catalogue.items import ItemTable, item_table, products_as_of
from reco_assets.errors import BadInput
from reco_assets.interactions.log import InteractionLog, interaction_log
from reco_assets.platform.lake import Lake


@dataclass(frozen=True)
class ShopHistory:
    """The item table and the log over it."""

    items: ItemTable
    log: InteractionLog

    @property
    def first(self) -> int:
        """Time of the first event, UTC microseconds."""
        return int(self.log.time.min())

    @property
    def last(self) -> int:
        """Time of the last event, UTC microseconds."""
        return int(self.log.time.max())


def load_history(lake: Lake) -> ShopHistory:
    """Read ``silver/products`` and ``silver/interactions``, each once; BadInput where there is nothing."""
    far = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    own = latest_attributes(lake.scan(ATTRIBUTES)) if lake.exists(ATTRIBUTES) else None
    items = item_table(products_as_of(lake.scan("silver/products"), far), own)
    log = interaction_log(lake.scan("silver/interactions"), items)
    if len(log) == 0:
        raise BadInput("loading the history: there is not one product event", hint="import events first")
    return ShopHistory(items, log)
