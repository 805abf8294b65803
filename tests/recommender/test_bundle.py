"""A bundle is one folder: what is saved answers the same, what is broken is refused by name."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost

from reco_assets.candidates.retriever import Scratch
from reco_assets.errors import IncompatibleBundle, MissingBundle
from reco_assets.features.catalogue import PRODUCT_FEATURES, RANKING_FEATURES, names
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.ranker import Ranker
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.related import similar, trending
from reco_assets.recommender.trees import Trees
from reco_assets.recommender.types import Decision, Policy, Request, UserState
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, bundle, state

SHOP = Shape(products=30, categories=6, events=300, sold_out=0.3, with_ranker=True, seed=1)
STOCK = names(PRODUCT_FEATURES).index("inventory_level")


def fresh(shape: Shape = SHOP) -> Bundle:
    """A bundle that a test may change."""
    made = bundle(shape)
    return Bundle(made.manifest, made.items, made.sources, made.product_matrix.copy(), made.ranker)


def people(n: int = 40) -> list[UserState]:
    rng = np.random.default_rng(5)
    return [
        state(30, rng.integers(0, 30, k % 20).tolist(), rng.choice([0, 1, 3], k % 20).tolist(), [k % 30])
        for k in range(n)
    ]


def answers(asked: Bundle) -> list[Decision]:
    return [recommend(Request(), person, asked, asked.policy, NOW) for person in people()]


@pytest.mark.parametrize("shape", [SHOP, replace(SHOP, with_ranker=False), replace(SHOP, products=0)])
def test_a_bundle_that_was_saved_answers_the_same_to_the_bit(shape: Shape, tmp_path: Path) -> None:
    made = fresh(shape)
    again = Bundle.load(made.save(tmp_path / "bundle"))
    if shape.products:
        assert answers(again) == answers(made)
        assert similar(3, again, 10, NOW) == similar(3, made, 10, NOW)
    assert trending(again, 10) == trending(made, 10)
    assert again.manifest == made.manifest
    assert again.version == "seed-1"
    assert (again.created_at, again.policy) == (NOW, Policy())


def test_the_manifest_keeps_where_it_comes_from(tmp_path: Path) -> None:
    policy = Policy(max_per_category=0.2, hide_bought=False, in_stock_only=False, candidates=333)
    plain = fresh()
    manifest = replace(
        plain.manifest,
        inputs={"silver/interactions": 7},
        commit="abc",
        policy=policy,
        blend=(1.0,) * 8,
        metrics={"full.ndcg@20": 0.5},
    )
    made = replace(plain, manifest=manifest)
    assert Bundle.load(made.save(tmp_path)).manifest == made.manifest


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    folder = fresh().save(tmp_path / "half")
    (folder / "manifest.json").unlink()
    with pytest.raises(MissingBundle, match="loading bundle half: no readable manifest"):
        Bundle.load(folder)
    with pytest.raises(MissingBundle, match="loading bundle nowhere"):
        Bundle.load(tmp_path / "nowhere")


def test_a_cut_manifest_is_no_bundle(tmp_path: Path) -> None:
    folder = fresh().save(tmp_path / "cut")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])
    with pytest.raises(MissingBundle, match="no readable manifest"):
        Bundle.load(folder)


@pytest.mark.parametrize("lost", ["product_matrix", "items-keys", "sources-factors.gram"])
def test_a_folder_that_lost_a_file_is_no_bundle(lost: str, tmp_path: Path) -> None:
    folder = fresh().save(tmp_path / "holed")
    (folder / "arrays" / f"{lost}.npy").unlink()
    with pytest.raises(MissingBundle, match=r"loading bundle holed: it lacks .*copy the whole folder"):
        Bundle.load(folder)


@pytest.mark.parametrize("change", [{"catalogue_hash": "0" * 16}, {"format": 0}])
def test_a_bundle_for_other_features_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    folder = fresh().save(tmp_path / "old")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(IncompatibleBundle, match=r"loading bundle old.*train a new bundle"):
        Bundle.load(folder)


def test_its_trees_are_laid_out_once_and_not_where_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fresh()
    folder = made.save(tmp_path / "bundle")
    monkeypatch.setattr(Trees, "of_booster", None)
    opened = Bundle.load(folder)
    monkeypatch.undo()
    assert opened.ranker is not None
    assert made.ranker is not None
    matrix = np.random.default_rng(0).random((50, len(RANKING_FEATURES)), np.float32)
    np.testing.assert_array_equal(opened.ranker.score(matrix), made.ranker.score(matrix))
    # other trees in the place of these are not taken for these
    fewer = replace(opened.ranker, booster=opened.ranker.booster[:1])
    np.testing.assert_array_equal(fewer.score(matrix), Ranker(fewer.booster).score(matrix))


def test_trees_of_a_bundle_from_before_they_were_kept_are_laid_out_then(tmp_path: Path) -> None:
    made = fresh()
    folder = made.save(tmp_path / "bundle")
    for path in (folder / "arrays").glob("trees-*"):
        path.unlink()
    assert answers(Bundle.load(folder)) == answers(made)


def test_saving_over_a_bundle_leaves_nothing_of_it(tmp_path: Path) -> None:
    fresh().save(tmp_path)
    bare = replace(fresh(), ranker=None)
    assert answers(Bundle.load(bare.save(tmp_path))) == answers(bare)


def test_a_ranker_of_another_width_is_refused(tmp_path: Path) -> None:
    narrow = xgboost.DMatrix(np.random.default_rng(0).random((40, 3)), np.arange(40) % 2, group=[40])
    ranker = Ranker(xgboost.train({"objective": "rank:ndcg"}, narrow, 2))
    folder = replace(fresh(), ranker=ranker).save(tmp_path)
    with pytest.raises(IncompatibleBundle, match="the ranker has 3 features"):
        Bundle.load(folder)


def test_many_threads_get_the_same_answers_as_one() -> None:
    made = fresh()
    alone = answers(made)
    with ThreadPoolExecutor(8) as pool:
        assert all(together == alone for together in pool.map(lambda _: answers(made), range(16)))


def test_a_thread_that_answers_while_products_change_never_fails() -> None:
    made = fresh()
    rows = np.arange(30, dtype=np.int32)
    out, back = made.product_matrix.copy(), made.product_matrix.copy()
    out[:, STOCK] = 0.0
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(lambda: [len(one.recommendations) for _ in range(10) for one in answers(made)])
        while not asked.done():
            made.update_products(rows, out)
            made.update_products(rows, back)
    assert set(asked.result()) <= set(range(11))


def test_memory_that_an_error_left_dirty_is_not_used_again() -> None:
    made = fresh()
    with made.scratch() as clean:
        pass

    def fail(scratch: Scratch) -> None:
        scratch.dense[:] = 1.0
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"), made.scratch() as dirty:
        fail(dirty)
    assert dirty is clean
    with made.scratch() as another:
        assert another is not dirty
        assert not another.dense.any()


def test_the_sold_out_list_follows_the_products() -> None:
    made = fresh()
    values = made.product_matrix.copy()
    for level, expected in ((0.0, list(range(30))), (-2.0, list(range(30))), (np.nan, []), (1.0, [])):
        values[:, STOCK] = level
        made.update_products(np.arange(30, dtype=np.int32), values)
        assert made.sold_out.tolist() == expected
    values[:, STOCK] = 0.0
    made.update_products(np.array([4, -1, 2], np.int32), values[:3])
    assert made.sold_out.tolist() == [2, 4]


def test_products_that_the_bundle_lacks_are_passed_over() -> None:
    made = fresh()
    before = made.product_matrix.copy()
    made.update_products(np.array([-1], np.int32), np.full((1, before.shape[1]), 9.0, np.float32))
    np.testing.assert_array_equal(made.product_matrix, before)


def test_loading_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    folder = fresh().save(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*.npy")}
    loaded = Bundle.load(folder)
    loaded.update_products(np.arange(30, dtype=np.int32), np.zeros_like(loaded.product_matrix))
    answers(loaded)
    assert {path: path.read_bytes() for path in folder.rglob("*.npy")} == before
