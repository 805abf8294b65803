from itertools import chain

import numpy as np
import pytest

from reco_assets.candidates import item_item
from reco_assets.candidates.item_item import ItemItem
from tests.candidates.shops import NOW, Did, click, log, pairs, past, shop, top

ITEMS = shop("a", "b", "c", "d")


def sets(*owned: str) -> list[Did]:
    """One person a text, who has the products of one letter."""
    return list(chain.from_iterable([click(f"u{at}", one) for one in text] for at, text in enumerate(owned)))


@pytest.mark.parametrize(("set_power", "power"), [(0.0, 0.0), (0.75, 0.1)])
def test_the_weights_are_those_of_the_paper_for_what_people_and_products_count(
    monkeypatch: pytest.MonkeyPatch, set_power: float, power: float
) -> None:
    for name, value in (("REGULARISATION", 2.0), ("SET_POWER", set_power), ("POWER", power)):
        monkeypatch.setattr(item_item, name, value)
    owned = ("ab", "ab", "abc", "cd", "d")
    x = np.array([[product in one for product in "abcd"] for one in owned], float)
    counts = x.sum(axis=1) ** -set_power
    common = x.T @ (x * (counts * x.sum() / (counts @ x.sum(axis=1)))[:, None])
    standing = np.diag(common) ** power
    scaled = common / np.outer(standing, standing)
    inverse = np.linalg.inv(scaled + 2.0 * np.trace(scaled) / np.trace(common) * np.eye(4))
    expected = -inverse / np.diag(inverse) / standing[:, None]
    found = {(one, other): score for one, other, score in pairs(_fit(*owned), ITEMS)}
    for i, one in enumerate("abcd"):
        for j, other in enumerate("abcd"):
            if i != j and abs(expected[i, j]) > 1e-6:
                assert found.pop((one, other)) == pytest.approx(expected[i, j], rel=1e-5)
    assert not found


def test_what_people_have_together_goes_together() -> None:
    assert next(iter(top(_fit("ab", "ab", "cd", "cd"), ITEMS, past(ITEMS, "a")))) == "b"


def test_what_others_have_instead_speaks_against_and_is_not_proposed() -> None:
    fitted = _fit("ab", "ab", "ab", "bc", "bc", "bc")
    against = {(one, other): score for one, other, score in pairs(fitted, ITEMS)}
    assert against["a", "c"] < 0.0
    assert "c" not in top(fitted, ITEMS, past(ITEMS, "a"))


def test_having_something_twice_says_no_more_than_having_it() -> None:
    assert top(_fit("ab", "ab"), ITEMS, past(ITEMS, "a", "a")) == top(
        _fit("ab", "ab"), ITEMS, past(ITEMS, "a")
    )


def test_only_the_most_popular_products_have_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_item, "HEAD", 2)
    found = {one for one, _, _ in pairs(_fit("ab", "ab", "abc", "cd"), ITEMS)}
    assert found == {"a", "b"}


def _fit(*owned: str) -> ItemItem:
    return ItemItem.fit(log(ITEMS, *sets(*owned)), ITEMS, NOW)
