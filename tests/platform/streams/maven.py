"""The jars of a Kafka broker, from Maven Central or a mirror of it, without Maven.

``kafka_jars.txt`` names each with its sha256: what ``mvn dependency:copy-dependencies`` brings for
``org.apache.kafka:kafka_2.13:4.3.1``. They are kept in ``~/.cache/reco-tests``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

_LIST: Final = Path(__file__).with_name("kafka_jars.txt")
_CENTRAL: Final = "https://repo1.maven.org/maven2"
_TRIES: Final = 3


def kafka_jars() -> Path:
    """Folder of the jars; downloads them, whole or not at all, where it is not there yet."""
    wanted = [line.split() for line in _LIST.read_text().splitlines()]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reco-tests"
    # another list is another folder
    folder = cache / f"kafka-4.3.1-{hashlib.sha256(_LIST.read_bytes()).hexdigest()[:8]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    repository = _repository()
    partial = Path(tempfile.mkdtemp(dir=cache))
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda jar: _fetch(repository, jar[0], jar[1], partial), wanted))
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another run was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _repository() -> str:
    """Address of the repository: ``MAVEN_REPOSITORY``, the mirror in Maven's settings, or Central."""
    if named := os.environ.get("MAVEN_REPOSITORY"):
        return named.rstrip("/")
    settings = Path.home() / ".m2" / "settings.xml"
    if settings.exists():
        for mirror in ElementTree.parse(settings).iterfind(".//{*}mirror"):
            url = mirror.findtext("{*}url")
            if url and mirror.findtext("{*}mirrorOf", "").split(",")[0] in ("central", "*", "external:*"):
                return url.strip().rstrip("/")
    return _CENTRAL


def _fetch(repository: str, coordinate: str, digest: str, folder: Path) -> None:
    group, artifact, version = coordinate.split(":")
    jar = f"{artifact}-{version}.jar"
    url = f"{repository}/{group.replace('.', '/')}/{artifact}/{version}/{jar}"
    for left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                content = reply.read()
            break
        except OSError:
            if not left:
                raise
    if hashlib.sha256(content).hexdigest() != digest:
        raise OSError(f"downloading {url}: its sha256 is not {digest}")
    (folder / jar).write_bytes(content)
