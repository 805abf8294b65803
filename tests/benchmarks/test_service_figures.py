"""What the benchmarks of overload and of swaps make of the answers that visitors saw."""

from __future__ import annotations

from benchmarks import overload, swap
from benchmarks.visitors import Seen

DURING, AFTER = 10.0, 5.0


def seen(due: float, milliseconds: float = 5.0, status: int = 200, rung: str = "full") -> Seen:
    return Seen(due, milliseconds, status, rung if status == 200 else "", "normal")


def every_tenth_second(start: float, seconds: float, **what: object) -> list[Seen]:
    return [seen(start + number / 10, **what) for number in range(round(10 * seconds))]  # type: ignore[arg-type]


def test_an_overload_is_judged_by_what_came_in_time_or_was_refused() -> None:
    answers = every_tenth_second(0.0, DURING)
    answers[10:20] = every_tenth_second(1.0, 1.0, status=429)
    answers[20:30] = every_tenth_second(2.0, 1.0, milliseconds=150.0)
    answers += every_tenth_second(DURING, 2.0, rung="popular") + every_tenth_second(DURING + 2.0, AFTER)
    found = overload.figures(answers, capacity=5.0, seconds=DURING)
    assert found["answered_under_100ms_or_429_share"] == 0.9
    assert found["answered_after_100ms"] == 10
    assert found["goodput_share_of_capacity"] == 80 / DURING / 5.0
    assert found["recovery_seconds"] == 2.0
    assert (found["errors_5xx"], found["refused_share"]) == (0, 0.1)
    assert (found["normal_refused_share"], found["high_refused_share"]) == (0.1, 0.0)


def test_what_never_recovers_has_no_time_of_recovery() -> None:
    answers = every_tenth_second(0.0, DURING) + every_tenth_second(DURING, 15.0, rung="popular")
    assert overload.figures(answers, 5.0, DURING)["recovery_seconds"] is None


def test_a_swap_is_judged_against_the_time_before_it() -> None:
    answers = every_tenth_second(0.0, 10.0) + every_tenth_second(10.0, 3.0, milliseconds=10.0)
    answers += [seen(13.5, status=503)]
    found = swap.figures(answers, felt=[(10.0, 13.0)])
    assert (found["p99_ms"], found["swap_p99_ms"], found["p99_ratio"]) == (5.0, 10.0, 2.0)
    assert (found["failed"], found["failed_statuses"]) == (1, [503])
