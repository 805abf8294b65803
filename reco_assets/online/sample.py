"""A few of the people that the online store knows, for trying something out on them."""

from __future__ import annotations

from itertools import islice
from typing import cast

import redis

from reco_assets.catalogue.items import ItemTable
from reco_assets.online import keys
from reco_assets.online.codec import decode_user
from reco_assets.recommender.types import UserState

#: Keys that Redis looks at in one step.
_STEP = 1_000


def sample_users(client: redis.Redis, items: ItemTable, most: int) -> list[UserState]:
    """Up to ``most`` users as they are at this moment; which, is as good as chance.

    Redis names keys in the order of their hashes. Raises redis.RedisError, and IncompatibleBundle where
    the values were written by another version of the code.
    """
    names = list(islice(client.scan_iter(match=f"{keys.user('')}*", count=_STEP), most))
    values = cast("list[bytes | None]", client.mget(names)) if names else []
    return [decode_user(value, items) for value in values if value is not None]
