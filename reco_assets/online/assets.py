"""The online store: what a request reads, written before anything old is given up."""

from collections.abc import Iterator

import dagster as dg

from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding
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
