"""A dependency that fails is left alone, tried after growing pauses, and asked again when it is well."""

from __future__ import annotations

from reco_serving.breaker import FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS, NEEDED, Breaker, State


def test_one_failure_opens_it_and_trials_that_go_well_close_it() -> None:
    seen: list[State] = []
    breaker = Breaker(seen.append)
    breaker.failed("it does not answer", now=0.0)
    assert (breaker.closed, breaker.trouble, breaker.pause) == (
        False,
        "it does not answer",
        FIRST_PAUSE_SECONDS,
    )
    for trial in range(NEEDED):
        breaker.trying()
        assert not breaker.closed
        breaker.went_well(now=1.0 + trial)
    assert (breaker.closed, breaker.trouble) == (True, None)
    assert seen == [State.open, State.half_open, State.closed]


def test_trials_that_fail_come_at_longer_and_longer_pauses() -> None:
    breaker = Breaker()
    breaker.failed("gone", now=0.0)
    pauses = []
    for trial in range(8):
        pauses.append(breaker.pause)
        breaker.trying()
        breaker.failed("still gone", now=float(trial))
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == MOST_PAUSE_SECONDS
    assert breaker.state is State.open


def test_a_trial_that_fails_begins_the_count_anew() -> None:
    breaker = Breaker()
    breaker.failed("gone", now=0.0)
    breaker.trying()
    breaker.went_well(now=1.0)
    breaker.failed("gone again", now=2.0)
    breaker.trying()
    for _ in range(NEEDED - 1):
        breaker.went_well(now=3.0)
    assert not breaker.closed


def test_whoever_flaps_is_left_alone_longer_and_whoever_was_well_is_forgiven() -> None:
    breaker = Breaker()

    def fail_and_mend(at: float) -> float:
        breaker.failed("gone", at)
        pause = breaker.pause
        for _ in range(NEEDED):
            breaker.trying()
            breaker.went_well(at + 1.0)
        return pause

    assert [fail_and_mend(at) for at in (0.0, 2.0, 4.0, 100.0)] == [0.1, 0.2, 0.4, 0.1]
