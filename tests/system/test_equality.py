"""What the service computed is what training computes: a small version of ``benchmarks.equality``."""

from __future__ import annotations

from pathlib import Path

from benchmarks import equality


def test_logged_decisions_are_made_again_to_the_bit_from_the_tables_alone(tmp_path: Path) -> None:
    found = equality.run(
        tmp_path, decisions=400, users=150, products=120, days=8, closings=0, late=0.0, seed=1
    )
    assert found["causes"] == {}
    assert (found["equal"], found["different"]) == (found["decisions"], 0)
    assert isinstance(found["decisions"], int)
    assert found["decisions"] >= 400
    assert isinstance(found["pending_states"], int)
    assert found["pending_states"] > 50
    assert isinstance(found["users"], int)
    assert found["users"] > 50
