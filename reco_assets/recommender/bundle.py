"""The recommender bundle: one immutable folder that holds everything an answer is made from."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import xgboost

from reco_assets.candidates.popular import CategoryPopular, Popular
from reco_assets.candidates.repeat import Repeat
from reco_assets.candidates.retriever import Scratch
from reco_assets.candidates.sources import BLEND, Sources
from reco_assets.candidates.trending import Trending
from reco_assets.catalogue.items import ItemTable
from reco_assets.errors import IncompatibleBundle, MissingBundle
from reco_assets.features.catalogue import PRODUCT_FEATURES, catalogue_hash, names
from reco_assets.recommender.integrity import seal
from reco_assets.recommender.newcomers import Newcomers
from reco_assets.recommender.ranker import Ranker, check_width
from reco_assets.recommender.trees import Trees
from reco_assets.recommender.types import Floats, Int32s, Policy

FORMAT: Final = 2
_MANIFEST: Final = "manifest.json"
_RANKER: Final = "ranker.ubj"
_INVENTORY: Final = names(PRODUCT_FEATURES).index("inventory_level")


@dataclass(frozen=True)
class Manifest:
    """Where a bundle comes from.

    Attributes
    ----------
    version
        Name of the bundle: content of answers depends on nothing else than this folder.
    created_at
        UTC microseconds.
    as_of
        UTC microseconds: nothing that happened later is in it.
    catalogue_hash
        Of the feature catalogue it was built for.
    inputs
        Delta version of every table that was read.
    commit, dagster_run, mlflow_run
        The code and the runs that made it; empty where unknown.
    blend
        Weight of each source's score where the bundle has no ranker.
    metrics
        What the evaluation found, by ``recommender.metric``.
    """

    version: str
    created_at: int
    as_of: int
    catalogue_hash: str
    inputs: Mapping[str, int] = field(default_factory=dict)
    commit: str = ""
    dagster_run: str = ""
    mlflow_run: str = ""
    policy: Policy = field(default_factory=Policy)
    blend: tuple[float, ...] = BLEND
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    product_matrix
        ``float32[n_items, len(PRODUCT_FEATURES)]``: a private copy, which the owner updates in
        place as product epochs arrive (:meth:`update_products`).
    ranker
        None where the bundle has none yet: the source scores rank then.
    newcomers
        Products that are shown to learn how they do.
    """

    manifest: Manifest
    items: ItemTable
    sources: Sources
    product_matrix: Floats
    ranker: Ranker | None
    newcomers: Newcomers = field(default_factory=Newcomers.none)
    _scratch: queue.SimpleQueue[Scratch] = field(default_factory=queue.SimpleQueue, repr=False)
    _sold_out: list[Int32s] = field(default_factory=list, repr=False)
    _revision: list[int] = field(default_factory=lambda: [0], repr=False)

    @property
    def version(self) -> str:
        """Name of this bundle."""
        return self.manifest.version

    @property
    def created_at(self) -> int:
        """UTC microseconds."""
        return self.manifest.created_at

    @property
    def catalogue_hash(self) -> str:
        """Hash of the feature catalogue that the bundle was built for."""
        return self.manifest.catalogue_hash

    @property
    def policy(self) -> Policy:
        """The rules after ranking, as the bundle proposes them."""
        return self.manifest.policy

    @property
    def popular(self) -> Popular:
        """The source that never runs dry."""
        found = self.sources.retrievers["popular"]
        assert isinstance(found, Popular)
        return found

    @property
    def trending(self) -> Trending:
        """What is above its own past."""
        found = self.sources.retrievers["trending"]
        assert isinstance(found, Trending)
        return found

    @property
    def repeat(self) -> Repeat:
        """When people buy again."""
        found = self.sources.retrievers["repeat"]
        assert isinstance(found, Repeat)
        return found

    @property
    def category_popular(self) -> CategoryPopular:
        """Popular by category."""
        found = self.sources.retrievers["category_popular"]
        assert isinstance(found, CategoryPopular)
        return found

    def __post_init__(self) -> None:
        if not self._sold_out:
            self._sold_out.append(self._find_sold_out())

    @property
    def sold_out(self) -> Int32s:
        """Rows whose inventory level is known to be 0 or less, rising."""
        return self._sold_out[0]

    @property
    def revision(self) -> int:
        """How often product features have been updated: what is made from them holds for one revision."""
        return self._revision[0]

    def _find_sold_out(self) -> Int32s:
        return np.flatnonzero(self.product_matrix[:, _INVENTORY] <= 0).astype(np.int32)

    def update_products(self, rows: Int32s, values: Floats) -> None:
        """Put new product features ``values[k, features]`` at ``rows``; -1 rows are passed over.

        One thread updates at a time; answers may be made meanwhile and see the old list or the new.
        """
        known = rows >= 0
        changed = rows[known]
        self.product_matrix[changed] = values[known]
        empty = self.product_matrix[changed, _INVENTORY] <= 0
        # most updates move no product in or out of stock, and a scan of the matrix is not free
        if not np.array_equal(empty, np.isin(changed, self.sold_out)):
            self._sold_out[0] = self._find_sold_out()
        if len(changed):
            self._revision[0] += 1

    def apart(self) -> Self:
        """The same bundle with product features of its own, which may move through time alone."""
        return replace(
            self, product_matrix=self.product_matrix.copy(), _scratch=queue.SimpleQueue(), _sold_out=[]
        )

    def __getstate__(self) -> dict[str, object]:
        # working memory stays where it is
        return {**vars(self), "_scratch": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update({**state, "_scratch": queue.SimpleQueue()})

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """Borrow working memory for one answer; each concurrent answer has its own."""
        try:
            borrowed = self._scratch.get_nowait()
        except queue.Empty:
            borrowed = self.sources.scratch()
        yield borrowed
        # one that an error left dirty is not given back
        self._scratch.put(borrowed)

    def save(self, folder: Path) -> Path:
        """Write the bundle; the manifest comes last, so that a folder with one is whole."""
        (folder / "arrays").mkdir(parents=True, exist_ok=True)
        for old in (*(folder / "arrays").glob("*.npy"), folder / _RANKER):
            old.unlink(missing_ok=True)
        for name, values in self._arrays().items():
            np.save(folder / "arrays" / f"{name}.npy", np.ascontiguousarray(values))
        if self.ranker is not None:
            self.ranker.booster.save_model(folder / _RANKER)
        (folder / _MANIFEST).unlink(missing_ok=True)
        seal(folder)
        (folder / _MANIFEST).write_text(json.dumps({"format": FORMAT, **asdict(self.manifest)}, indent=2))
        return folder

    def _arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        trees = self.ranker.trees if self.ranker is not None else None
        return {
            **{f"items-{name}": values for name, values in self.items.arrays().items()},
            **{f"sources-{name}": values for name, values in self.sources.arrays().items()},
            **{f"newcomers-{name}": values for name, values in self.newcomers.arrays().items()},
            # whoever loads it has visitors who wait, and need not lay them out once more
            **{f"trees-{name}": values for name, values in (trees.arrays() if trees else {}).items()},
            "product_matrix": self.product_matrix,
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a bundle; its arrays are memory-mapped and shared by all that open it.

        Raises
        ------
        MissingBundle
            There is no whole bundle at ``folder``.
        IncompatibleBundle
            It was built for another format or feature catalogue.
        """
        try:
            content = json.loads((folder / _MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise MissingBundle(
                f"loading bundle {folder.name}: no readable manifest", hint="train again"
            ) from error
        found = (content.pop("format", None), content.get("catalogue_hash"))
        if found != (FORMAT, catalogue_hash()):
            raise IncompatibleBundle(
                f"loading bundle {folder.name}: made for format and features {found}, "
                f"this code has {(FORMAT, catalogue_hash())}",
                hint="train a new bundle with this version of the code",
            )
        typed = {"policy": Policy(**content["policy"]), "blend": tuple(content["blend"])}
        manifest = Manifest(**{**content, **typed})
        groups = ("items", "sources", "newcomers", "trees")
        arrays: dict[str, dict[str, npt.NDArray[np.generic]]] = {group: {} for group in groups}
        for path in (folder / "arrays").glob("*-*.npy"):
            group, name = path.stem.split("-", 1)
            # an empty array cannot be mapped; the plain view is cheaper to index than a memmap
            mapped = np.load(path, mmap_mode="r" if path.stat().st_size > 256 else None)
            arrays[group][name] = np.asarray(mapped)
        try:
            items = ItemTable.of_arrays(arrays["items"])
            ranker = _ranker_in(folder, arrays["trees"])
            return cls(
                manifest=manifest,
                items=items,
                sources=Sources.of_arrays(arrays["sources"], len(items)),
                product_matrix=np.load(folder / "arrays" / "product_matrix.npy"),
                ranker=ranker,
                # a bundle from before there was exploration has none
                newcomers=Newcomers.of_arrays(arrays["newcomers"])
                if arrays["newcomers"]
                else Newcomers.none(),
            )
        except (KeyError, OSError) as error:
            raise MissingBundle(
                f"loading bundle {folder.name}: it lacks {error}",
                hint="copy the whole folder, or train again",
            ) from error


def _ranker_in(folder: Path, trees: Mapping[str, npt.NDArray[np.generic]]) -> Ranker | None:
    if not (folder / _RANKER).exists():
        return None
    booster = xgboost.Booster(params={"nthread": 1}, model_file=folder / _RANKER)
    # a bundle from before trees were kept has none, nor has one whose trees only XGBoost can walk
    ranker = Ranker.laid_out(booster, Trees.of_arrays(trees)) if trees else Ranker(booster)
    check_width(ranker)
    return ranker
