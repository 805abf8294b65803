"""From tables to the online store. Values are replaced one by one: nothing is emptied to be refilled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import redis

from reco_assets.catalogue.items import category_key, product_keys
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES
from reco_assets.features.matrix import feature_matrix
from reco_assets.online import keys
from reco_assets.online.codec import KEY_BYTES, PENDING_BYTES, pack_keys
from reco_assets.online.packing import Bought, Recent, Users, encode_products, encode_users
from reco_assets.recommender.types import RECENT, Int64s, UInt64s

#: Users packed, and commands sent to Redis, at a time.
CHUNK: Final = 5_000
#: Changed products in one entry of the stream of changes, and entries that the stream keeps.
KEYS_PER_ENTRY: Final = 1_000
ENTRIES: Final = 1_000
#: With more changes than this at once, readers are told to read everything.
MOST_CHANGES: Final = 50_000

Progress = Callable[[int], None]

#: KEYS: a user's pending value. ARGV: packed keys of event ids. Leaves the entries of other events.
_SETTLE: Final = f"""
local pending = redis.call('GET', KEYS[1])
if not pending then return 0 end
local gone = {{}}
for at = 1, #ARGV[1], {KEY_BYTES} do gone[string.sub(ARGV[1], at, at + {KEY_BYTES - 1})] = true end
local kept = {{}}
for at = 1, #pending, {PENDING_BYTES} do
  local entry = string.sub(pending, at, at + {PENDING_BYTES - 1})
  if not gone[string.sub(entry, {PENDING_BYTES - KEY_BYTES + 1})] then kept[#kept + 1] = entry end
end
if #kept == 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], table.concat(kept), 'KEEPTTL') end
return #kept
"""


def user_values(
    users: pl.DataFrame, recents: pl.DataFrame, bought: pl.DataFrame
) -> tuple[list[str], list[bytes]]:
    """User ids and their packed values: everybody who is in any of the three tables.

    Parameters
    ----------
    users
        user_id, the user features by name, favorite_category, first_event_time, last_event_time.
    recents
        user_id, product_key, kind (:class:`EventType` code), at (UTC microseconds); each user's oldest
        first, of which the last ``RECENT`` count.
    bought
        user_id, products (a list of keys, oldest first).
    """
    ids = pl.concat([users["user_id"], recents["user_id"], bought["user_id"]]).unique(maintain_order=True)
    people = pl.DataFrame({"user_id": ids, "row": np.arange(len(ids), dtype=np.int64)})
    known = people.join(users, on="user_id", how="left", maintain_order="left")
    features = feature_matrix(known, USER_FEATURES)
    packed = encode_users(
        Users(
            features=features,
            favorite_category=_category_keys(known["favorite_category"]),
            first_event_time=_micros(known["first_event_time"]),
            last_event_time=_micros(known["last_event_time"]),
            recent=_recent(people, recents),
            bought=_bought(people, bought),
        )
    )
    return ids.to_list(), packed


def write_users(
    client: redis.Redis,
    users: pl.DataFrame,
    recents: pl.DataFrame,
    bought: pl.DataFrame,
    *,
    ttl_days: int,
    progress: Progress = lambda written: None,
) -> int:
    """Pack and write every user of the three tables (see :func:`user_values`); how many there were."""
    ids, values = user_values(users, recents, bought)
    _write(client, [keys.user(user_id) for user_id in ids], values, ttl_days, progress)
    return len(ids)


def settle(client: redis.Redis, drained: Mapping[str, Sequence[str]]) -> None:
    """Take the events ``drained``, ids by user, from the users' pending values.

    Call it when the users' own values hold them: a reader sees an event in one place or in both.
    """
    script = client.register_script(_SETTLE)
    people = list(drained)
    for start in range(0, len(people), CHUNK):
        with client.pipeline(transaction=False) as together:
            for person in people[start : start + CHUNK]:
                script([keys.pending(person)], [pack_keys(product_keys(drained[person]))], together)
            together.execute()


def with_pending(client: redis.Redis, among: Iterable[str] | None) -> list[str]:
    """Users with pending events: those of ``among``, or of everybody."""
    if among is None:
        prefix = keys.pending("")
        found = client.scan_iter(f"{prefix}*", count=10_000)
        return [name.decode().removeprefix(prefix) for name in found]
    people = list(among)
    there: list[str] = []
    for start in range(0, len(people), CHUNK):
        asked = people[start : start + CHUNK]
        values = cast("list[bytes | None]", client.mget([keys.pending(person) for person in asked]))
        there += [person for person, value in zip(asked, values, strict=True) if value is not None]
    return there


def write_products(
    client: redis.Redis,
    products: pl.DataFrame,
    *,
    epoch: int,
    ttl_days: int,
    at: int = 0,
    progress: Progress = lambda written: None,
) -> int:
    """Write product values, then announce them under ``epoch``; how many there were.

    A reader that has seen the announcement finds the values: they are written before it.

    Parameters
    ----------
    products
        product_id, category, and the product features by name: the products that changed.
    epoch
        Delta version of ``gold/product_features`` that they were read from.
    at
        The moment that they are the values of, UTC microseconds; 0 where nobody asks.
    """
    ids = products["product_id"].to_list()
    values = encode_products(feature_matrix(products, PRODUCT_FEATURES), _category_keys(products["category"]))
    _write(client, [keys.product(product_id) for product_id in ids], values, ttl_days, progress)
    announce(client, product_keys(ids), epoch, at)
    return len(ids)


def announce(client: redis.Redis, changed: UInt64s, epoch: int, at: int = 0) -> None:
    """Tell the service's workers that the values of the products ``changed`` are new, and of which moment."""
    whole = len(changed) > MOST_CHANGES
    batches = (
        [b""]
        if whole
        else [pack_keys(changed[at : at + KEYS_PER_ENTRY]) for at in range(0, len(changed), KEYS_PER_ENTRY)]
    )
    with client.pipeline(transaction=True) as together:
        for batch in batches:
            entry: dict[str | bytes, bytes | int] = {"epoch": epoch, "at": at, "keys": batch}
            together.xadd(keys.PRODUCT_CHANGES, entry, maxlen=ENTRIES, approximate=True)  # type: ignore[arg-type]
        together.set(keys.PRODUCT_EPOCH, epoch)
        together.execute()


def _write(
    client: redis.Redis, names: Sequence[str], values: Sequence[bytes], ttl_days: int, progress: Progress
) -> None:
    seconds = ttl_days * 86_400
    for start in range(0, len(names), CHUNK):
        chunk = range(start, min(start + CHUNK, len(names)))
        # a transaction is flushed to disk once, commands of their own whenever some have arrived
        with client.pipeline(transaction=True) as together:
            for row in chunk:
                together.set(names[row], values[row], ex=seconds)
            together.execute()
        progress(len(chunk))


def _category_keys(names: pl.Series) -> npt.NDArray[np.uint32]:
    known = names.cast(pl.String).drop_nulls().unique()
    packed = [category_key(name) for name in known]
    mapped = names.cast(pl.String).replace_strict(known, packed, default=0, return_dtype=pl.UInt32)
    return mapped.fill_null(0).to_numpy()


def _micros(times: pl.Series) -> Int64s:
    return times.cast(pl.Datetime("us", "UTC")).dt.timestamp("us").fill_null(0).to_numpy()


def _recent(people: pl.DataFrame, recents: pl.DataFrame) -> Recent:
    rows = (
        recents.join(people, on="user_id", how="inner", maintain_order="left")
        .sort("row", maintain_order=True)
        .filter(pl.int_range(pl.len()).reverse().over("row") < RECENT)
    )
    return Recent(
        _offsets(rows["row"], people.height),
        rows["product_key"].to_numpy(),
        rows["kind"].to_numpy(),
        rows["at"].to_numpy(),
    )


def _bought(people: pl.DataFrame, bought: pl.DataFrame) -> Bought:
    rows = (
        bought.join(people, on="user_id", how="inner").sort("row").explode("products").drop_nulls("products")
    )
    return Bought(_offsets(rows["row"], people.height), rows["products"].cast(pl.UInt64).to_numpy())


def _offsets(sorted_rows: pl.Series, n: int) -> Int64s:
    return np.searchsorted(sorted_rows.to_numpy(), np.arange(n + 1)).astype(np.int64)
