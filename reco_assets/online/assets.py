"""The online store: what a request reads, written before anything old is given up."""

from collections.abc import Iterator

import dagster as dg

from reco_assets.candidates.habits import REMEMBERED, midnight
from reco_assets.interactions.assets import load_learning_log
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding
from reco_assets.online.habits import ENTRY_BYTES, HEAD, habit_values, write_habits
from reco_assets.online.mark import micros_of
from reco_assets.online.refresh import refresh
from reco_assets.online.state import moment_of
from reco_assets.platform.redis import open_redis
from reco_assets.platform.resources import Platform


@dg.multi_asset(
    group_name="online",
    specs=[
        dg.AssetSpec(
            "online_user_features",
            deps=["user_features", "interactions", "champion"],
            description="One packed value a user: features, recent products, bought products; TTL 30 days.",
            kinds={"redis"},
            owners=["team:serving"],
        ),
        dg.AssetSpec(
            "online_product_features",
            deps=["product_features", "champion"],
            description="One packed value a product, then the new epoch: the Delta version of "
            "gold/product_features.",
            kinds={"redis"},
            owners=["team:serving"],
        ),
    ],
    check_specs=[
        *specs("online_user_features", "readable"),
        *specs("online_product_features", "readable"),
    ],
)
def online_store(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[dg.MaterializeResult]:
    """Every user and product as of now; nobody's value is missing in between."""
    settings = platform.settings()
    client = open_redis(settings)
    with platform.engine() as engine:
        done = refresh(
            engine,
            client,
            moment_of(engine.lake, platform.now()),
            user_ttl_days=settings.user_ttl_days,
            product_ttl_days=settings.product_ttl_days,
            whole=True,
        )
    kept = client.dbsize()
    for name, written in (("user", done.users), ("product", done.products)):
        asset = f"online_{name}_features"
        found = Finding(
            "readable", kept >= written, f"{written:,} {name}s written", facts={"written": written}
        )
        yield dg.MaterializeResult(
            asset_key=asset,
            metadata={
                f"{name}s": written,
                "as_of": dg.MetadataValue.timestamp(done.at),
                "interactions_version": done.mark.interactions,
            },
            check_results=results(asset, found),
        )


@dg.asset(
    group_name="online",
    deps=["learning_log", "champion"],
    kinds={"redis"},
    owners=["team:serving"],
    check_specs=specs("online_habits", "bounded"),
)
def online_habits(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """What people with a long history keep coming back to, as of midnight; TTL 30 days."""
    settings, (history, _) = platform.settings(), load_learning_log(platform)
    at = midnight(micros_of(moment_of(platform.lake(), platform.now())))
    sizes: list[int] = []

    def measured() -> Iterator[tuple[str, bytes]]:
        for user_id, value in habit_values(history.log, history.items, at):
            sizes.append(len(value))
            yield user_id, value

    written = write_habits(open_redis(settings), measured(), ttl_days=settings.user_ttl_days)
    most = HEAD + ENTRY_BYTES * REMEMBERED
    found = Finding(
        "bounded",
        max(sizes, default=0) <= most,
        f"{written:,} values of {most} bytes at the most",
        facts={"written": written, "bytes": sum(sizes)},
    )
    return dg.MaterializeResult(
        metadata={
            "users": written,
            "megabytes": round(sum(sizes) / 1e6, 3),
            "as_of": dg.MetadataValue.timestamp(at / 1e6),
        },
        check_results=results("online_habits", found),
    )
