"""Where the chaos run kills: whom, and at which observed moment of the work that is under way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final, cast

import redis

from benchmarks.supervised import Supervised, kill_redis, revive_redis
from reco_assets.events.contract import EVENTS, QUARANTINE
from reco_assets.features.meaning import FOLLOWING
from reco_assets.features.pipeline import PRODUCT_FEATURES
from reco_assets.online import keys
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.redis_stream import partition_key

#: Tables in which the follower is killed.
TABLES: Final = (EVENTS, QUARANTINE, *FOLLOWING)
#: A moment that does not come within so many seconds is not waited for any longer.
PATIENCE_SECONDS: Final = 40.0
_PAUSE_SECONDS: Final = 0.000_1
#: Users whose values are watched.
_WATCHED: Final = 20


@dataclass(frozen=True)
class Stage:
    """All that can be killed, and what is looked at to find the moment."""

    settings: Settings
    service: Supervised
    follower: Supervised
    dice: random.Random

    def table(self, name: str) -> Path:
        """Folder of a table."""
        return Path(self.settings.lake_root) / name

    def wait(self, most: float) -> None:
        """Let the work go on for a moment, any up to ``most`` seconds."""
        time.sleep(self.dice.uniform(0.0, most))


#: Kills somebody at some moment; returns what was hit, as the report names it.
Point = Callable[[Stage], str]


def points(dice: random.Random) -> Iterator[Point]:
    """Kill points without end: the follower at its writes, the service, Redis, all, in turn."""
    tables = [list(TABLES), list(TABLES)]
    for order in tables:
        dice.shuffle(order)
    written = cycle([_written(name) for name in tables[0]])
    committed = cycle([_committed(name) for name in tables[1]])
    service = cycle([service_with_a_spool, service_at_a_write, service_any, service_draining])
    store = cycle([redis_after_the_drain, redis_any, redis_while_online, redis_twice])
    online = cycle([online_half, online_begun])
    everything = cycle([everything_any, everything_at_a_write])
    for kind in cycle((written, committed, service, store, written, online, committed, everything)):
        yield next(cast("Iterator[Point]", kind))


def _written(name: str) -> Point:
    def point(stage: Stage) -> str:
        before = version(stage.table(name))
        reached = _soon(_grown(stage.table(name)))
        stage.follower.kill()
        if not reached:
            return f"{stage.follower.name}: while {name} was waited for in vain"
        if version(stage.table(name)) > before:
            return f"{stage.follower.name}: {name} just committed"
        return f"{stage.follower.name}: data of {name} written, not committed"

    return point


def _committed(name: str) -> Point:
    def point(stage: Stage) -> str:
        reached = _soon(_advanced(stage.table(name)))
        stage.follower.kill()
        return f"{stage.follower.name}: {name} {'just committed' if reached else 'waited for in vain'}"

    return point


def online_half(stage: Stage) -> str:
    """The values of users are written; those of products, and the mark that says so, are not."""
    with connect(stage.settings) as client:
        people = [keys.user(f"u{number}") for number in range(_WATCHED)]
        before, mark = client.mget(people), client.get(keys.ONLINE_MARK)
        reached = _soon(lambda: client.mget(people) != before)
        stage.follower.kill()
        if not reached:
            return f"{stage.follower.name}: the online store waited for in vain"
        told = client.get(keys.ONLINE_MARK) != mark
    return f"{stage.follower.name}: values of users written{', just done' if told else ', of products not'}"


def online_begun(stage: Stage) -> str:
    """Every table is committed, and the online store not brought up to date, or in part."""
    with connect(stage.settings) as client:
        mark = client.get(keys.ONLINE_MARK)
        reached = _soon(_advanced(stage.table(PRODUCT_FEATURES)))
        stage.wait(0.3)
        stage.follower.kill()
        told = client.get(keys.ONLINE_MARK) != mark
    if not reached:
        return f"{stage.follower.name}: the last table waited for in vain"
    return f"{stage.follower.name}: between lake and online store{', just done' if told else ''}"


def service_any(stage: Stage) -> str:
    """Whatever the service is doing."""
    stage.wait(2.0)
    stage.service.kill()
    return "service: at any moment"


def service_at_a_write(stage: Stage) -> str:
    """The stream has taken a batch; whether the client is told is open."""
    with connect(stage.settings) as client:
        before = _taken(client, stage.settings)
        _soon(lambda: _taken(client, stage.settings) != before)
        stage.service.kill()
    return "service: the stream has taken a batch, around the answer"


def service_with_a_spool(stage: Stage) -> str:
    """The stream is down and events wait on disk: they outlive the process."""
    kill_redis(stage.settings)
    reached = _soon(lambda: spooled(stage.settings) > 0)
    stage.wait(0.5)
    waits = spooled(stage.settings) > 0
    stage.service.kill()
    return f"service: Redis killed, {'events wait in the spool' if reached and waits else 'nothing spooled'}"


def service_draining(stage: Stage) -> str:
    """The stream is back, and the spool is being brought into it."""
    kill_redis(stage.settings)
    _soon(lambda: spooled(stage.settings) > 0)
    stage.wait(1.0)
    revive_redis(stage.settings)
    with connect(stage.settings) as client:
        before = _taken(client, stage.settings)
        _soon(lambda: _taken(client, stage.settings) != before)
    waits = spooled(stage.settings) > 0
    stage.service.kill()
    return f"service: Redis back, the spool {'being' if waits else 'just'} drained"


def redis_any(stage: Stage) -> str:
    """Whatever Redis is doing."""
    stage.wait(2.0)
    kill_redis(stage.settings)
    return "redis: at any moment"


def redis_after_the_drain(stage: Stage) -> str:
    """The records are in the lake, and the stream has perhaps not forgotten them."""
    _soon(_advanced(stage.table(EVENTS)))
    kill_redis(stage.settings)
    return "redis: raw/events committed, the stream not trimmed"


def redis_while_online(stage: Stage) -> str:
    """The online store is being written."""
    _soon(_advanced(stage.table(PRODUCT_FEATURES)))
    stage.wait(0.3)
    kill_redis(stage.settings)
    return "redis: while the online store is refreshed"


def redis_twice(stage: Stage) -> str:
    """Again while it is coming up."""
    kill_redis(stage.settings)
    revive_redis(stage.settings)
    stage.wait(0.1)
    kill_redis(stage.settings)
    return "redis: twice, the second time when just back"


def everything_any(stage: Stage) -> str:
    """As if the machine's power were cut."""
    stage.wait(2.0)
    _everything(stage)
    return "everything at once: at any moment"


