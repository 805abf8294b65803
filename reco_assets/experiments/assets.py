"""Who was shown which variant, and what came of it; a variant that harms is taken out at once."""

import dagster as dg
import polars as pl

from reco_assets.experiments.exposures import EXPOSURES_SCHEMA, KEY
from reco_assets.experiments.findings import RATIO_LEVEL, Findings
from reco_assets.experiments.look import judge
from reco_assets.experiments.metrics import METRICS
from reco_assets.experiments.store import Store
from reco_assets.experiments.tables import EXPOSURES, RESULTS, build_exposures
from reco_assets.interactions.attribution import CLICK_WINDOW
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import add_daily_metadata, table_metadata
from reco_assets.monitoring.plots import daily_bars, interval_bars
from reco_assets.platform.redis import open_redis
from reco_assets.platform.resources import DAILY, ONE_RUN, Platform, days_of


@dg.asset(
    group_name="experiments",
    deps=["raw_decisions", "impressions"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"polars", "delta"},
    owners=["team:ml"],
    check_specs=specs("exposures", "no_nulls", "unique", "in_range", advisory=["one_variant"]),
)
def exposures(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One row a user, a day and an experiment: the first answer by a variant's rules, and how all went.

    The day before is made anew too, because clicks on its products came in until a day later.
    """
    first, last = days_of(context)
    lake = platform.lake()
    written = build_exposures(lake, first, last)
    begin = first - CLICK_WINDOW
    frame = lake.scan(EXPOSURES).filter(pl.col("event_date").is_between(begin, last))
    counts = frame.group_by("event_date").len().sort("event_date").collect()
    days, users = counts["event_date"].to_list(), counts["len"].to_list()
    add_daily_metadata(
        context,
        dict(zip(days, users, strict=True)),
        table_metadata(
            frame.head(200_000).collect(),
            version=written.version,
            rows=lake.rows(EXPOSURES),
            pictures={"daily": daily_bars("Users in experiments a day", days, users)} if days else {},
        ),
    )
    return dg.MaterializeResult(
        metadata={"written rows": written.rows, "delta_version": written.version},
        check_results=results(
            "exposures",
            no_nulls(frame, list(EXPOSURES_SCHEMA)),
            unique(frame, list(KEY)),
            in_range(frame, {"answers": (1, 1e9), "latency_ms": (0.0, 1e12), "clicks": (0, 1e9)}),
            _one_variant(frame),
        ),
    )


@dg.asset(
    group_name="experiments",
    deps=["exposures", "interactions"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"polars", "delta"},
    owners=["team:ml"],
    check_specs=specs("experiment_results", "unique", advisory=["sample_ratio", "guardrails"]),
)
def experiment_results(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Each variant against its control by each metric, as known at the end of each day.

    The intervals hold at all looks together. A variant that has surely broken a guardrail is taken out of
    its experiment, with the reason; the service follows within a second.
    """
    first, last = days_of(context)
    lake, settings = platform.lake(), platform.settings()
    with open_redis(settings) as client:
        judged = judge(lake, Store.of(settings, client), first, last, platform.now())
    written, known = judged.written, judged.known
    frame = lake.scan(RESULTS).filter(pl.col("as_of").is_between(first, last))
    counts = frame.group_by("as_of").len().collect()
    for line in judged.stopped:
        context.log.warning(line)
    add_daily_metadata(
        context,
        dict(counts.iter_rows()),
        table_metadata(
            frame.collect(),
            version=written.version,
            rows=lake.rows(RESULTS),
            descriptions={name: metric.description for name, metric in METRICS.items()},
            pictures={"lifts": _lifts(known)} if any(one.comparisons for one in known) else {},
        ),
    )
    return dg.MaterializeResult(
        metadata={
            "written rows": written.rows,
            "delta_version": written.version,
            "experiments": len(known),
            "stopped": dg.MetadataValue.json(list(judged.stopped)),
        },
        check_results=results(
            "experiment_results",
            unique(frame, ["as_of", "experiment", "phase", "variant", "metric"]),
            _sample_ratio(known),
            _guardrails(known),
        ),
    )


def _one_variant(frame: pl.LazyFrame) -> Finding:
    """No user was shown two variants of one phase."""
    several = frame.group_by("experiment", "phase", "user_id").agg(pl.col("variant").n_unique() > 1).collect()
    crossed = int(several["variant"].sum())
    return Finding(
        "one_variant",
        not crossed,
        f"{crossed:,} of {several.height:,} users were shown more than one variant of an experiment",
        blocking=False,
        facts={"users": crossed},
    )


def _sample_ratio(known: tuple[Findings, ...]) -> Finding:
    """The users of every experiment are divided as planned."""
    broken = {one.experiment: one.ratio_p_value for one in known if not one.trusted}
    told = f"less probable than {RATIO_LEVEL}: {', '.join(broken) or 'none'} of {len(known)} experiments"
    return Finding("sample_ratio", not broken, told, blocking=False, facts=broken)


def _guardrails(known: tuple[Findings, ...]) -> Finding:
    """No variant has broken a guardrail."""
    broken = {f"{one.experiment}:{harm.variant}": harm.told for one in known for harm in one.harms}
    told = "; ".join(f"{name}: {why}" for name, why in broken.items()) or "none is broken"
    return Finding("guardrails", not broken, told, blocking=False, facts=broken)


def _lifts(known: tuple[Findings, ...]) -> bytes:
    return interval_bars(
        "Variants against their control, change in per cent, at all looks together",
        {
            f"{one.experiment}: {found.variant}, {found.metric}": (
                100 * found.effect.lift,
                100 * found.effect.lift_low,
                100 * found.effect.lift_high,
            )
            for one in known
            for found in one.comparisons
        },
    )
