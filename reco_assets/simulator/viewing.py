"""How a shopper reads a list of recommendations: where they look, what they open, what they buy.

The position-based model (Richardson et al., "Predicting clicks", 2007): a place is looked at with a
probability that falls with its number, and a product that is looked at is opened with a probability that
follows from its utility to this shopper now, whatever stands beside it. Pure: the dice are arguments, so two
lists can be shown to the same shopper with the same luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Viewing:
    """How shoppers of the simulated shop read lists; the defaults make a few clicks in a hundred places.

    Attributes
    ----------
    position_bias
        Place ``k``, from 0, is looked at with probability ``(k + 1) ** -position_bias``: 0 reads everything.
    reluctance
        The utility at which every second product that is looked at is opened.
    wish
        Utility that products of the category gain for which the shopper came this time.
    boredom
        Utility that a product loses each time that the shopper has opened it in this visit.
    owned
        Utility that a product loses which the shopper has and which is not used up.
    price
        How much a change of price since the start counts, times the shopper's own aversion.
    cart, order
        Probability that an opened product of usual utility goes into the cart, and that the cart of a
        shopper of average will is bought; both as in the simulated history.
    """

    position_bias: float = 0.7
    reluctance: float = 4.5
    wish: float = 1.5
    boredom: float = 2.0
    owned: float = 3.0
    price: float = 1.0
    cart: float = 0.07
    order: float = 0.5

    def looks(self, places: int) -> Doubles:
        """Probability that each of the first ``places`` places is looked at, ``float64[places]``."""
        return np.arange(1, places + 1, dtype=np.float64) ** -self.position_bias

    def opens(self, utilities: Doubles) -> Doubles:
        """Probability that a product that is looked at is opened, by its utility."""
        opened: Doubles = 1.0 / (1.0 + np.exp(self.reluctance - utilities))
        return opened

    def buys(self, utilities: Doubles, usual: float, will: float) -> Doubles:
        """Probability that an opened product is bought at once.

        Parameters
        ----------
        usual
            Utility of what a shopper typically opens.
        will
            The shopper's will to buy, 1 on average.
        """
        into_cart = np.minimum(1.0, self.cart * will * np.exp(np.minimum(2.0, 0.55 * (utilities - usual))))
        bought: Doubles = into_cart * min(0.9, self.order * will)
        return bought


@dataclass(frozen=True)
class Luck:
    """Uniform numbers in (0, 1) for one list, ``float64[n]`` each: by place to look, else by product."""

    look: Doubles
    open: Doubles
    buy: Doubles


@dataclass(frozen=True)
class Reaction:
    """What a shopper did with a list, ``bool[n]`` by place; what is bought was opened."""

    opened: Bools
    bought: Bools


def read_list(
    viewing: Viewing, utilities: Doubles, in_stock: Bools, usual: float, will: float, luck: Luck
) -> Reaction:
    """Show products of ``utilities`` ``float64[n]``, best place first, to a shopper with this ``luck``."""
    looked = luck.look < viewing.looks(len(utilities))
    opened = looked & (luck.open < viewing.opens(utilities))
    bought = opened & in_stock & (luck.buy < viewing.buys(utilities, usual, will))
    return Reaction(opened, bought)
