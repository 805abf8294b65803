"""The simulated shop that benchmarks measure on: its arguments, the same in every command."""

from __future__ import annotations

import argparse

from reco_assets.simulator.parameters import Parameters


def shop_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of the shop's size, and of ``--json``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def parameters_of(given: argparse.Namespace) -> Parameters:
    """The shop that the arguments mean; raises BadInput."""
    return Parameters(
        users=given.users, products=given.products, days=given.days, seed=given.seed, events=given.events
    )
