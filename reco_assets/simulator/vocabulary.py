"""The words of the simulated shop: its category tree, brands, styles, people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: department > group > (leaf, median price, days after which it is bought again or 0).
#: In each group the first leaf is the main product; each leaf is completed by the one after it.
_TREE: Final[dict[str, dict[str, tuple[tuple[str, float, int], ...]]]] = {
    "electronics": {
        "phones": (("smartphone", 420, 0), ("phone case", 18, 0), ("charger", 22, 0), ("power bank", 35, 0)),
        "computers": (("laptop", 890, 0), ("mouse", 29, 0), ("keyboard", 58, 0), ("laptop bag", 45, 0)),
        "audio": (("headphones", 95, 0), ("earbuds", 70, 0), ("speaker", 85, 0), ("audio cable", 12, 0)),
        "photo": (("camera", 560, 0), ("lens", 340, 0), ("tripod", 65, 0), ("memory card", 24, 0)),
    },
    "fashion": {
        "women": (("dress", 62, 0), ("handbag", 88, 0), ("scarf", 24, 0), ("blouse", 39, 0)),
        "men": (("suit", 190, 0), ("shirt", 42, 0), ("tie", 26, 0), ("belt", 31, 0)),
        "shoes": (("sneakers", 85, 0), ("boots", 120, 0), ("insoles", 14, 90), ("shoe polish", 9, 60)),
        "jewellery": (("necklace", 75, 0), ("earrings", 48, 0), ("bracelet", 55, 0), ("watch", 160, 0)),
    },
    "home": {
        "kitchen": (
            ("coffee machine", 140, 0),
            ("coffee beans", 14, 21),
            ("mug", 11, 0),
            ("milk frother", 33, 0),
        ),
        "bedroom": (("mattress", 380, 0), ("bed linen", 54, 0), ("pillow", 32, 0), ("blanket", 44, 0)),
        "living room": (("sofa", 720, 0), ("cushion", 19, 0), ("rug", 130, 0), ("floor lamp", 78, 0)),
        "cleaning": (
            ("vacuum cleaner", 210, 0),
            ("dust bag", 12, 45),
            ("detergent", 11, 25),
            ("sponge", 5, 20),
        ),
    },
    "beauty": {
        "skin care": (("face cream", 28, 40), ("serum", 36, 45), ("cleanser", 15, 30), ("sunscreen", 17, 60)),
        "make-up": (
            ("foundation", 30, 60),
            ("lipstick", 19, 75),
            ("mascara", 17, 60),
            ("make-up brush", 14, 0),
        ),
        "hair": (("hair dryer", 65, 0), ("shampoo", 10, 28), ("conditioner", 11, 30), ("hair mask", 16, 45)),
        "fragrance": (
            ("perfume", 78, 0),
            ("eau de toilette", 52, 0),
            ("deodorant", 7, 30),
            ("body mist", 18, 60),
        ),
    },
    "sports": {
        "running": (
            ("running shoes", 115, 0),
            ("running socks", 13, 0),
            ("sports watch", 210, 0),
            ("energy gel", 16, 18),
        ),
        "cycling": (("bicycle", 640, 0), ("helmet", 62, 0), ("bike light", 27, 0), ("inner tube", 8, 60)),
        "fitness": (("dumbbell", 48, 0), ("yoga mat", 34, 0), ("protein powder", 38, 28), ("shaker", 12, 0)),
        "outdoor": (
            ("tent", 230, 0),
            ("sleeping bag", 105, 0),
            ("camping stove", 58, 0),
            ("gas cartridge", 9, 45),
        ),
    },
    "grocery": {
        "breakfast": (("muesli", 6, 14), ("honey", 8, 35), ("jam", 5, 25), ("oat milk", 3, 10)),
        "snacks": (("chocolate", 4, 10), ("nuts", 7, 14), ("crisps", 3, 10), ("biscuits", 4, 12)),
        "drinks": (("tea", 7, 25), ("juice", 4, 10), ("wine", 13, 20), ("mineral water", 5, 10)),
        "pantry": (("pasta", 3, 18), ("pasta sauce", 4, 18), ("olive oil", 11, 40), ("spice mix", 6, 60)),
    },
    "kids": {
        "baby": (("stroller", 390, 0), ("nappies", 24, 14), ("baby wipes", 9, 14), ("baby bottle", 13, 0)),
        "toys": (("building set", 49, 0), ("puzzle", 18, 0), ("doll", 29, 0), ("toy car", 15, 0)),
        "school": (
            ("school bag", 68, 0),
            ("pencil case", 16, 0),
            ("notebook", 5, 40),
            ("coloured pencils", 9, 60),
        ),
        "games": (
            ("game console", 330, 0),
            ("video game", 49, 0),
            ("controller", 58, 0),
            ("board game", 34, 0),
        ),
    },
    "garden": {
        "plants": (
            ("house plant", 24, 0),
            ("plant pot", 17, 0),
            ("potting soil", 9, 60),
            ("fertiliser", 11, 50),
        ),
        "tools": (
            ("lawn mower", 290, 0),
            ("pruning shears", 28, 0),
            ("garden hose", 36, 0),
            ("work gloves", 10, 60),
        ),
        "barbecue": (("grill", 240, 0), ("charcoal", 14, 25), ("grill tongs", 16, 0), ("marinade", 6, 25)),
        "pets": (("dog bed", 52, 0), ("dog food", 29, 21), ("dog toy", 11, 60), ("cat litter", 13, 18)),
    },
}

GROUP_SIZE: Final = 4

#: One word of a title; products of one style lie close to each other in taste.
STYLES: Final = (
    "classic", "compact", "premium", "eco", "retro", "sporty", "minimal", "playful", "elegant", "rugged",
)  # fmt: skip
#: Word for the price within the category, from the cheapest fifth to the dearest.
TIERS: Final = ("basic", "value", "", "plus", "pro")
COLOURS: Final = ("black", "white", "grey", "blue", "green", "red", "sand", "rose")

BRANDS_OF_DEPARTMENT: Final = 12
_HEADS: Final = ("Nor", "Bel", "Kar", "Lum", "Vas", "Tor", "Mir", "Hal", "Zen", "Osk", "Fen", "Dra")
_TAILS: Final = ("vel", "ana", "dex", "ora", "tek", "lin", "mont", "isa")

#: Country, its share of users, hours ahead of UTC.
COUNTRIES: Final = (
    ("US", 0.24, -6), ("BR", 0.08, -3), ("GB", 0.14, 0), ("DE", 0.16, 1),
    ("FR", 0.12, 1), ("PL", 0.08, 1), ("IN", 0.10, 5), ("JP", 0.08, 9),
)  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A kind of customer: share of users, dislike of high prices, love of what trends, will to buy."""

    name: str
    share: float
    price_aversion: float
    trend: float
    buying: float


