"""The last bundle that served, on this machine's own disk: what a start without any dependency serves."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_serving.whole_file import write_whole

#: Bundles that stay; a worker may still have an older one mapped, which lives on without its name.
KEPT: Final = 2
_POINTER: Final = "last_good.json"


@dataclass(frozen=True)
class LastGood:
    """Copies of bundles under ``root``, and which of them served last."""

    root: Path
    model: str

    @classmethod
    def of(cls, settings: Settings) -> LastGood:
        """Where ``settings`` have it; nothing is written yet."""
        return cls(settings.home.resolve() / "serving", settings.model_name)

    def keep(self, champion: Champion) -> None:
        """Have ``champion`` here, as the last that served.

        Its files are linked where that can be done, which takes no space, and copied otherwise.

        Raises
        ------
        OSError
            The disk does not take it; what was kept before stays.
        """
        folder = self.root / f"{self.model}-{champion.version}"
        if champion.folder.parent != self.root and not _same(folder, champion.folder):
            self.root.mkdir(parents=True, exist_ok=True)
            partial = self.root / f".{folder.name}.{os.getpid()}"
            shutil.rmtree(partial, ignore_errors=True)
            try:
                shutil.copytree(champion.folder, partial, copy_function=_linked)
                shutil.rmtree(folder, ignore_errors=True)
                # another worker may be faster, and its copy is as good
                with suppress(FileExistsError):
                    partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        self._point(champion.version, folder.name)
        found = sorted(self.root.glob(f"{self.model}-*"), key=lambda path: path.stat().st_mtime)
        for old in found[:-KEPT]:
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)

    def find(self) -> Champion | None:
        """The last that served; None where there is none."""
        try:
            told = json.loads((self.root / _POINTER).read_text())
        except (OSError, ValueError):
            return None  # never written, or torn by a full disk: as good as none
        folder = self.root / str(told["folder"])
        return Champion(str(told["version"]), folder) if told["model"] == self.model else None

    def _point(self, version: str, folder: str) -> None:
        told = {"model": self.model, "version": version, "folder": folder}
        write_whole(self.root / _POINTER, json.dumps(told).encode())


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _same(here: Path, there: Path) -> bool:
    """Whether ``here`` is a copy of the bundle in ``there`` already."""
    try:
        return (here / "manifest.json").read_bytes() == (there / "manifest.json").read_bytes()
    except OSError:
        return False
