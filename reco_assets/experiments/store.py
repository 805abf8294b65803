"""Where the experiments are kept: one value in Redis for all who need it, and every change in a file.

Workers of the service look at the version once a second. Redis may lose its data: the next change begins
from the last line of the history in the home folder, and a worker goes on with what it last knew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, cast

import msgspec
import redis
from msgspec import Struct

from reco_assets.errors import MissingDependency
from reco_assets.experiments.board import Board
from reco_assets.online import keys
from reco_assets.platform.redis import redis_shown
from reco_assets.platform.settings import Settings

_DECODER: Final = msgspec.json.Decoder(Board)


class Change(Struct, frozen=True):
    """One line of the history: when (UTC microseconds), what was done, and what was so afterwards."""

    at: int
    done: str
    board: Board


@dataclass(frozen=True)
class Store:
    """The experiments of the shop at ``settings``.

    Attributes
    ----------
    folder
        Where the history lies.
    """

    client: redis.Redis
    folder: Path
    address: str = ""

    @classmethod
    def of(cls, settings: Settings, client: redis.Redis) -> Self:
        """The store in the Redis of ``client``, with its history in the home folder."""
        return cls(client, folder(settings), redis_shown(settings))

    def read(self) -> Board:
        """All experiments; raises MissingDependency where Redis does not answer."""
        try:
            written = cast("bytes | None", self.client.get(keys.EXPERIMENTS))
        except redis.RedisError as error:
            raise self._away(error) from error
        return _DECODER.decode(written) if written is not None else self._last()

    def change(self, done: str, at: int, change: Callable[[Board], Board]) -> Board:
        """Put ``change`` of the newest experiments in their place; what is so now.

        Whoever changes them meanwhile is not overwritten: ``change`` is asked again. Raises what
        ``change`` raises, and MissingDependency.
        """
        try:
            while True:
                with self.client.pipeline() as pipe:
                    pipe.watch(keys.EXPERIMENTS)  # type: ignore[no-untyped-call]
                    written = cast("bytes | None", pipe.get(keys.EXPERIMENTS))
                    board = change(_DECODER.decode(written) if written is not None else self._last())
                    pipe.multi()
                    pipe.set(keys.EXPERIMENTS, msgspec.json.encode(board))
                    pipe.set(keys.EXPERIMENTS_VERSION, board.version)
                    try:
                        pipe.execute()
                    except redis.WatchError:
                        continue
                self._note(Change(at, done, board))
                return board
        except redis.RedisError as error:
            raise self._away(error) from error

    def history(self) -> tuple[Change, ...]:
        """Every change made from this home, the first one first."""
        path = self._path
        lines = path.read_bytes().splitlines() if path.exists() else []
        return tuple(msgspec.json.decode(line, type=Change) for line in lines if line)

    @property
    def _path(self) -> Path:
        return self.folder / "history.jsonl"

    def _last(self) -> Board:
        changes = self.history()
        return changes[-1].board if changes else Board()

    def _note(self, change: Change) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(change) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _away(self, error: redis.RedisError) -> MissingDependency:
        return MissingDependency(
            f"asking Redis at {self.address} for the experiments: {error}",
            hint="is it up? `reco up` starts the embedded one; the service goes on with what it knows",
        )


def folder(settings: Settings) -> Path:
    """Folder of the experiments' files."""
    return settings.home / "experiments"


def newer(client: redis.Redis, version: int) -> Board | None:
    """The experiments where they are not of ``version``; None where they are, or where Redis has none.

    Raises redis.RedisError.
    """
    told = cast("bytes | None", client.get(keys.EXPERIMENTS_VERSION))
    if told is None or int(told) == version:
        return None
    written = cast("bytes | None", client.get(keys.EXPERIMENTS))
    return _DECODER.decode(written) if written is not None else None


def keep(path: Path, board: Board) -> None:
    """Write ``board`` to ``path`` as a whole, for a service that starts without Redis."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(msgspec.json.encode(board))
    partial.replace(path)


def kept(path: Path) -> Board:
    """What :func:`keep` wrote last; an empty board where it never did."""
    return _DECODER.decode(path.read_bytes()) if path.exists() else Board()
