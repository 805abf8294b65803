"""The online store: what a request reads, written before anything old is given up."""

from typing import cast

import dagster as dg

from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding
from reco_assets.online.materialise import write_products, write_users
from reco_assets.online.state import bought_products, newest_features, recent_events
from reco_assets.platform.redis import open_redis
from reco_assets.platform.resources import Platform


@dg.asset(
    group_name="online",
    deps=["user_features", "interactions", "champion"],
    kinds={"redis"},
    owners=["team:serving"],
    check_specs=specs("online_user_features", "readable"),
)
def online_user_features(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One packed value a user: features, recent products, bought products; TTL 30 days."""
    lake, settings = platform.lake(), platform.settings()
    at = platform.now()
    interactions = lake.scan("silver/interactions")
    users = newest_features(lake.scan("gold/user_features"), "user_id", at).collect()
    recents = recent_events(interactions, at).collect()
    bought = bought_products(interactions, at).collect()
    client = open_redis(settings)
    written = write_users(client, users, recents, bought, ttl_days=settings.user_ttl_days)
    return dg.MaterializeResult(
        metadata={
            "users": written,
            "with features": users.height,
            "with recent products": recents["user_id"].n_unique(),
            "user_features_version": cast("int", lake.version("gold/user_features")),
        },
        check_results=results(
            "online_user_features",
            Finding(
                "readable", client.dbsize() >= written, f"{written:,} users written", facts={"users": written}
            ),
        ),
    )


@dg.asset(
    group_name="online",
    deps=["product_features", "champion"],
    kinds={"redis"},
    owners=["team:serving"],
    check_specs=specs("online_product_features", "readable"),
)
def online_product_features(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One packed value a product, then the new epoch: the Delta version of gold/product_features."""
    lake, settings = platform.lake(), platform.settings()
    epoch = cast("int", lake.version("gold/product_features"))
    products = newest_features(lake.scan("gold/product_features"), "product_id", platform.now()).collect()
    client = open_redis(settings)
    written = write_products(client, products, epoch=epoch, ttl_days=settings.product_ttl_days)
    return dg.MaterializeResult(
        metadata={"products": written, "epoch": epoch},
        check_results=results(
            "online_product_features",
            Finding(
                "readable",
                client.dbsize() >= written,
                f"{written:,} products written",
                facts={"epoch": epoch},
            ),
        ),
    )
