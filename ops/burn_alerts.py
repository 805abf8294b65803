"""Prometheus rules on the error budgets of ``ops/slo.yaml``: what is left of them, and how fast they burn.

``python -m ops.burn_alerts`` writes ``ops/prometheus/slo.yaml``; with ``--check`` it only says whether it
is current. The pairs of windows are those of "Alerting on SLOs" in Google's Site Reliability Workbook: the
long one says that it matters, the short one that it still goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, Field

FOLDER: Final = Path(__file__).parent
OBJECTIVES: Final = FOLDER / "slo.yaml"
RULES: Final = FOLDER / "prometheus" / "slo.yaml"


class Objective(BaseModel, extra="forbid", frozen=True):
    """What share of requests may be bad; in the expressions ``$window`` stands for a range."""

    name: str
    says: str
    target: float = Field(gt=0, lt=1)
    severity: str = Field(pattern="^(page|ticket)$")
    bad: str = Field(pattern=r"\$window")
    total: str = Field(pattern=r"\$window")

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        return 1 - self.target


class Objectives(BaseModel, extra="forbid", frozen=True):
    """All of them.

    Attributes
    ----------
    window
        The time over which a budget is meant.
    pages
        The endpoints that answer a page of a shop, ``|`` between them; ``$pages`` in the expressions.
    """

    window: str = Field(pattern=r"^\d+d$")
    pages: str
    objectives: list[Objective]


@dataclass(frozen=True)
class Burn:
    """A budget that burns ``times`` as fast as it may, seen over two windows."""

    times: float
    long: str
    short: str
    severity: str


#: Of a budget of 30 days: 2 % in an hour, 5 % in six, 10 % in a day, 10 % in three.
BURNS: Final = (
    Burn(14.4, "1h", "5m", "page"),
    Burn(6, "6h", "30m", "page"),
    Burn(3, "1d", "2h", "ticket"),
    Burn(1, "3d", "6h", "ticket"),
)

#: Bad requests and all of them, a second, over the last hour.
_BAD: Final = "reco:slo_bad:rate1h"
_ALL: Final = "reco:slo_all:rate1h"
#: The share of a budget that nothing has used yet; below 0 where the objective was not kept.
LEFT: Final = "reco:slo_budget:left"

Rule = dict[str, str | dict[str, str]]


def read_objectives() -> Objectives:
    """What ``ops/slo.yaml`` says."""
    return Objectives.model_validate(yaml.safe_load(OBJECTIVES.read_text(encoding="utf-8")))


def rules(objectives: Objectives) -> dict[str, list[dict[str, object]]]:
    """The rules of Prometheus: for each objective shares of bad requests, its budget, alerts."""
    windows = sorted({window for burn in BURNS for window in (burn.long, burn.short)}, key=_minutes)
    groups: list[dict[str, object]] = []
    for one in objectives.objectives:
        recorded = [_recorded(one, objectives.pages, window) for window in windows]
        # a budget of a half cannot burn 14 times as fast
        alerts = [_alert(one, burn) for burn in BURNS if burn.times * one.budget < 1]
        groups.append(
            {
                "name": f"reco_slo_{one.name}",
                "interval": "30s",
                "rules": [*recorded, *_budget(one, objectives), *alerts],
            }
        )
    return {"groups": groups}


def _recorded(one: Objective, pages: str, window: str) -> Rule:
    bad, total = (_filled(expression, pages, window) for expression in (one.bad, one.total))
    return {"record": _name(window), "labels": {"slo": one.name}, "expr": f"({bad}) / ({total} > 0)"}


def _budget(one: Objective, objectives: Objectives) -> list[Rule]:
    """The share of bad requests over the whole window, and what it leaves of the budget.

    It is summed up from the rates of each hour: a busy hour counts for more than a quiet one, and nobody
    reads a month of every series.
    """
    window, expressions = objectives.window, {_BAD: one.bad, _ALL: one.total}
    bad, total = (f'sum_over_time({name}{{slo="{one.name}"}}[{window}:1h])' for name in expressions)
    told = {name: _filled(expression, objectives.pages, "1h") for name, expression in expressions.items()}
    told[_name(window)] = f"{bad} / ({total} > 0)"
    told[LEFT] = f'1 - {_name(window)}{{slo="{one.name}"}} / {one.budget:.6g}'
    return [{"record": name, "labels": {"slo": one.name}, "expr": expr} for name, expr in told.items()]


def _filled(expression: str, pages: str, window: str) -> str:
    return expression.replace("$window", window).replace("$pages", pages)


def _alert(one: Objective, burn: Burn) -> Rule:
    limit = f"{burn.times * one.budget:.6g}"
    seen = [f'{_name(window)}{{slo="{one.name}"}} > {limit}' for window in (burn.long, burn.short)]
    return {
        "alert": f"RecoBudgetBurns_{one.name}_{burn.long}",
        "expr": " and ".join(seen),
        "labels": {"severity": burn.severity if one.severity == "page" else "ticket", "slo": one.name},
        "annotations": {
            "summary": f"Not kept: {one.says}",
            "description": f"The error budget burns {burn.times:g} times too fast, over {burn.long}.",
        },
    }


def _name(window: str) -> str:
    return f"reco:slo_bad:ratio_rate{window}"


def _minutes(window: str) -> int:
    return int(window[:-1]) * {"m": 1, "h": 60, "d": 1440}[window[-1]]


def main(arguments: Sequence[str]) -> int:
    """Write the rules, or with ``--check`` compare them; 1 where they are out of date."""
    head = "# Made from ops/slo.yaml by `make reference`; edit that, not this.\n"
    made = head + yaml.safe_dump(rules(read_objectives()), sort_keys=False, width=200)
    if "--check" not in arguments:
        RULES.write_text(made, encoding="utf-8")
        return 0
    if RULES.exists() and RULES.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write("error: ops/prometheus/slo.yaml is not what ops/slo.yaml says\nhint: make reference\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
