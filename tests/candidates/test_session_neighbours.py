from reco_assets.candidates import session_neighbours
from reco_assets.candidates.session_neighbours import SessionNeighbours
from reco_assets.interactions.log import InteractionLog
from tests.candidates.shops import NOW, Did, click, log, past, shop, top

ITEMS = shop("a", "b", "c", "d", "e", "x")


def walk(user: str, products: str, *, ago: float = 1.0) -> list[Did]:
    """A session: one click a minute on products of one letter."""
    return [click(user, product, ago=ago - at / 1440) for at, product in enumerate(products)]


def fit(history: InteractionLog) -> SessionNeighbours:
    return SessionNeighbours.fit(history, ITEMS, NOW)


def test_what_came_next_counts_more_than_what_came_before_and_near_more_than_far() -> None:
    found = top(fit(log(ITEMS, *walk("u", "abcde"))), ITEMS, past(ITEMS, "c"))
    assert list(found) == ["d", "e", "b", "a"]


def test_a_session_that_shares_more_speaks_louder() -> None:
    history = log(ITEMS, *walk("u", "abc"), *walk("v", "xbd"))
    found = top(fit(history), ITEMS, past(ITEMS, "a", "b"))
    assert found["c"] > found["d"]


def test_a_newer_session_speaks_louder() -> None:
    found = top(fit(log(ITEMS, *walk("u", "ab", ago=90), *walk("v", "ac"))), ITEMS, past(ITEMS, "a"))
    assert list(found) == ["c", "b"]


def test_a_longer_session_says_less_of_each_of_its_products() -> None:
    found = top(fit(log(ITEMS, *walk("u", "abxde"), *walk("v", "ac"))), ITEMS, past(ITEMS, "a"))
    assert found["c"] > found["b"]


def test_the_newest_own_product_counts_most() -> None:
    history = log(ITEMS, *walk("u", "ab"), *walk("v", "xc"))
    found = top(fit(history), ITEMS, past(ITEMS, "a", "x"))
    assert list(found) == ["c", "b"]


def test_own_products_may_come_back_where_others_came_back() -> None:
    assert "a" in top(fit(log(ITEMS, *walk("u", "aba"))), ITEMS, past(ITEMS, "a", "b"))


def test_only_the_newest_occurrences_of_a_product_are_kept() -> None:
    most = session_neighbours.LOOKED_UP
    many = (did for n in range(most + 50) for did in walk(f"u{n:04d}", "ab", ago=2.0 + n))
    fitted = fit(log(ITEMS, *many))
    assert fitted.table(ITEMS)["occurrences"].to_list() == [most, most, 0, 0, 0, 0]
    assert {int(visitor) for visitor in fitted.visitor} == set(range(most))
