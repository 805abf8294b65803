"""What is asked of a shop's log: who, and for which products."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from benchmarks.quality.periods import (
    Period,
    asked_period,
    days_of,
    discovery,
    micros,
    purchases,
    session_steps,
)
from benchmarks.quality.shop_files import LOG_SCHEMA, open_files, read_log
from reco_assets.errors import BadInput
from tests.builders import Event, add_to_cart, click, events, purchase

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def log_of(*rows: Event) -> pl.DataFrame:
    return events(*rows).select(list(LOG_SCHEMA)).sort("timestamp", maintain_order=True)


def period(first: str, last: str) -> Period:
    return Period(micros(datetime.fromisoformat(first)), micros(datetime.fromisoformat(last)))


SPLIT = period("2024-05-10", "2024-05-12")


def test_purchases_may_repeat_and_newcomers_are_a_segment_of_their_own() -> None:
    log = log_of(
        purchase("known", "tea", at="2024-05-01"),
        purchase("known", "tea", at="2024-05-10"),
        purchase("known", "cup", at="2024-05-11"),
        purchase("known", "cup", at="2024-05-11T10:00"),
        click("known", "pot", at="2024-05-11"),
        purchase("stranger", "pot", at="2024-05-11"),
        purchase("known", "pan", at="2024-05-12"),
    )
    assert purchases(log, SPLIT).rows() == [("known", ["cup", "tea"], "cold"), ("stranger", ["pot"], "new")]


def test_discovery_is_what_the_person_had_not_met_in_any_way() -> None:
    log = log_of(
        click("u", "tea", at="2024-05-01"),
        purchase("u", "tea", at="2024-05-10"),
        add_to_cart("u", "cup", at="2024-05-11"),
        click("v", "tea", at="2024-05-01"),
        click("v", "tea", at="2024-05-11"),
        click("w", "tea", at="2024-05-11"),
    )
    assert discovery(log, SPLIT).rows() == [("u", ["cup"], ["tea"], "cold"), ("w", ["tea"], [], "new")]


def test_segments_begin_at_1_5_and_50_events_before_the_split() -> None:
    past = [
        click(f"u{count}", f"p{n}", at=f"2024-05-01T{n // 60:02}:{n % 60:02}")
        for count in (1, 4, 5, 49, 50)
        for n in range(count)
    ]
    later = [purchase(f"u{count}", "tea", at="2024-05-10") for count in (0, 1, 4, 5, 49, 50)]
    found = purchases(log_of(*past, *later), SPLIT)
    assert dict(found.select("user_id", "segment").rows()) == {
        "u0": "new", "u1": "cold", "u4": "cold", "u5": "light", "u49": "light", "u50": "heavy",
    }  # fmt: skip


def asked_steps(log: pl.DataFrame) -> list[tuple[str, list[str], str]]:
    rows, steps = session_steps(log, SPLIT)
    return [
        (step["user_id"], rows["product_id"][step["begin"] : step["end"]].to_list(), step["wanted"][0])
        for step in steps.iter_rows(named=True)
    ]


def test_a_named_session_is_asked_at_each_step_to_another_product() -> None:
    log = log_of(
        click("u", "old", at="2024-05-09T23:59", session_id="s"),
        click("u", "a", at="2024-05-10T10:00", session_id="s"),
        add_to_cart("u", "a", at="2024-05-10T10:01", session_id="s"),
        click("u", "b", at="2024-05-10T12:00", session_id="s"),
        click("u", "c", at="2024-05-10T12:01", session_id="other"),
        click("u", "a", at="2024-05-10T12:02", session_id="s"),
    )
    assert asked_steps(log) == [("u", ["a", "a"], "b"), ("u", ["a", "a", "b"], "a")]


def test_without_names_a_pause_of_half_an_hour_ends_a_session() -> None:
    log = log_of(
        click("u", "a", at="2024-05-10T10:00"),
        click("v", "x", at="2024-05-10T10:10"),
        click("u", "b", at="2024-05-10T10:30"),
        click("u", "c", at="2024-05-10T11:00:01"),
        click("u", "d", at="2024-05-10T11:01"),
    )
    assert asked_steps(log) == [("u", ["a"], "b"), ("u", ["c"], "d")]


def test_events_of_one_moment_have_no_order_that_is_asked_for() -> None:
    log = log_of(
        click("u", "a", at="2024-05-10"), click("u", "b", at="2024-05-10"), click("u", "c", at="2024-05-10")
    )
    assert asked_steps(log) == []


def test_the_default_split_is_the_midnight_after_four_fifths() -> None:
    log = log_of(click("u", "a", at="2024-05-01T09:00"), click("u", "b", at="2024-05-11T09:00"))
    assert asked_period(log).first == micros(date(2024, 5, 10))
    hours = log_of(click("u", "a", at="2024-05-01T09:00"), click("u", "b", at="2024-05-01T11:02"))
    assert asked_period(hours).first == micros(datetime(2024, 5, 1, 10, 40))


def test_a_split_outside_of_the_log_says_what_the_log_spans() -> None:
    log = log_of(click("u", "a", at="2024-05-01"), click("u", "b", at="2024-05-11"))
    for day in (date(2024, 5, 1), date(2024, 5, 12)):
        with pytest.raises(BadInput, match="2024-05-01 00:00 to 2024-05-11 00:00"):
            asked_period(log, micros(day))
    assert asked_period(log, micros(date(2024, 5, 5)), days=2).last == micros(date(2024, 5, 7))


def test_days_go_from_midnight_to_midnight_and_cover_the_period() -> None:
    found = days_of(period("2024-05-10T14:00", "2024-05-12T00:00:01"))
    midnights = [micros(date(2024, 5, day)) for day in (11, 12)]
    assert [(one.first, one.last) for one in found] == [
        (micros(datetime(2024, 5, 10, 14)), midnights[0]),
        (midnights[0], midnights[1]),
        (midnights[1], midnights[1] + 1_000_000),
    ]


def test_tmall_has_the_populations_of_the_published_comparison(shared_data: Path) -> None:
    files = open_files([shared_data / "tmall2014_events.csv.gz"], "tmall2014")
    log = read_log(files, NOW, lambda told: None)
    assert len(log) == 182_880
    split = asked_period(log, micros(date(2013, 7, 15)))
    bought = purchases(log, split).filter(pl.col("segment") != "new")
    assert (len(bought), bought["wanted"].list.len().sum()) == (522, 1_378)
    met = discovery(log, split).filter(pl.col("segment") != "new")
    assert (len(met), met["wanted"].list.len().sum()) == (796, 15_283)
