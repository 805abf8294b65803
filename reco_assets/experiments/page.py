"""The page of results that a person looks at: one HTML text, with no script and nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from math import isfinite
from typing import Final

from reco_assets.experiments.board import Board
from reco_assets.experiments.charts import interval_bar, path_chart
from reco_assets.experiments.definition import Experiment, Variant
from reco_assets.experiments.findings import Comparison, Findings
from reco_assets.experiments.metrics import METRICS
from reco_assets.experiments.published import Published

_STYLE: Final = """
:root{--ink:#1f2328;--muted:#656d76;--line:#e4e7eb;--card:#fff;--page:#f5f6f8;--good:#1a7f4b;--bad:#c4372c;
--calm:#3b6fd4;--soft:#dfe8fa}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--muted:#98a1ab;--line:#2d333b;--card:#1c2128;
--page:#14181d;--good:#4cc38a;--bad:#f0776c;--calm:#7aa2f0;--soft:#26364f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}main{max-width:980px;margin:0 auto;padding:32px 20px 60px}
h1{font-size:24px;margin:0 0 2px}h2{font-size:18px;margin:0}p{margin:6px 0}.muted{color:var(--muted)}
.gap{margin:18px 0 0}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:20px 22px;
margin-top:20px}
header{display:flex;gap:10px;align-items:center;flex-wrap:wrap}
.pill{border-radius:20px;padding:1px 11px;font-size:13px;background:var(--soft);color:var(--calm)}
.pill.worse{background:none;border:1px solid var(--bad);color:var(--bad)}
.pill.better{background:none;border:1px solid var(--good);color:var(--good)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin-top:12px}
th{font-weight:500;color:var(--muted);text-align:left;font-size:13px}
td,th{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.warn{border-left:3px solid var(--bad);padding:4px 12px;margin:12px 0;color:var(--bad)}
svg.bar{width:210px;height:22px;vertical-align:middle}svg.path{width:100%;height:auto;margin-top:14px}
svg text{font-size:12px;fill:var(--muted);text-anchor:middle}svg text.left{text-anchor:end}
svg.path text{font-size:9.5px}
.zero{stroke:var(--muted);stroke-width:1;stroke-dasharray:3 3}
.span{stroke:var(--calm);stroke-width:6;stroke-linecap:round;opacity:.55}.bar circle{fill:var(--ink)}
.better .span{stroke:var(--good)}.worse .span{stroke:var(--bad)}
polygon{fill:var(--calm);opacity:.16}polyline{fill:none;stroke:var(--calm);stroke-width:2}
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def page(board: Board, known: Mapping[str, Published], now_us: int) -> str:
    """HTML of all experiments, those that run first, else the newest first."""
    order = sorted(board.experiments, key=lambda one: (not one.running, -one.started_at))
    cards = "".join(_card(one, known.get(one.name)) for one in order)
    nothing = (
        '<section><p>There is no experiment yet.</p><p class="muted">Start one with '
        "<code>reco experiment start</code>.</p></section>"
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"><title>Experiments</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Experiments</h1>"
        f'<p class="muted">{_moment(now_us)} UTC. The intervals hold at all looks together: look as often '
        f"as you like, and stop when you like.</p>{cards or nothing}</main></body></html>"
    )


def _card(experiment: Experiment, known: Published | None) -> str:
    state = "running" if experiment.running else "stopped"
    until = f" to {_moment(experiment.stopped_at)}" if experiment.stopped_at is not None else ""
    found = known.findings if known is not None and known.findings.phase == experiment.phase else None
    verdict = _verdict(found)
    return (
        f'<section><header><h2>{escape(experiment.name)}</h2><span class="pill">{state}</span>'
        f"{verdict}</header>"
        f'<p class="muted">layer {escape(experiment.layer)}, from {_moment(experiment.started_at)}{until}, '
        f"phase {experiment.phase}</p>"
        + (f'<p class="warn">{escape(experiment.reason)}</p>' if experiment.reason else "")
        + _variants(experiment, found)
        + (_results(found) + _paths(known) if found is not None and known is not None else "")
        + "</section>"
    )


def _verdict(found: Findings | None) -> str:
    if found is None or not found.comparisons:
        return '<span class="muted">no results yet</span>'
    first = found.comparisons[0].metric
    deciding = [one for one in found.comparisons if one.metric == first]
    return "".join(
        f'<span class="pill {one.verdict}">{escape(one.variant)}: {one.verdict} by {first}</span>'
        for one in deciding
    )


def _variants(experiment: Experiment, found: Findings | None) -> str:
    rows = "".join(
        f'<tr><td>{escape(one.name)}</td><td class="n">{one.share:.2%}</td>'
        f'<td class="n">{found.users.get(one.name, 0) if found else 0:,}</td><td>{escape(one.bundle)}</td>'
        f"<td>{escape(_policy(one))}</td></tr>"
        for one in experiment.variants
    )
    broken = ""
    if found is not None and not found.trusted:
        broken = (
            f'<p class="warn">The users are not divided as planned (p = {found.ratio_p_value:.2g}). '
            "Nothing below can be trusted: the assignment or the records are broken.</p>"
        )
    return (
        '<div class="scroll"><table><tr><th>variant</th><th class="n">share</th><th class="n">users</th>'
        f"<th>bundle</th><th>policy</th></tr>{rows}</table></div>{broken}"
    )


def _policy(variant: Variant) -> str:
    return ", ".join(f"{name} = {value}" for name, value in variant.policy.items()) or "as the bundle says"


def _results(found: Findings) -> str:
    ends = [
        abs(end)
        for one in found.comparisons
        for end in (one.effect.lift_low, one.effect.lift_high)
        if isfinite(end)
    ]
    reach = min(1.0, max(ends, default=0.1)) or 0.1
    rows = "".join(_row(one, reach) for one in found.comparisons)
    return (
        '<div class="scroll"><table><tr><th>variant</th><th>metric</th><th class="n">control</th>'
        '<th class="n">variant</th><th class="n">change</th><th>interval</th>'
        f"<th>from {-reach:+.0%} to {reach:+.0%}</th></tr>{rows}</table></div>"
    )


def _row(one: Comparison, reach: float) -> str:
    metric, effect = METRICS[one.metric], one.effect
    change = f"{effect.lift:+.1%}" if isfinite(effect.lift) else "-"
    ends = (effect.lift_low, effect.lift_high)
    interval = "{:+.1%} to {:+.1%}".format(*ends) if all(isfinite(end) for end in ends) else "-"
    bar = interval_bar(effect.lift, effect.lift_low, effect.lift_high, reach, one.verdict)
    return (
        f'<tr><td>{escape(one.variant)}</td><td title="{escape(metric.description)}">{one.metric}</td>'
        f'<td class="n">{_value(effect.control, metric.unit)}</td>'
        f'<td class="n">{_value(effect.variant, metric.unit)}</td><td class="n">{change}</td>'
        f"<td>{interval}</td><td>{bar}</td></tr>"
    )


def _paths(known: Published) -> str:
    if not known.findings.comparisons:
        return ""
    metric = known.findings.comparisons[0].metric
    drawn = [
        (name, path_chart([point for point in known.path if point.variant == name]))
        for name in dict.fromkeys(point.variant for point in known.path)
    ]
    return "".join(
        f'<p class="muted gap">Change of {metric} by {escape(name)}, day after day</p>{svg}'
        for name, svg in drawn
        if svg
    )


def _value(value: float, unit: str) -> str:
    return f"{value:.3%}" if unit == "share" else f"{value:,.2f}"


def _moment(micros: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=micros):%Y-%m-%d %H:%M}"
