"""What every benchmark prints: one JSON object on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from reco_assets.errors import MissingDependency

Value = float | int | str | bool | None | Sequence["Value"] | Mapping[str, "Value"]

#: Packages whose versions explain a number.
PACKAGES: Final = (
    "bentoml",
    "dagster",
    "deltalake",
    "duckdb",
    "ibis-framework",
    "mlflow",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "pyspark",
    "redis",
    "xgboost",
)


def log(message: str) -> None:
    """Print one line of progress to standard error."""
    print(message, file=sys.stderr, flush=True)


def machine() -> dict[str, Value]:
    """What the numbers were measured on: ``cpu``, ``cores`` that this process may use, ``memory_gb``."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": name, "cores": cores, "memory_gb": round(memory / 1e9, 1)}


def versions() -> dict[str, Value]:
    """Versions of Python and of the packages that matter, null where one is not installed."""
    found: dict[str, Value] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def commit() -> str | None:
    """The checked-out commit, with ``-dirty`` where files differ from it; None outside a repository."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def process_tree(root: int) -> list[int]:
    """``root`` and all of its living descendants, by process id; raises MissingDependency off Linux."""
    if not Path("/proc/self/stat").exists():
        raise MissingDependency("measuring memory: there is no /proc here", hint="run benchmarks on Linux")
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent(entry)
            if parent is not None:
                parents.setdefault(parent, []).append(int(entry.name))
    tree, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        tree.append(process)
        waiting.extend(parents.get(process, ()))
    return tree


def peak_rss_mb() -> float:
    """Highest resident memory of this process so far, MB (1e6 bytes), without its children."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def rss_mb(root: int | None = None) -> float:
    """Resident memory now of process ``root`` (default: this one) and its descendants, MB.

    A page that several of them share counts once in each, so the sum is never too low.
    """
    return sum(_resident(process) for process in process_tree(root or os.getpid())) / 1e6


def pss_mb(root: int | None = None) -> float:
    """As :func:`rss_mb`, with shared pages divided among those who share them; slower on big processes."""
    return sum(_proportional(process) for process in process_tree(root or os.getpid())) / 1e6


@dataclass
class MemorySampler:
    """Highest resident memory of a process tree while the ``with`` block runs, in ``peak_mb``.

    Parameters
    ----------
    interval_seconds
        Pause between two samples; a spike shorter than that may be missed.
    root
        Process at the top of the tree; this one by default.
    """

    interval_seconds: float = 0.1
    root: int | None = None
    peak_mb: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.peak_mb = rss_mb(self.root)
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()
        self.peak_mb = max(self.peak_mb, rss_mb(self.root))

    def _run(self) -> None:
        while not self._stop.wait(self.interval_seconds):
            self.peak_mb = max(self.peak_mb, rss_mb(self.root))


def report(
    benchmark: str, parameters: Mapping[str, Value], results: Mapping[str, Value], as_json: bool
) -> None:
    """Print the outcome of ``benchmark``: one JSON object, or aligned lines for a person.

    ``results`` has flat keys with the unit in the key, such as ``peak_rss_mb``.
    """
    if as_json:
        document: dict[str, Value] = {
            "benchmark": benchmark,
            "parameters": dict(parameters),
            "machine": machine(),
            "versions": versions(),
            "commit": commit(),
            "results": dict(results),
        }
        print(json.dumps(document), flush=True)
        return
    where = machine()
    print(f"{benchmark} on {where['cpu']}, {where['cores']} cores, {where['memory_gb']} GB")
    width = max((len(key) for key in (*parameters, *results)), default=0)
    for key, value in parameters.items():
        print(f"  {key:<{width}}  {_shown(value)}")
    print("results")
    for key, value in results.items():
        print(f"  {key:<{width}}  {_shown(value)}")


@dataclass
class Stopwatch:
    """Seconds that the ``with`` block took, in ``seconds``."""

    seconds: float = 0.0
    _start: float = field(default=0.0, repr=False)

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start


def _parent(entry: Path) -> int | None:
    try:
        text = (entry / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended between the listing and the reading
    return int(text.rpartition(")")[2].split()[1])


def _resident(process: int) -> int:
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _proportional(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # it has ended, or is being torn down
    pss = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(pss[0].split()[1]) * 1024 if pss else 0


def _shown(value: Value) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def percentile(taken: Sequence[float], share: float, digits: int) -> float | None:
    """That percentile of ``taken``, ``share`` of 100; None where there is none."""
    return round(float(np.percentile(np.array(taken), share)), digits) if taken else None
