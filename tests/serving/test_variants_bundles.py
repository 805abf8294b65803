"""The bundles of experiments pass what a champion passes; a broken one is nobody's trouble but its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis

from reco_assets.candidates.sources import BLEND
from reco_assets.experiments.board import Board, start, stop
from reco_assets.experiments.definition import Experiment, Variant
from reco_assets.experiments.store import Store
from reco_assets.platform.registry import Champion, Registry
from reco_assets.platform.settings import Settings
from reco_assets.platform.versions import find
from reco_assets.recommender.bundle import Bundle
from reco_serving import own_bundles
from reco_serving.backlog import Backlog
from reco_serving.choices import DEFAULT
from reco_serving.current import Current
from reco_serving.metrics import Metrics
from reco_serving.own_bundles import RETRY_SECONDS, OwnBundles
from reco_serving.variants import Variants
from tests.experiments.builders import experiment
from tests.online.conftest import redis_settings, store
from tests.serving.bundles import bundle, damage
from tests.serving.conftest import until

__all__ = ["redis_settings", "store"]

USERS = [f"user-{number}" for number in range(60)]


@dataclass
class Worker:
    """The part of a worker that holds bundles, over a real registry, in which version 1 serves."""

    registry: Registry
    current: Current
    variants: Variants
    board: Store
    folder: Path

    def register(self, made: Bundle) -> str:
        """Its version in the registry."""
        run = self.registry.client().create_run(self.registry.experiment("tests"))
        return self.registry.register_bundle(made.save(self.folder / made.version), run.info.run_id)

    def promote(self, version: str) -> None:
        """Let a version serve."""
        self.registry.promote(version, time.time_ns() // 1_000_000)
        self.current.look(self.board.client)
        assert self.current.loaded is not None
        assert self.current.loaded.champion.version == version

    def change(self, change: Callable[[Board], Board]) -> None:
        """Change the experiments."""
        self.board.change("changed", 1, change)

    def begin(self, name: str, version: str) -> None:
        """Begin an experiment, a tenth of the users in each variant, one of which has its own bundle."""
        made = experiment(name, Variant("next", version))
        self.change(lambda board: start(board, made, (0.1, 0.1), 1))

    def looked_until(self, true: Callable[[], bool], what: str) -> None:
        """Look again and again."""

        def look() -> bool:
            self.variants.look(self.board.client)
            return true()

        until(look, what)

    def shown(self) -> set[str]:
        """Variants that the users are shown now."""
        assert self.current.loaded is not None
        return {self.variants.of(user, self.current.loaded).variant for user in USERS}

    def openings(self, outcome: str) -> int:
        """How many bundles were ``opened`` or ``refused``."""
        return int(self.current.metrics.guards.openings.labels(outcome)._value.get())


@pytest.fixture
def worker(redis_settings: Settings, store: redis.Redis, metrics: Metrics, tmp_path: Path) -> Worker:
    settings = redis_settings.model_copy(update={"home": tmp_path / "home"})
    current = Current(settings, metrics, Backlog(settings, metrics))
    made = Worker(
        Registry(settings), current, Variants(current), Store.of(settings, store), tmp_path / "made"
    )
    made.promote(made.register(bundle("one")))
    return made


def spoilt() -> Bundle:
    """A bundle of which nothing is wrong yet."""
    return bundle("spoilt")


def no_number() -> Bundle:
    """A bundle whose scores are none."""
    made = bundle("no number")
    return replace(made, manifest=replace(made.manifest, blend=(float("nan"),) * len(BLEND)))


def nowhere() -> Bundle:
    """A bundle whose popular products are not among its products: it fails while it is warmed."""
    made = bundle("nowhere")
    popular = made.popular
    retrievers = {**made.sources.retrievers, "popular": replace(popular, ranked=popular.ranked + 10_000)}
    return replace(made, sources=replace(made.sources, retrievers=retrievers))


def torn(folder: Path) -> None:
    """Cut an array short, in a bundle from before there were checksums: numpy cannot load it."""
    (folder / "checksums.json").unlink()
    file = folder / "arrays" / "product_matrix.npy"
    file.write_bytes(file.read_bytes()[:-8])


def untouched(folder: Path) -> None:
    """Leave it as it was made."""


@pytest.mark.parametrize(
    ("made", "spoil", "why"),
    [
        (spoilt, damage, "product_matrix.npy is not what was written"),
        (spoilt, torn, "ValueError: "),
        (nowhere, untouched, "IndexError"),
        (no_number, untouched, "a score is not finite"),
    ],
    ids=["flipped", "torn", "fails while warming", "no number"],
)
def test_a_bundle_that_may_not_serve_stays_closed_and_all_others_go_on(
    worker: Worker, made: Callable[[], Bundle], spoil: Callable[[Path], None], why: str
) -> None:
    broken, good = worker.register(made()), worker.register(bundle("good"))
    spoil(worker.registry.folder(broken))
    worker.begin("broken", broken)
    worker.begin("good", good)
    worker.begin("ending", good)
    worker.looked_until(lambda: len(worker.variants.opened) == 1, "the whole one is open")
    assert worker.variants.trouble is not None
    assert worker.variants.trouble.startswith(f"version {broken} is refused: ")
    assert why in worker.variants.trouble
    assert worker.shown() == {DEFAULT, "good:control", "good:next", "ending:control", "ending:next"}

    worker.change(lambda board: stop(board, "ending", "enough", 2))
    worker.variants.look(worker.board.client)
    assert worker.shown() == {DEFAULT, "good:control", "good:next"}
    assert (worker.openings("opened"), worker.openings("refused")) == (1, 1)


def test_while_a_bundle_is_being_fetched_another_experiments_end_does_not_wait(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = worker.register(bundle("first")), worker.register(bundle("second"))
    worker.begin("running", first)
    worker.looked_until(lambda: "running:next" in worker.shown(), "it runs")
    here = threading.Event()

    def fetched(settings: Settings, version: str) -> Champion:
        here.wait()
        return find(settings, version)

    monkeypatch.setattr(own_bundles, "find", fetched)
    worker.begin("beginning", second)
    worker.variants.look(worker.board.client)
    worker.change(lambda board: stop(board, "running", "enough", 2))
    worker.variants.look(worker.board.client)
    assert worker.shown() == {DEFAULT}
    assert worker.variants.opened == ()
    here.set()
    worker.looked_until(lambda: "beginning:next" in worker.shown(), "it runs")


def test_a_refused_bundle_is_found_again_after_a_pause_and_tried_when_something_has_changed(
    worker: Worker,
) -> None:
    version = worker.register(bundle("mended"))
    file = worker.registry.folder(version) / "arrays" / "product_matrix.npy"
    whole = file.read_bytes()
    damage(worker.registry.folder(version))
    moments = [0.0]
    own = OwnBundles(worker.current, lambda: moments[0])

    def look() -> None:
        own.look(frozenset({version}), worker.board.client)
        own.stop()  # the one that was begun has ended
        own.look(frozenset({version}), worker.board.client)

    look()
    assert worker.openings("refused") == 1
    file.write_bytes(whole)
    moments[0] = RETRY_SECONDS - 0.1
    look()
    assert own.open == {}
    moments[0] = RETRY_SECONDS
    look()
    assert own.open.keys() == {version}
    assert own.trouble() is None

    own.look(frozenset(), worker.board.client)
    damage(worker.registry.folder(version))
    for number in range(3):
        moments[0] = 100.0 + number * RETRY_SECONDS
        look()
    assert own.open == {}
    assert own.trouble() is not None
    # nothing about it has changed after it was refused, so it was not read again
    assert worker.openings("refused") == 2


def test_a_bundle_that_the_policy_in_force_cannot_be_used_with_is_closed_until_it_can(
    worker: Worker,
) -> None:
    version = worker.register(bundle("other columns"))
    moments = [0.0]
    own = OwnBundles(worker.current, lambda: moments[0])

    def look() -> None:
        own.look(frozenset({version}), worker.board.client)
        own.stop()
        own.look(frozenset({version}), worker.board.client)

    look()
    assert own.open.keys() == {version}
    worker.current.policy.text = b"colour = 1"
    look()
    assert own.open == {}
    assert "colour" in str(own.trouble())
    worker.current.policy.text = b""
    moments[0] = RETRY_SECONDS
    look()
    assert own.open.keys() == {version}


def test_a_champion_that_an_experiment_names_is_held_once_and_stays_when_another_serves(
    worker: Worker,
) -> None:
    first = worker.current.loaded
    assert first is not None
    second = worker.register(bundle("two"))
    variants = (Variant("control", first.champion.version), Variant("next", second))
    pinned = Experiment(name="pinned", variants=variants)
    worker.change(lambda board: start(board, pinned, (0.5, 0.5), 1))
    worker.looked_until(lambda: worker.shown() == {"pinned:control", "pinned:next"}, "it runs")
    assert any(one is first for one in worker.variants.opened)
    assert worker.openings("opened") == 1

    worker.promote(worker.register(bundle("three")))
    worker.variants.look(worker.board.client)
    now = worker.current.loaded
    assert now is not None
    choices = [worker.variants.of(user, now) for user in USERS]
    assert all((one.loaded is first) == (one.variant == "pinned:control") for one in choices)

    worker.promote(second)
    worker.variants.look(worker.board.client)
    # the canary's own copy gives way to the one that serves everybody
    assert {id(one) for one in worker.variants.opened} == {id(first), id(worker.current.loaded)}
    worker.change(lambda board: stop(board, "pinned", "promoted", 2))
    worker.variants.look(worker.board.client)
    assert worker.variants.opened == ()
