"""The three tasks as the papers define them: next of a session, next of a sequence, the rest of a set.

The files have an order but no times. Each task says which synthetic times stand for its order;
the question is always asked at ``ASKED``, after everything that is learned from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.quality.files import read
from benchmarks.quality.tasks import ASKED, DAY, MINUTE, Cases, Ragged, Task, shop_history
from reco_assets.errors import BadInput
from reco_assets.events.contract import EventType
from reco_assets.ranking.decisions import Objective
from reco_assets.ranking.split import Split
from reco_assets.recommender.types import RECENT

#: Days over which the sessions of a file are spread: the horizon of the engine's features.
SESSION_DAYS: Final = 30
#: Where the ranker's examples and their validation start, as shares of the training sessions.
TRAIN_FROM: Final = 0.85
VALIDATE_FROM: Final = 0.97
#: Share of the training pairs that is hidden to train the ranker, and to validate it without a file for that.
HIDDEN: Final = 0.1
#: More events than anybody has.
WHOLE: Final = 2**31
_SEED: Final = 7


def sessions(train: Path, test: Path, k: int = 20, recent: int = RECENT) -> Task:
    """Next item of a session: ``train`` has session, items; ``test`` prefix, target.

    Sessions are taken to be in the order of time and spread evenly over ``SESSION_DAYS`` days;
    their events are a minute apart.
    """
    learned = read(train, {"session": "key", "items": "ids"})
    asked = read(test, {"prefix": "ids", "target": "id"})
    span = SESSION_DAYS * DAY
    # a day on, so that the last session too has ended before the question is asked
    start = ASKED - span - DAY
    begins = start + pl.int_range(pl.len(), dtype=pl.Int64) * span // len(learned)
    lengths = pl.col("items").list.len().cast(pl.Int64)
    events = learned.select(
        pl.col("session").alias("user_id"),
        pl.col("items").alias("product_id"),
        begins.alias("begin"),
        pl.int_ranges(0, lengths).alias("place"),
    ).explode("product_id", "place")
    history = shop_history(
        events.select("user_id", "product_id", time=pl.col("begin") + pl.col("place") * MINUTE),
        EventType.click,
    )
    # questions of one session follow each other, each one item shorter
    shorter = pl.col("prefix").shift(1) == pl.concat_list("prefix", "target")
    group = asked.select(group=(~shorter).fill_null(True).cum_sum())["group"]
    return Task(
        name="sessions",
        history=history,
        split=Split(start + int(span * TRAIN_FROM), start + int(span * VALIDATE_FROM), ASKED, ASKED + DAY),
        learned_before=ASKED,
        cases=Cases(
            Ragged.of(asked["prefix"], history.items),
            Ragged.of(asked.select(pl.concat_list("target"))["target"], history.items),
            group.to_numpy().astype(np.int64),
        ),
        kind=EventType.click,
        gap=MINUTE,
        step=MINUTE,
        metrics={f"P@{k}": f"hit@{k}", f"MRR@{k}": f"mrr@{k}"},
        recent=recent,
        objective=Objective(only_next=True, open_page=True),
    )


def sequences(data: Path, learn_validation: bool = True, recent: int = RECENT) -> Task:
    """Next item of a person's sequence, leave-one-out: ``data`` has user, items.

    The last item is the test, the one before it the validation. The item ``n`` places from the end
    is ``n - 1`` days before the question. The validation item is part of the person's past at the
    test, as in the papers. With ``learn_validation`` the sources that answer the test have also learned
    from those items, as a shop learns every night from all that it knows; the ranker never has.
    """
    frame = read(data, {"user": "key", "items": "ids"})
    if frame["items"].list.len().lt(3).any():
        raise BadInput(
            f"reading {data}: column 'items' has a list of fewer than 3",
            hint="leave-one-out takes an item to learn from, one to validate and one to test",
        )
    lengths = pl.col("items").list.len().cast(pl.Int64)
    before = frame.select(
        pl.col("user").alias("user_id"),
        pl.col("items").list.head(lengths - 1).alias("product_id"),
        pl.int_ranges(lengths - 1, 0, -1).alias("ago"),
    )
    events = before.explode("product_id", "ago")
    history = shop_history(
        events.select("user_id", "product_id", time=ASKED - pl.col("ago") * DAY), EventType.purchase
    )
    return Task(
        name="sequences",
        history=history,
        split=Split(ASKED - 2 * DAY, ASKED - DAY, ASKED, ASKED + DAY),
        learned_before=ASKED if learn_validation else ASKED - DAY,
        cases=Cases(
            Ragged.of(before["product_id"], history.items),
            Ragged.of(frame["items"].list.tail(1), history.items),
            np.arange(len(frame), dtype=np.int64),
        ),
        kind=EventType.purchase,
        gap=DAY,
        step=DAY,
        metrics={"HR@10": "hit@10", "NDCG@10": "ndcg@10"},
        recent=recent,
        objective=Objective(only_next=True, open_page=True),
    )


def interactions(train: Path, test: Path, valid: Path | None = None, recent: int = WHOLE) -> Task:
    """The rest of a person's set: each file has user, items; the order of items means nothing.

    A random tenth of the training pairs stands two days before the question, to train the ranker
    on, the others three days before it. The validation is a day before it: ``valid``, which the
    sources never learn from, or without it a further tenth of the training pairs.
    """
    learned, asked = _pairs(train), _pairs(test)
    drawn = np.random.default_rng(_SEED).random(len(learned))
    ago = np.where(drawn < HIDDEN, 2, 3)
    if valid is None:
        ago[drawn >= 1.0 - HIDDEN] = 1
    events = learned.with_columns(ago=pl.Series(ago))
    if valid is not None:
        events = pl.concat([events, _pairs(valid).with_columns(ago=pl.lit(1, pl.Int64))])
    history = shop_history(
        events.select("user_id", "product_id", time=ASKED - pl.col("ago") * DAY), EventType.purchase
    )
    sets = [
        pairs.group_by("user_id", maintain_order=True).agg(pl.col("product_id").alias(name))
        for pairs, name in ((asked, "wanted"), (learned, "past"))
    ]
    questions = sets[0].join(sets[1], on="user_id", how="left", maintain_order="left")
    return Task(
        name="interactions",
        history=history,
        split=Split(ASKED - 2 * DAY, ASKED - DAY, ASKED, ASKED + DAY),
        learned_before=ASKED if valid is None else ASKED - DAY,
        cases=Cases(
            Ragged.of(questions["past"].fill_null([]), history.items),
            Ragged.of(questions["wanted"], history.items),
            np.arange(len(questions), dtype=np.int64),
        ),
        kind=EventType.purchase,
        gap=DAY,
        step=0,
        metrics={
            "Recall@10": "recall@10",
            "Recall@20": "recall@20",
            "NDCG@10": "ndcg@10",
            "NDCG@20": "ndcg@20",
        },
        recent=recent,
        objective=Objective(open_page=True),
    )


def _pairs(path: Path) -> pl.DataFrame:
    """Rows user_id, product_id, each pair once and in a random order."""
    frame = read(path, {"user": "key", "items": "ids"}).explode("items")
    pairs = frame.select(pl.col("user").alias("user_id"), pl.col("items").alias("product_id"))
    return pairs.unique(maintain_order=True).sample(fraction=1.0, shuffle=True, seed=_SEED)
