"""A tiny shop through the whole project by the command line, and what it says to files it cannot use."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.quality.command import main
from benchmarks.quality.rivals import ITEM_COSINE, OWN_REPEATS, POPULARITY
from reco_assets.candidates.sources import SOURCES


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    caught = capsys.readouterr()
    return code, caught.out, caught.err


def habits(folder: Path, people: int = 40, days: int = 12) -> Path:
    """A shop of habits, without sessions and categories: everybody buys one product of their own daily."""
    rng = np.random.default_rng(3)
    rows = []
    for day in range(1, days + 1):
        for person in range(people):
            # a minute a person: the look and the purchase in the morning, something else at noon
            own, other = f"p{person % 25}", f"p{rng.integers(25, 60)}"
            for item, kind, hour in ((own, "view", 9), (own, "buy", 10), (other, "view", 12)):
                rows.append((f"u{person}", item, kind, f"2024-05-{day:02}T{hour:02}:{person:02}:00"))
    frame = pl.DataFrame(rows, schema=["user", "item", "action", "time"], orient="row")
    frame.write_csv(folder / "log.csv")
    return folder / "log.csv"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop of habits, judged day after day, with a training on the second day."""
    folder = tmp_path_factory.mktemp("habits")
    with redirect_stdout(StringIO()) as said:
        code = main([
            "shop", str(habits(folder)), "--format", "csv", "--event-types", "view=click,buy=purchase",
            "--split", "2024-05-10", "--days", "3", "--rolling", "--retrain", "2", "--decisions", "1000",
            "--json",
            "--plot", str(folder / "bars.png"), "--curve", str(folder / "curve.png"),
        ])  # fmt: skip
    assert code == 0
    assert (folder / "bars.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    (folder / "habits.json").write_text(said.getvalue())
    return folder / "habits.json"


@pytest.fixture(scope="module")
def found(printed: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(printed.read_text())["results"]
    return results


def test_everybody_is_asked_on_each_of_the_three_days(found: dict[str, Any]) -> None:
    assert found["split"] == "2024-05-10T00:00:00Z"
    assert found["periods"] == 3
    asked = found["asked"]["purchases"]
    assert (asked["questions"], asked["persons"], asked["targets"]) == (120, 40, 120)
    assert asked["light_questions"] == 120


def test_who_buys_the_same_daily_is_recommended_that(found: dict[str, Any]) -> None:
    assert found[OWN_REPEATS]["purchases.recall@20"] == 1.0
    assert found["repeat"]["purchases.recall@10"] == 1.0
    assert found["blend"]["purchases.recall@20"] > found[POPULARITY]["purchases.recall@20"]
    assert found["repeat"]["discovery.recall@20"] == 0.0


def test_all_recommenders_stand_side_by_side_with_their_intervals(found: dict[str, Any]) -> None:
    names = {"full", "blend", *SOURCES, POPULARITY, OWN_REPEATS, ITEM_COSINE}
    assert names <= set(found)
    for name in names:
        row = found[name]
        for question in ("purchases", "discovery"):
            key = f"{question}.ndcg@20"
            assert 0.0 <= row[f"{key}_low"] <= row[key] <= row[f"{key}_high"] <= 1.0
            assert row[f"{question}.answer_ms"] > 0.0
    assert found["popular"]["fit_seconds"] > 0.0
    assert found["peak_rss_mb"] > 0


def test_the_difference_to_the_full_recommender_is_that_of_the_means(found: dict[str, Any]) -> None:
    for name, row in found["full_minus"].items():
        difference = found["full"]["purchases.recall@20"] - found[name]["purchases.recall@20"]
        assert row["purchases.recall@20"] == pytest.approx(difference, abs=2e-5)
        assert row["purchases.recall@20_low"] <= row["purchases.recall@20"] <= row["purchases.recall@20_high"]


def test_a_curve_turns_what_changes_an_answer(found: dict[str, Any]) -> None:
    turned = {(curve["question"], curve["knob"]) for curve in found["curves"]}
    assert {question for question, _ in turned} == {"purchases", "discovery"}
    # no category is known, nothing is explored, and whoever asks for discovery has nothing to buy again
    assert not {"max_per_category", "max_per_brand", "explore", "rebuy_above"} & {knob for _, knob in turned}
    for curve in found["curves"]:
        assert 0 < curve["asked"] <= 40
        (own,) = (point for point in curve["points"] if point["value"] == curve["default"])
        assert own["recall@20_minus"] == 0.0
        assert own["answer_ms"] > 0.0


def test_its_tables_are_printed_from_its_json(printed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "tables", str(printed))
    assert code == 0, err
    assert "**habits, split at 2024-05-10T00:00:00Z**" in out
    assert "| `own_repeats` | 1.000 (1.000 to 1.000) / " in out


def test_a_log_without_purchases_and_sessions_is_asked_for_the_rest_or_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    lines = [f"u{n % 3},p{n % 3},view,2024-05-{day:02}" for day in range(1, 11) for n in range(3)]
    path.write_text("\n".join(["user,item,action,date", *lines]))
    code, out, err = run(capsys, "shop", str(path), "--format", "csv")
    assert (code, out) == (1, "")
    assert "there is nobody to judge" in err
    assert "nobody buys anything" in err
    assert "nobody meets a new product" in err
    assert "at a later time" in err


def test_a_file_that_cannot_be_used_is_named_with_the_column_and_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item\nu,p\n")
    for form, told in (("rees46", "the header lacks event_time"), ("csv", "timestamp")):
        code, out, err = run(capsys, "shop", str(path), "--format", form)
        assert (code, out) == (1, "")
        assert told in err
        assert "Traceback" not in err
    code, _, err = run(capsys, "shop", str(tmp_path / "none.csv"), "--format", "csv")
    assert code == 1
    assert "none.csv: there is no such file" in err


def test_a_split_that_is_no_time_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(capsys, "shop", "x.csv", "--format", "csv", "--split", "soon")
    assert "write it as 2013-07-15" in capsys.readouterr().err
