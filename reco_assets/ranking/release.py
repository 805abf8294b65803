"""From a trained ranker to the served bundle: put together, registered, judged, promoted."""

import time
from datetime import UTC, datetime, timedelta
from math import isfinite

import dagster as dg
import numpy as np

from reco_assets.candidates.sources import SOURCES, Sources
from reco_assets.features.catalogue import catalogue_hash
from reco_assets.interactions.assets import load_learning_log
from reco_assets.interactions.exposure import exposure
from reco_assets.interactions.outcomes import IMPRESSIONS
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding
from reco_assets.platform.code import code_commit
from reco_assets.platform.registry import CHALLENGER, CHAMPION
from reco_assets.platform.resources import Platform
from reco_assets.ranking.evaluation import FULL
from reco_assets.ranking.gate import judge
from reco_assets.ranking.outcome import load_choice, load_means, load_value
from reco_assets.ranking.training import DECISIVE, proposed_policy
from reco_assets.ranking.windowed import WATERMARK_US, product_matrix
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.newcomers import Evidence, Newcomers
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request

#: Tables whose Delta version a bundle names.
_INPUTS = (
    "raw/events",
    "raw/attributes",
    "silver/products",
    "silver/interactions",
    "gold/user_windows",
    "gold/product_windows",
    "gold/user_features",
    "gold/product_features",
    "gold/impressions",
    "gold/training_examples",
)


@dg.asset(
    group_name="recommender",
    deps=[
        *(f"candidates_{name}" for name in SOURCES),
        "ranker",
        "evaluation",
        "impressions",
        "product_features",
    ],
    kinds={"numpy", "mlflow"},
    owners=["team:ml"],
    check_specs=specs("recommender_bundle", "answers"),
)
def recommender_bundle(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Everything an answer is made from, immutable and versioned, in MLflow's registry as challenger."""
    history, as_of = load_learning_log(platform)
    artifacts, lake, settings = platform.artifacts(), platform.lake(), platform.settings()
    choice, means = load_choice(artifacts), load_means(artifacts)
    retrievers = {
        name: source.of_arrays(artifacts.load(f"candidates_{name}")) for name, source in SOURCES.items()
    }
    with platform.engine() as engine:
        matrix = product_matrix(engine, history.items, as_of + WATERMARK_US + 300_000_000)
    created = time.time_ns() // 1000
    reached = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=as_of)
    manifest = Manifest(
        version=f"{reached:%Y%m%d}-{created // 1_000_000:x}",
        created_at=created,
        as_of=as_of,
        catalogue_hash=catalogue_hash(),
        inputs={name: version for name in _INPUTS if (version := lake.version(name)) is not None},
        commit=code_commit(),
        dagster_run=context.run_id,
        mlflow_run=choice.run_id,
        policy=proposed_policy(settings),
        metrics={
            f"{name}.{metric}": value for name, found in means.items() for metric, value in found.items()
        },
    )
    shown, clicked = (
        exposure(lake.scan(IMPRESSIONS), history.items, as_of)
        if lake.exists(IMPRESSIONS)
        else np.zeros((2, len(history.items)))
    )
    newcomers = Newcomers.fit(Evidence.of(shown, clicked, history.log), history.items, as_of)
    made = choice.applied_to(
        Bundle(
            manifest,
            history.items,
            Sources(retrievers, len(history.items)),
            matrix,
            None,
            newcomers=newcomers,
        )
    )
    folder = artifacts.new("bundle")
    made.save(folder)
    folder = artifacts.publish(folder)
    finding = _answers(Bundle.load(folder))
    registry = platform.registry()
    registered = registry.register_bundle(folder, choice.run_id, {"bundle": made.manifest.version})
    registry.set_alias(CHALLENGER, registered)
    return dg.MaterializeResult(
        metadata={
            "version": made.manifest.version,
            "registry_version": registered,
            "ranks_by": choice.name,
            "products": len(history.items),
            "new products": len(newcomers),
            "megabytes": round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 1),
            "inputs": dg.MetadataValue.json(dict(manifest.inputs)),
        },
        check_results=results("recommender_bundle", finding),
    )


def _answers(bundle: Bundle) -> Finding:
    """Ask the loaded bundle as a stranger would: it must give finite scores."""
    decision = recommend(Request(), empty_state(), bundle, bundle.policy, bundle.manifest.as_of)
    wanted = min(Request().n, len(bundle.items) - len(bundle.sold_out))
    finite = all(isfinite(one.score) for one in decision.recommendations)
    return Finding(
        "answers",
        finite and len(decision.recommendations) >= wanted,
        f"{len(decision.recommendations)} products for a stranger, scores finite: {finite}",
        facts={"products": len(decision.recommendations)},
    )


@dg.asset(
    group_name="recommender",
    deps=["recommender_bundle", "evaluation"],
    kinds={"mlflow"},
    owners=["team:ml"],
    check_specs=specs("champion", advisory=["gate"]),
)
def champion(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """The gate: the challenger becomes champion if it holds its own on the held-out day.

    A challenger that fails is left in the registry, the champion stays, and the check says why.
    """
    registry = platform.registry()
    means = load_means(platform.artifacts())
    first = registry.version_of(CHAMPION) is None
    if not means:
        # nothing could be judged: the history holds no outcome in its last stretch
        verdict, passed, told = None, first, "no decision of the held-out stretch has an outcome"
    else:
        verdict = judge(means, DECISIVE, FULL)
        passed = verdict.passed or first
        told = "; ".join(verdict.reasons()) or "better than everything it was held against"
    challenger = registry.version_of(CHALLENGER)
    if passed and challenger is not None:
        registry.promote(challenger, int(platform.now().timestamp() * 1000))
    return dg.MaterializeResult(
        metadata={
            "promoted": passed,
            "champion": registry.version_of(CHAMPION) or "none",
            "told": told,
            "clicks per impression": load_value(platform.artifacts()),
            **(
                {f"{DECISIVE} of {n}": round(value, 4) for n, (value, _) in verdict.comparisons.items()}
                if verdict
                else {}
            ),
            **({f"{DECISIVE} of the challenger": round(verdict.value, 4)} if verdict else {}),
        },
        check_results=results(
            "champion", Finding("gate", verdict.passed if verdict else first, told, blocking=False)
        ),
    )
