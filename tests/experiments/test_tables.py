"""From records of answers to exposures, results, and a variant that is stopped; real Delta, real Redis."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import redis

from reco_assets.experiments.board import Board, ramp, start
from reco_assets.experiments.definition import Variant
from reco_assets.experiments.metrics import guardrail
from reco_assets.experiments.outcomes import CROSSED, outcomes
from reco_assets.experiments.store import Store
from reco_assets.experiments.tables import EXPOSURES, RESULTS, build_exposures, build_results, found, guard
from reco_assets.platform.lake import Lake
from tests.builders import click, moment, purchase
from tests.experiments.answers import SILVER, answered, days, done
from tests.experiments.builders import NOON, experiment, started
from tests.online.conftest import redis_settings, store

__all__ = ["redis_settings", "store"]

DAY = date(2024, 5, 1)
AT = datetime(2024, 5, 1, 13, tzinfo=UTC)


def test_a_day_of_a_user_is_one_row_with_how_it_went(lake: Lake) -> None:
    answered(lake, ("u1", "control", AT), experiment="x")
    answered(lake, ("u1", "control", AT + timedelta(hours=2)), experiment="x", degraded=True, latency_ms=9.0)
    answered(lake, ("u1", "control", AT + timedelta(days=1)), ("u2", "blue", AT), experiment="x")
    clicked = pl.read_delta(lake.uri("gold/impressions")).with_columns(clicked=pl.col("position") == 0)
    lake.replace("gold/impressions", clicked.to_arrow())

    build_exposures(lake, DAY, DAY + timedelta(days=1))

    rows = lake.scan(EXPOSURES).sort("user_id", "event_date").collect()
    assert rows.select(
        "user_id", "variant", "event_date", "exposed_at", "answers", "fallbacks", "latency_ms", "impressions",
        "clicks",
    ).rows() == [
        ("u1", "control", DAY, AT, 2, 1, 12.5, 4, 2),
        ("u1", "control", DAY + timedelta(days=1), AT + timedelta(days=1), 1, 0, 3.5, 2, 1),
        ("u2", "blue", DAY, AT, 1, 0, 3.5, 2, 1),
    ]  # fmt: skip
    version = lake.version(EXPOSURES)
    build_exposures(lake, DAY, DAY + timedelta(days=1))
    assert lake.version(EXPOSURES) != version
    assert lake.scan(EXPOSURES).sort("user_id", "event_date").collect().equals(rows)


def test_an_answer_of_two_layers_is_an_exposure_to_both(lake: Lake) -> None:
    answered(lake, ("u1", "control", AT), experiment="x")
    answered(lake, ("u1", "blue", AT + timedelta(minutes=1)), experiment="y")
    build_exposures(lake, DAY, DAY)
    assert sorted(lake.scan(EXPOSURES).collect().select("experiment", "variant").rows()) == [
        ("x", "control"),
        ("y", "blue"),
    ]


def test_what_a_user_does_counts_from_the_exposure_and_what_they_did_before_explains(lake: Lake) -> None:
    answered(
        lake,
        ("u1", "blue", AT),
        ("u1", "blue", AT + timedelta(days=2)),
        ("u2", "control", AT),
        experiment="x",
    )
    done(
        lake,
        purchase("u1", "p1", at=AT - timedelta(days=3), price=7.0, quantity=2),  # before the experiment
        purchase("u1", "p1", at=AT - timedelta(days=30), price=100.0),  # too long before
        purchase("u1", "p2", at=AT - timedelta(minutes=20), price=50.0),  # before the exposure
        purchase("u1", "p3", at=AT + timedelta(hours=1), price=3.0, quantity=4),
        purchase("u1", "p3", at=AT + timedelta(days=1), price=1.0),
        click("u2", "p3", at=AT - timedelta(days=1)),
        purchase("u9", "p3", at=AT, price=1000.0),  # never exposed
    )
    build_exposures(lake, DAY, DAY + timedelta(days=3))
    users = outcomes(lake.scan(EXPOSURES), lake.scan(SILVER), NOON)
    assert users.select(
        "user_id", "variant", "user_days", "purchases", "revenue", "converted", "purchases_before",
        "revenue_before", "clicks_before",
    ).rows() == [
        ("u1", "blue", 2, 2, 13.0, 1, 1, 14.0, 0),
        ("u2", "control", 1, 0, 0.0, 0, 0, 0.0, 1),
    ]  # fmt: skip


def test_a_user_who_saw_both_is_left_out_and_counted(lake: Lake) -> None:
    answered(lake, ("u1", "blue", AT), ("u1", "control", AT + timedelta(hours=1)), experiment="x")
    done(lake, click("u1", "p1", at=AT))
    build_exposures(lake, DAY, DAY)
    assert outcomes(lake.scan(EXPOSURES), lake.scan(SILVER), NOON)["variant"].to_list() == [CROSSED]
    [told] = found(lake, started(experiment("x", Variant("blue"))), DAY)
    assert (told.crossed, told.users) == (1, {"control": 0, "blue": 0})


def shop(lake: Lake, spend: float, share: float = 0.5) -> None:
    """400 users over three days, of whom the treated spend ``spend`` and the others 10."""
    users = [(f"u{n}", "treatment" if n < 400 * share else "control") for n in range(400)]
    for at in days(AT, 3):
        answered(lake, *((user, variant, at) for user, variant in users), experiment="x")
        done(
            lake,
            *(
                purchase(
                    user, "p1", at=at + timedelta(hours=1),
                    price=(spend if variant == "treatment" else 10.0) + int(user[1:]) % 7,
                )
                for user, variant in users
            ),
        )  # fmt: skip
    build_exposures(lake, DAY, DAY + timedelta(days=2))


def test_a_variant_that_sells_less_is_stopped_with_the_reason(
    lake: Lake, store: redis.Redis, tmp_path: Path
) -> None:
    shop(lake, spend=5.0)
    kept = Store(store, tmp_path)
    rails = (guardrail("revenue_per_user:5%"), guardrail("latency_ms:20%"))
    kept.change(
        "start", NOON, lambda board: start(board, experiment("x", guardrails=rails), (0.5, 0.5), NOON)
    )

    written, known = build_results(lake, kept.read(), DAY, DAY + timedelta(days=2))
    lines = guard(kept, known, NOON + 99)

    assert written.rows == 9
    rows = lake.scan(RESULTS).filter(metric="revenue_per_user").sort("as_of").collect()
    assert rows["users"].to_list() == [200, 200, 200]
    assert rows["user_days"].to_list() == [400, 800, 1200]
    assert rows["verdict"].to_list() == ["worse"] * 3
    assert rows["lift"][2] == pytest.approx(-5 / 13, abs=0.01)
    assert len(lines) == 1
    assert lines[0].startswith("stopped treatment of x: guardrail revenue_per_user:5%: ")
    ended = kept.read().experiment("x")
    assert ended.stopped_at == NOON + 99
    assert "treatment: guardrail revenue_per_user" in ended.reason
    assert kept.history()[-1].done == lines[0]
    assert guard(kept, known, NOON + 100) == ()


def test_a_variant_that_sells_more_goes_on(lake: Lake, store: redis.Redis, tmp_path: Path) -> None:
    shop(lake, spend=12.0)
    kept = Store(store, tmp_path)
    rails = (guardrail("revenue_per_user:5%"),)
    kept.change(
        "start", NOON, lambda board: start(board, experiment("x", guardrails=rails), (0.5, 0.5), NOON)
    )
    _, [told] = build_results(lake, kept.read(), DAY + timedelta(days=2), DAY + timedelta(days=2))
    assert {one.metric: one.verdict for one in told.comparisons}["revenue_per_user"] == "better"
    assert told.trusted
    assert guard(kept, (told,), NOON + 1) == ()
    assert kept.read().experiment("x").running


def test_users_who_are_not_divided_as_planned_are_found(lake: Lake) -> None:
    shop(lake, spend=10.0, share=0.3)
    [told] = found(lake, started(experiment("x")), DAY + timedelta(days=2))
    assert not told.trusted


def test_each_phase_is_judged_for_itself(lake: Lake) -> None:
    shop(lake, spend=5.0)
    answered(lake, ("u1", "treatment", AT + timedelta(days=3)), experiment="x", phase=2)
    build_exposures(lake, DAY + timedelta(days=3), DAY + timedelta(days=3))
    changed = NOON + 3 * 86_400_000_000
    board = ramp(started(experiment("x"), shares=(0.4, 0.4)), "x", {"treatment": 0.5}, changed)
    assert found(lake, board, DAY + timedelta(days=2)) == ()
    [told] = found(lake, board, DAY + timedelta(days=3))
    assert (told.phase, told.users) == (2, {"control": 0, "treatment": 1})


def test_nothing_is_told_of_what_has_ended_or_of_a_shop_without_experiments(lake: Lake) -> None:
    assert found(lake, Board(), DAY) == ()
    shop(lake, spend=10.0)
    board = started(experiment("x"))
    assert len(found(lake, board, moment("2024-04-30").date())) == 0
