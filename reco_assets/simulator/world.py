"""The hidden truth of a simulated shop: who likes what, which product leads to which.

Users and products share a latent space, so what a user does says what else the user will like, and
a recommender has something to learn that popularity does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reco_assets.simulator import vocabulary
from reco_assets.simulator.latent import Floats, leaf_centres
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.products import Products, draw_products
from reco_assets.simulator.users import Users, draw_users


@dataclass(frozen=True)
class World:
    """Everything that does not change while the shop runs."""

    parameters: Parameters
    leaves: list[vocabulary.Leaf]
    users: Users
    products: Products

    def utility(self, users: npt.NDArray[np.integer], products: npt.NDArray[np.integer]) -> Floats:
        """True utility ``float32[len(users), len(products)]`` of product rows to user rows.

        A user chooses among the products in view with probability proportional to exp(utility).
        """
        chosen: Floats = self.users.vectors[users] @ self.products.vectors[products].T
        return chosen


def world(parameters: Parameters) -> World:
    """The world that ``parameters`` (its seed before all) describe."""
    leaves = vocabulary.leaves(4 * int(np.clip(parameters.products // 200, 2, 32)))
    streams = np.random.SeedSequence(parameters.seed).spawn(3)
    space, of_products, of_users = (np.random.default_rng(stream) for stream in streams)
    centres = leaf_centres(space, leaves)
    products = draw_products(of_products, parameters, leaves, centres)
    return World(parameters, leaves, draw_users(of_users, parameters, centres), products)
