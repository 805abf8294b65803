"""The interaction log: dense rows in the order of person and time."""

from __future__ import annotations

from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog, interaction_log
from tests.builders import click, events, impression, moment, purchase, search
from tests.candidates.shops import shop

ITEMS = shop("p1", "p2")


def load() -> InteractionLog:
    return interaction_log(
        events(
            purchase("zoe", "p1", at="2024-05-01T12:09"),
            click("ann", "p2", at="2024-05-01T12:30", event_id="b"),
            click("ann", "p1", at="2024-05-01T12:30", event_id="a"),
            click("ann", "p2", at="2024-05-01T12:03"),
            click("ann", "unlisted", at="2024-05-01T12:04"),
            impression("ann", "p1", at="2024-05-01T12:05"),
            search("bob", "boots", at="2024-05-01T12:06"),
        ).lazy(),
        ITEMS,
    )


def test_events_are_sorted_by_person_then_time_then_id() -> None:
    log = load()
    assert log.user_ids.to_list() == ["ann", "zoe"]  # bob touched no product
    assert log.user.tolist() == [0, 0, 0, 1]
    assert log.item.tolist() == [1, 0, 1, 0]
    assert log.kind.tolist() == [EventType.click] * 3 + [EventType.purchase]
    assert log.user_bounds.tolist() == [0, 3, 4]
    columns = (log.user, log.item, log.kind, log.time)
    assert [column.dtype.name for column in columns] == ["int32", "int32", "int8", "int64"]


def test_before_is_strict_and_between_is_half_open() -> None:
    log = load()
    noon = int(moment("2024-05-01T12:09").timestamp() * 1_000_000)
    assert len(log.before(noon)) == 1
    assert log.between(noon, noon + 1).kind.tolist() == [EventType.purchase]
    assert log.before(noon).n_items == 2


def test_an_empty_table_is_an_empty_log() -> None:
    log = interaction_log(events().lazy(), ITEMS)
    assert len(log) == 0
    assert log.user_bounds.tolist() == [0]
