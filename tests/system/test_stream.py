"""The stream as a whole: killed under load, and fed with a shop's real log."""

from __future__ import annotations

from pathlib import Path

from benchmarks import chaos, replay


def test_whoever_is_killed_whenever_every_accepted_event_is_in_the_lake_once(tmp_path: Path) -> None:
    found = chaos.run(tmp_path, count=6, seed=1)

    assert {name: found[name] for name in chaos.FAULTS} == dict.fromkeys(chaos.FAULTS, 0)
    assert found["kill_points"] == 6
    assert found["accepted"] == found["in_lake"]
    assert isinstance(found["accepted"], int)
    assert found["accepted"] > 1_000
    hits = found["hits"]
    assert isinstance(hits, dict)
    assert {hit.split(":")[0] for hit in hits} == {"reco stream", "Dagster run", "service", "redis"}


def test_a_log_replayed_through_the_service_gives_the_tables_of_its_import(
    tmp_path: Path, shared_data: Path
) -> None:
    found = replay.run(tmp_path, shared_data / "rees46_2019_oct_fragment.csv.gz", speed=1_000.0)

    assert (found["tables_that_differ"], found["table_differences"], found["rejected"]) == ([], 0, 0)
    assert isinstance(found["commits_to_raw_events"], int)
    assert found["commits_to_raw_events"] > 1
    assert isinstance(found["events"], int)
    assert found["events"] > 17_000
