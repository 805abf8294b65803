"""Experiments as tables for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, TypeAlias

from msgspec.structs import asdict
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reco_assets.experiments.definition import Experiment
from reco_assets.experiments.metrics import METRICS
from reco_assets.experiments.published import Published

#: What ``json.dumps`` takes.
Json: TypeAlias = dict[str, Any]


def as_json(one: Experiment, known: Published | None) -> Json:
    """The definition and the newest findings; numbers that are not finite are null."""
    told: Json = {
        "name": one.name,
        "running": one.running,
        "layer": one.layer,
        "salt": one.salt,
        "phase": one.phase,
        "started_at": moment(one.started_at),
        "changed_at": moment(one.changed_at),
        "stopped_at": moment(one.stopped_at) if one.stopped_at is not None else None,
        "reason": one.reason,
        "metrics": list(one.metrics),
        "guardrails": [str(rail) for rail in one.guardrails],
        "level": one.level,
        "planned": one.planned,
        "variants": [
            {"name": v.name, "share": v.share, "bundle": v.bundle, "policy": v.policy} for v in one.variants
        ],
        "findings": None,
    }
    if known is not None:
        found = known.findings
        told["findings"] = {
            "phase": found.phase,
            "at": moment(found.at),
            "users": found.users,
            "crossed": found.crossed,
            "sample_ratio_p_value": found.ratio_p_value,
            "harms": [asdict(harm) for harm in found.harms],
            "comparisons": [
                {
                    "variant": c.variant,
                    "metric": c.metric,
                    "verdict": c.verdict,
                    "users_control": c.users_control,
                    "users": c.users,
                    "user_days": c.user_days,
                    **{name: value if isfinite(value) else None for name, value in vars(c.effect).items()},
                }
                for c in found.comparisons
            ],
        }
    return told


def overview(experiments: Sequence[Experiment], known: Mapping[str, Published]) -> Table:
    """One line an experiment."""
    table = Table("experiment", "state", "layer", "since", "variants", "verdict", box=SIMPLE_HEAD)
    for one in experiments:
        shares = ", ".join(f"{v.name} {100 * v.share:.4g}%" for v in one.variants)
        found = known.get(one.name)
        verdicts = [
            f"{c.variant}: {c.verdict}"
            for c in (found.findings.comparisons if found is not None else ())
            if c.metric == one.metrics[0]
        ]
        state = "running" if one.running else "stopped"
        table.add_row(
            one.name, state, one.layer, moment(one.started_at)[:10], shares, "\n".join(verdicts) or "-"
        )
    return table


def report(one: Experiment, known: Published | None) -> Iterator[Table | str]:
    """The definition, then what is known of the present phase."""
    state = "running" if one.running else f"stopped at {moment(one.stopped_at or 0)}: {one.reason}"
    yield f"{one.name}: {state}, layer {one.layer}, phase {one.phase} since {moment(one.changed_at)}"
    if one.running and one.reason:
        yield one.reason
    found = known.findings if known is not None and known.findings.phase == one.phase else None
    variants = Table("variant", "share", "users", "bundle", "policy", box=SIMPLE_HEAD)
    for v in one.variants:
        users = f"{found.users.get(v.name, 0):,}" if found is not None else "-"
        policy = ", ".join(f"{field} = {value}" for field, value in v.policy.items()) or "the bundle's"
        variants.add_row(v.name, f"{v.share:.2%}", users, v.bundle, policy)
    yield variants
    if found is None:
        yield "no results yet; the asset experiment_results makes them"
        return
    if not found.trusted:
        yield f"the users are not divided as planned (p = {found.ratio_p_value:.2g}): trust nothing below"
    for variant in dict.fromkeys(c.variant for c in found.comparisons):
        results = Table(
            "metric",
            one.control.name,
            variant,
            "change",
            "interval",
            "verdict",
            box=SIMPLE_HEAD,
            padding=(0, 1),
        )
        for c in found.comparisons:
            if c.variant != variant:
                continue
            unit, effect = METRICS[c.metric].unit, c.effect
            results.add_row(
                c.metric,
                _value(effect.control, unit),
                _value(effect.variant, unit),
                _change(effect.lift),
                f"{_change(effect.lift_low)} to {_change(effect.lift_high)}",
                c.verdict,
            )
        yield results


def moment(micros: int) -> str:
    """A moment in UTC, to the second."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat(timespec="seconds")


def _value(value: float, unit: str) -> str:
    return f"{value:.3%}" if unit == "share" else f"{value:,.3f}"


def _change(lift: float) -> str:
    return f"{lift:+.1%}" if isfinite(lift) else "?"