def everything_at_a_write(stage: Stage) -> str:
    """As if the machine's power were cut while data is written."""
    _soon(_grown(stage.table(EVENTS)))
    _everything(stage)
    return "everything at once: raw/events being written"


def _everything(stage: Stage) -> None:
    stage.follower.kill()
    stage.service.kill()
    kill_redis(stage.settings)


def version(table: Path) -> int:
    """Newest version of a table, by its folder; -1 where there is none."""
    names = [path.name for path in (table / "_delta_log").glob("*.json")]
    return max((int(name.removesuffix(".json")) for name in names if name[:1].isdigit()), default=-1)


def spooled(settings: Settings) -> int:
    """Bytes in the files of all spools."""
    total = 0
    for path in (settings.home / "spool").glob("*/*.log"):
        with suppress(FileNotFoundError):  # it has just been drained
            total += path.stat().st_size
    return total


def _advanced(table: Path) -> Callable[[], bool]:
    """Whether a commit has come since now."""
    following = table / "_delta_log" / f"{version(table) + 1:020d}.json"
    return following.exists


def _grown(table: Path) -> Callable[[], bool]:
    """Whether a data file has come, or begun, since now."""
    folders = [table, *(path for path in table.glob("*=*") if path.is_dir())]
    known = [(path, path.stat().st_mtime_ns) for path in folders]
    # a day's folder is new once a day, which changes the table's own
    return lambda: any(path.stat().st_mtime_ns != then for path, then in known)


def _taken(client: redis.Redis, settings: Settings) -> str | None:
    """Place of the newest record of the first partition; None where Redis does not answer."""
    try:
        told = cast("dict[str, object]", client.xinfo_stream(partition_key(settings.stream_name, 0)))
    except redis.RedisError:
        return None
    return str(told["last-generated-id"])


def _soon(reached: Callable[[], object]) -> bool:
    """Look again and again; false where it has not come in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with suppress(redis.RedisError, FileNotFoundError):
            if reached():
                return True
        time.sleep(_PAUSE_SECONDS)
    return False
