"""Arrays that one asset hands to the next: whole folders that appear at once, the newest few kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.errors import MissingTable

#: Versions of an artifact that are kept; a reader may still have an older one mapped.
KEPT: Final = 3

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Artifacts:
    """Named, versioned folders under ``root``."""

    root: Path

    def _versions(self, name: str) -> list[Path]:
        folder = self.root / name
        return sorted(folder.glob("[0-9]*[0-9]")) if folder.exists() else []

    def latest(self, name: str) -> Path:
        """Newest whole folder of artifact ``name``; raises MissingTable."""
        versions = self._versions(name)
        if not versions:
            raise MissingTable(
                f"reading artifact {name}: it has not been made yet", hint="materialize it first"
            )
        return versions[-1]

    def new(self, name: str) -> Path:
        """A folder to fill; nobody sees it before :meth:`publish`."""
        versions = self._versions(name)
        number = int(versions[-1].name) + 1 if versions else 1
        folder = self.root / name / f"{number:06d}.partial"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def publish(self, folder: Path) -> Path:
        """Make a filled folder the newest version of its artifact, all at once."""
        target = folder.with_suffix("")
        folder.rename(target)
        for old in self._versions(str(target.parent.relative_to(self.root)))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def save(self, name: str, arrays: Arrays, facts: Mapping[str, object] | None = None) -> Path:
        """Write ``arrays`` (and ``facts`` as JSON) as the newest version of ``name``."""
        folder = self.new(name)
        for array, values in arrays.items():
            np.save(folder / f"{array}.npy", np.ascontiguousarray(values))
        (folder / "facts.json").write_text(json.dumps(dict(facts or {}), indent=2))
        return self.publish(folder)

    def load(self, name: str) -> dict[str, npt.NDArray[np.generic]]:
        """The newest arrays of ``name``, memory-mapped."""
        return {
            path.stem: np.asarray(np.load(path, mmap_mode="r" if path.stat().st_size > 256 else None))
            for path in self.latest(name).glob("*.npy")
        }

    def facts(self, name: str) -> dict[str, object]:
        """What was said of the newest version of ``name``."""
        found: dict[str, object] = json.loads((self.latest(name) / "facts.json").read_text())
        return found
