"""Dashboard, alerts and objectives name what the service has, and Prometheus and Grafana can read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ops.burn_alerts import (
    BURNS,
    LEFT,
    OBJECTIVES,
    RULES,
    Objective,
    Objectives,
    main,
    read_objectives,
    rules,
)
from reco_assets.online.stream_status import Status, tell
from reco_assets.platform.redis import open_redis
from reco_serving.app import Service, named_endpoint
from tests.serving.conftest import Running, service, until
from tests.serving.test_events import event

__all__ = ["service"]

OPS = OBJECTIVES.parent
DASHBOARD = OPS / "grafana" / "reco.json"
ALERTS = OPS / "prometheus" / "alerts.yaml"
#: Metrics that have no series before somebody has begun something: an experiment.
LATER = {"reco_variant_total": {"experiment", "variant"}}

Series = dict[str, list[dict[str, str]]]


def loaded(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return dict(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in loaded(DASHBOARD)["panels"] if panel["type"] != "row"]


def of_rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in loaded(path)["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Every expression of the folder, with a range where Grafana would put one."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    shown += [one["expr"] for one in loaded(DASHBOARD)["annotations"]["list"]]
    found = [*shown, *(rule["expr"] for path in (ALERTS, RULES) for rule in of_rules(path))]
    return [one.replace("$__rate_interval", "5m") for one in found]


def selectors(node: object) -> Iterator[promql_parser.VectorSelector]:
    """Whatever a parsed expression reads."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        yield from selectors(getattr(node, name)) if getattr(node, name, None) is not None else ()
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


