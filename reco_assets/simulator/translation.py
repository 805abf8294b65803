"""From compact rows of a day to tables of the event contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reco_assets.events.contract import EVENT_TYPES
from reco_assets.simulator import vocabulary
from reco_assets.simulator.dice import mixed
from reco_assets.simulator.history import Day
from reco_assets.simulator.parameters import DAY_US, Parameters
from reco_assets.simulator.trail import CART, CLICK, PURCHASE, QUERY_FORMS, RATE, REMOVE, SEARCH
from reco_assets.simulator.world import World

#: Columns of an event table, in contract order.
ARROW_SCHEMA: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("session_id", pa.string()),
        ("event_type", pa.string()),
        ("product_id", pa.string()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("price", pa.float64()),
        ("quantity", pa.int64()),
        ("duration_ms", pa.int64()),
        ("query", pa.string()),
        ("rating", pa.float64()),
        ("recommendation_id", pa.string()),
        ("position", pa.int64()),
        ("source", pa.string()),
    ]
)


def queries(world: World) -> pa.StringArray:
    """Search texts by ``leaf * QUERY_FORMS + form``: the leaf alone, or with a style, brand or tier."""
    brands = vocabulary.brands()
    texts: list[str] = []
    for row, leaf in enumerate(world.leaves):
        brand = brands[leaf.department * vocabulary.BRANDS_OF_DEPARTMENT]
        style = vocabulary.STYLES[row % len(vocabulary.STYLES)]
        texts += [leaf.name, f"{style} {leaf.name}", f"{brand.lower()} {leaf.name}", f"{leaf.name} pro"]
    assert len(texts) == len(world.leaves) * QUERY_FORMS
    return pa.array(texts, pa.string())


@dataclass(frozen=True)
class Translator:
    """Turns compact rows into tables of the event contract."""

    world: World
    queries: pa.StringArray

    def table(self, day: Day, first: int, last: int) -> pa.Table:
        """Rows ``[first, last)`` of ``day`` as ARROW_SCHEMA; the same wherever a day is cut."""
        rows = day.events[first:last]
        kind, product, detail = rows["kind"], rows["product"], rows["detail"]
        parameters, units = self.world.parameters, (kind == CART) | (kind == REMOVE) | (kind == PURCHASE)
        priced = units | (kind == CLICK)
        sources = [name for name, _ in vocabulary.SOURCES]
        numbers = np.arange(day.before + first, day.before + last, dtype=np.uint64)
        nothing = np.ones(len(rows), bool)
        columns = [
            _hexadecimal("", _scatter(numbers, parameters, 3)),
            _gather(self.world.users.ids, rows["user"]),
            _hexadecimal("s", _scatter(rows["session"].astype(np.int64) + (day.index << 32), parameters, 4)),
            _gather(pa.array(EVENT_TYPES), kind),
            _gather(self.world.products.ids, product),
            pa.array(rows["time"] + parameters.start_us + day.index * DAY_US).cast(pa.timestamp("us", "UTC")),
            pa.array(day.prices[product], mask=~priced),
            pa.array(detail.astype(np.int64), mask=~units),
            pa.array(detail.astype(np.int64), mask=kind != CLICK),
            _gather(self.queries, np.where(kind == SEARCH, detail, -1)),
            pa.array(detail.astype(np.float64), mask=kind != RATE),
            pa.nulls(len(rows), pa.string()),
            pa.array(np.zeros(len(rows), np.int64), mask=nothing),
            _gather(pa.array(sources), rows["source"]),
        ]
        return pa.Table.from_arrays(columns, schema=ARROW_SCHEMA)


def _gather(words: pa.StringArray, rows: npt.NDArray[np.integer]) -> pa.StringArray:
    """``words[rows]``, null where the row is negative."""
    return words.take(pa.array(rows, mask=rows < 0))


def _scatter(numbers: npt.NDArray[np.integer], parameters: Parameters, stream: int) -> npt.NDArray[np.uint64]:
    """Distinct numbers for distinct ``numbers``, which look random and differ from seed to seed."""
    key = np.random.SeedSequence([parameters.seed, stream]).generate_state(1, np.uint64)[0]
    scattered: npt.NDArray[np.uint64] = mixed(numbers.astype(np.uint64) + key)
    return scattered


_PAIRS: Final = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint16)


def _hexadecimal(prefix: str, numbers: npt.NDArray[np.uint64]) -> pa.StringArray:
    """Each number as ``prefix`` and 16 hexadecimal digits."""
    digits = _PAIRS[numbers.astype(">u8").view(np.uint8).reshape(-1, 8)].view(np.uint8)
    text = np.empty((len(numbers), len(prefix) + 16), np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    text[:, len(prefix) :] = digits
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))