SEGMENTS: Final = (
    Segment("bargain", 0.28, 0.9, 0.08, 0.8),
    Segment("regular", 0.34, 0.3, 0.08, 1.0),
    Segment("trend", 0.14, 0.1, 0.30, 0.9),
    Segment("quality", 0.16, -0.5, 0.05, 1.2),
    Segment("browser", 0.08, 0.3, 0.15, 0.25),
)

#: Channel of a session and its share as a user's usual one.
SOURCES: Final = (("desktop", 0.38), ("mobile", 0.34), ("tablet", 0.06), ("app", 0.22), ("email", 0.0))
EMAIL: Final = 4


@dataclass(frozen=True)
class Leaf:
    """A category without children."""

    department: int
    name: str
    path: str
    price: float
    cycle_days: int


def leaves(count: int) -> list[Leaf]:
    """The first ``count`` leaves (a multiple of 4, at most 128), whole groups, departments in turn."""
    groups: list[list[Leaf]] = []
    for turn in range(4):
        for number, (department, children) in enumerate(_TREE.items()):
            group, items = list(children.items())[turn]
            groups.append(
                [
                    Leaf(number, name, f"{department} > {group} > {name}", price, cycle)
                    for name, price, cycle in items
                ]
            )
    return [leaf for group in groups[: count // GROUP_SIZE] for leaf in group]


def brands() -> list[str]:
    """Brand names; those of department ``d`` are at ``d * BRANDS_OF_DEPARTMENT`` and after."""
    return [head + tail for tail in _TAILS for head in _HEADS]