@pytest.fixture(scope="module")
def series(service: Running) -> Series:
    """The labels of every series by the name of its metric, after some requests and a micro-batch."""
    with open_redis(service.settings) as client:
        at = datetime.now(UTC)
        tell(client, Status(at, 40, 0, 3.5, 0.25, 0.25, users=7, products=5, seconds={"drain": 0.1}))
    service.recommend(user_id="u")
    service.ask("similar", {"product_id": "p1"})
    service.ask("trending", {})
    service.ask("events", event("p1"))
    until(lambda: "\nreco_stream_batch_size " in service.client.get("/metrics").text, "the worker looks")
    found: Series = {}
    for family in text_string_to_metric_families(service.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


def test_whatever_is_named_is_there(series: Series) -> None:
    recorded: set[str] = {rule["record"] for rule in of_rules(RULES) if "record" in rule}
    for expression in expressions():
        for selector in selectors(promql_parser.parse(expression)):
            assert selector.name is not None, expression
            if selector.name in recorded or selector.name in LATER:
                continue
            assert selector.name in series, f"{selector.name} of {expression}"
            for matcher in selector.matchers.matchers:
                values = [one.get(matcher.name, "") for one in series[selector.name]]
                exact = matcher.op == promql_parser.MatchOp.Equal
                pattern = re.escape(matcher.value) if exact else matcher.value
                assert any(re.fullmatch(pattern, value) for value in values), (
                    f"{matcher.value} of {expression}"
                )


def test_sums_are_by_labels_that_are_there(series: Series) -> None:
    for expression in expressions():
        names = [one.name for one in selectors(promql_parser.parse(expression))]
        known = {label for name in names for one in series.get(str(name), []) for label in one}
        known |= {label for name in names for label in LATER.get(str(name), ())}
        known |= {
            label for rule in of_rules(RULES) if rule.get("record") in names for label in rule["labels"]
        }
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert set(labels.split(", ")) <= known, expression


def test_the_walk_over_an_expression_sees_all_that_it_reads() -> None:
    text = 'sum by (a) (rate(x{a="1"}[5m])) / on (a) (max(y) > 0) and absent(z) or -topk(3, w)'
    parsed = promql_parser.parse(text)
    assert sorted(str(one.name) for one in selectors(parsed)) == ["w", "x", "y", "z"]


def test_the_dashboard_has_what_grafana_needs() -> None:
    board = loaded(DASHBOARD)
    assert (board["uid"], board["title"]) == ("reco-service", "reco")
    assert board["schemaVersion"] >= 36
    assert board["time"].keys() == {"from", "to"}
    assert [(one["name"], one["type"]) for one in board["templating"]["list"]] == [
        ("datasource", "datasource")
    ]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["type"] in ("timeseries", "stat")
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert [one["refId"] for one in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = re.search(r"by \(([^)]*)\)", target["expr"])
            assert shown <= set(by[1].split(", ") if by else ()), target


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in loaded(DASHBOARD)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & taken, panel["title"]
        taken |= own


@pytest.mark.parametrize("path", [ALERTS, RULES])
def test_alerts_say_how_bad_it_is_and_what_to_do(path: Path) -> None:
    groups = loaded(path)["groups"]
    assert len({group["name"] for group in groups}) == len(groups)
    alerts = [rule for rule in of_rules(path) if "alert" in rule]
    assert alerts
    assert len({one["alert"] for one in alerts}) == len(alerts)
    for one in alerts:
        assert one.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert one["labels"]["severity"] in ("page", "ticket")
        assert one["annotations"].keys() == {"summary", "description"}
        assert re.fullmatch(r"\d+[smhd]", one.get("for", "1m"))
    for one in of_rules(path):
        if "record" in one:
            assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", one["record"])


def test_the_rules_are_those_of_the_objectives() -> None:
    assert main(["--check"]) == 0


def test_every_objective_stands_as_it_must_be_and_ten_times_tighter() -> None:
    known = {one.name: one for one in read_objectives().objectives}
    for name, one in known.items():
        if name.endswith("_tight"):
            assert one.severity == "ticket"
            continue
        tight = known[f"{name}_tight"]
        bounds = [re.search(r'le="([\d.]+)"', each.bad) for each in (one, tight)]
        if bounds[0] is None or bounds[1] is None:
            assert one.budget == pytest.approx(10 * tight.budget)
        else:
            assert float(bounds[0][1]) == pytest.approx(10 * float(bounds[1][1]))


def test_whatever_answers_a_page_is_in_the_objectives_and_a_batch_is_to_be_answered() -> None:
    answering = {named_endpoint(path) for path in Service().hot} - {"events"}
    objectives = read_objectives()
    assert set(objectives.pages.split("|")) == answering - {"recommend_batch"}
    for one in objectives.objectives:
        for expression in (one.bad, one.total):
            asked = set(re.findall(r'endpoint=~"([^"]*)"', expression))
            if not one.name.startswith("streamed"):
                assert asked == {"$pages|recommend_batch" if "availability" in one.name else "$pages"}
    (times,) = (panel for panel in panels() if panel["title"] == "Time of an answer")
    for target in times["targets"]:
        assert f'endpoint=~"{objectives.pages}"' in target["expr"]


def test_a_budget_is_of_the_requests_of_the_whole_window() -> None:
    own = Objective(name="x", says="-", target=0.99, severity="page", bad="a[$window]", total="b[$window]")
    (group,) = rules(Objectives(window="30d", pages="recommend", objectives=[own]))["groups"]
    listed = group["rules"]
    assert isinstance(listed, list)
    told = {one["record"]: one["expr"] for one in listed if "record" in one}
    assert (told["reco:slo_bad:rate1h"], told["reco:slo_all:rate1h"]) == ("a[1h]", "b[1h]")
    bad, total = (f'sum_over_time(reco:slo_{which}:rate1h{{slo="x"}}[30d:1h])' for which in ("bad", "all"))
    assert told["reco:slo_bad:ratio_rate30d"] == f"{bad} / ({total} > 0)"
    assert told[LEFT] == '1 - reco:slo_bad:ratio_rate30d{slo="x"} / 0.01'
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    kept, meant = (f'min by (slo) ({LEFT}{{slo{matched}".*_tight"}})' for matched in ("!~", "=~"))
    assert {kept, meant} <= set(shown)


@given(st.floats(0.5, 0.9999))
def test_no_alert_asks_for_more_than_everything_to_be_bad(target: float) -> None:
    own = Objective(name="x", says="-", target=target, severity="page", bad="a[$window]", total="b[$window]")
    (group,) = rules(Objectives(window="30d", pages="recommend", objectives=[own]))["groups"]
    listed = group["rules"]
    assert isinstance(listed, list)
    alerts = [one for one in listed if "alert" in one]
    for one in alerts:
        limits = [float(text) for text in re.findall(r"> ([\d.e-]+)", one["expr"])]
        assert len(limits) == 2
        assert all(0 < limit <= 1 for limit in limits)
    assert 1 <= len(alerts) <= len(BURNS)
