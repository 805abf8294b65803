"""Findings as Dagster asset checks."""

from collections.abc import Sequence

import dagster as dg

from reco_assets.monitoring.findings import Finding


def specs(asset: str, *names: str, advisory: Sequence[str] = ()) -> list[dg.AssetCheckSpec]:
    """Check specs of ``asset``: ``names`` stop what comes after, ``advisory`` ones only tell."""
    return [
        *(dg.AssetCheckSpec(name, asset=asset, blocking=True) for name in names),
        *(dg.AssetCheckSpec(name, asset=asset) for name in advisory),
    ]


def results(asset: str, *findings: Finding) -> list[dg.AssetCheckResult]:
    """What was found, as Dagster records it."""
    return [
        dg.AssetCheckResult(
            passed=finding.passed,
            check_name=finding.name,
            asset_key=asset,
            severity=dg.AssetCheckSeverity.ERROR if finding.blocking else dg.AssetCheckSeverity.WARN,
            description=finding.description,
            metadata=dict(finding.facts),
        )
        for finding in findings
    ]
