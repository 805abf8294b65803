"""The snippet runs: in Node with the few things of a browser that it uses, against the real service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reco_serving.app import SNIPPET
from tests.serving.conftest import Running, until
from tests.serving.test_events import in_stream

NODE = shutil.which("node")

#: A page: storage, a script tag, listeners that the test can call, a beacon that only notes.
PAGE = """
const fs = require("fs"), vm = require("vm");
const [source, src] = [process.argv[2], process.argv[3]];
const listeners = {}, stored = JSON.parse(process.argv[4] || "{}"), beacons = [], statuses = [];
const page = {
  URL, JSON, Date, Math, crypto: globalThis.crypto, setTimeout, clearTimeout,
  fetch: (...a) => fetch(...a).then((r) => { statuses.push(r.status); return r; },
                                    (e) => { statuses.push("failed"); throw e; }),
  localStorage: { getItem: (k) => (k in stored ? stored[k] : null), setItem: (k, v) => { stored[k] = v; } },
  navigator: { sendBeacon: (u, body) => { beacons.push(body); return true; } },
  addEventListener: (name, f) => { listeners[name] = f; },
  document: {
    currentScript: { src, dataset: { recoUser: "ann" } },
    addEventListener: (name, f) => { listeners[name] = f; },
  },
};
page.window = page;
vm.runInNewContext(fs.readFileSync(source, "utf8"), page);
const reco = page.reco;
const pause = () => new Promise((done) => setTimeout(done, 5));
const seen = async (true_) => { while (!true_()) await pause(); };
const tell = () => { console.log(JSON.stringify({ stored, beacons, statuses })); process.exit(0); };
"""


def run(tmp_path: Path, src: str, steps: str, stored: dict[str, str] | None = None) -> dict[str, object]:
    """What a page with ``steps`` in it leaves behind."""
    assert NODE is not None
    (tmp_path / "reco.js").write_bytes(SNIPPET)
    (tmp_path / "page.js").write_text(PAGE + f"(async () => {{ {steps} }})();")
    done = subprocess.run(
        [NODE, str(tmp_path / "page.js"), str(tmp_path / "reco.js"), src, json.dumps(stored or {})],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def beacon(left: dict[str, object]) -> list[dict[str, object]]:
    """The events of the one beacon that a page sent."""
    beacons = left["beacons"]
    assert isinstance(beacons, list)
    [sent] = beacons
    return list(json.loads(sent)["events"])


def test_it_depends_on_nothing_and_is_small() -> None:
    assert len(SNIPPET) < 4096
    for word in (b"import ", b"require(", b"eval(", b"cookie"):
        assert word not in SNIPPET


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_a_batch_reaches_the_stream(fresh: Running, tmp_path: Path) -> None:
    steps = """
      for (let i = 0; i < 49; i++) reco.track("click", {product_id: "p" + i});
      listeners.click({target: {closest: () => ({dataset: {recoProduct: "p7", recoRecommendation: "r1",
        recoPosition: "3", recoPrice: "9.5"}})}});
      await seen(() => statuses.length);
      tell();"""
    left = run(tmp_path, f"{fresh.client.base_url}/reco.js", steps)
    assert left["statuses"] == [202]
    until(lambda: len(in_stream(fresh)) == 50, "the batch is in the stream")
    events = {one["event_id"]: one for one in map(json.loads, in_stream(fresh))}
    assert len(events) == 50
    assert len({one["session_id"] for one in events.values()}) == 1
    assert {one["user_id"] for one in events.values()} == {"ann"}
    [told] = [one for one in events.values() if "recommendation_id" in one]
    assert (told["product_id"], told["position"], told["price"]) == ("p7", 3, 9.5)
    assert fresh.products(user_id="ann") != fresh.products(user_id="nobody")


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_what_is_left_when_the_page_is_left_goes_by_beacon(tmp_path: Path) -> None:
    steps = 'reco.track("click", {product_id: "p1"}); listeners.pagehide(); tell();'
    left = run(tmp_path, "http://127.0.0.1:9/reco.js", steps)
    [told] = beacon(left)
    assert (told["event_type"], told["product_id"]) == ("click", "p1")
    assert left["stored"]["reco.queue"] == "[]"  # type: ignore[index]


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_what_could_not_be_sent_is_kept_for_the_next_page(fresh: Running, tmp_path: Path) -> None:
    steps = """
      reco.track("click", {product_id: "p1"});
      reco.flush();
      await seen(() => stored["reco.queue"]);
      tell();"""
    left = run(tmp_path, "http://127.0.0.1:9/reco.js", steps)
    assert left["statuses"] == ["failed"]
    stored = left["stored"]
    assert isinstance(stored, dict)
    [kept] = json.loads(stored["reco.queue"])
    again = run(
        tmp_path, f"{fresh.client.base_url}/reco.js", "await seen(() => statuses.length); tell();", stored
    )
    assert again["statuses"] == [202]
    [told] = map(json.loads, in_stream(fresh))
    assert told == kept


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_a_session_ends_after_half_an_hour_and_the_visitor_stays(tmp_path: Path) -> None:
    steps = 'reco.user(null); reco.track("search", {query: "pots"}); listeners.pagehide(); tell();'
    visits = []
    for ago in (29, 31):
        earlier = f'stored["reco.session"] = "old " + (Date.now() - {ago * 60_000});'
        left = run(tmp_path, "http://127.0.0.1:9/reco.js", earlier + steps, {"reco.visitor": "v1"})
        [told] = beacon(left)
        assert told["user_id"] == "v1"
        visits.append(told["session_id"])
    assert visits[0] == "old"
    assert visits[1] != "old"
