"""Generated shops have what models live on."""

import numpy as np
import pytest

from loadtests.offers_generate import Shop, generated
from personalizer.models.behaviour import CART, PURCHASE, VIEW


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generated(20_000, 400, seed=3)


def test_behaviour_is_sound_and_in_order(shop: Shop) -> None:
    behaviour = shop.behaviour
    assert len(behaviour) == 20_000
    assert behaviour.sound(shop.n_items)
    assert (np.diff(behaviour.ended) >= 0).all()
    within = np.ones(len(behaviour.items) - 1, np.bool_)
    within[behaviour.starts[1:-1] - 1] = False
    assert (np.diff(behaviour.times)[within] >= 0).all()


def test_the_same_seed_gives_the_same_shop_and_another_one_another(shop: Shop) -> None:
    same, other = generated(20_000, 400, seed=3), generated(20_000, 400, seed=3, drawn=9)
    assert (same.behaviour.items == shop.behaviour.items).all()
    assert (other.category_of == shop.category_of).all()
    assert (other.partner_of == shop.partner_of).all()
    assert other.behaviour.items[:50].tolist() != shop.behaviour.items[:50].tolist()


def test_few_items_have_most_of_the_clicks(shop: Shop) -> None:
    counts = np.sort(np.bincount(shop.behaviour.items, minlength=400))[::-1]
    assert counts[:40].sum() > 0.3 * counts.sum()
    assert counts[200:].sum() < 0.35 * counts.sum()


def test_partners_follow_each_other_more_than_chance_has_it(shop: Shop) -> None:
    views = shop.behaviour.items[shop.behaviour.kinds == VIEW]
    follows = shop.partner_of[views[:-1]] == views[1:]
    assert follows.mean() > 0.08
    assert (shop.partner_of != np.arange(400)).all()


def test_new_items_come_late(shop: Shop) -> None:
    behaviour = shop.behaviour
    begin, end = behaviour.times.min(), behaviour.times.max()
    first = np.full(400, end)
    np.minimum.at(first, behaviour.items, behaviour.times)
    assert np.count_nonzero(first > begin + 0.85 * (end - begin)) >= 15  # of twenty; some nobody has clicked yet


def test_carts_follow_views_of_the_same_item(shop: Shop) -> None:
    kinds, items = shop.behaviour.kinds, shop.behaviour.items
    carts = np.flatnonzero(kinds == CART)
    assert 0.04 < len(carts) / np.count_nonzero(kinds == VIEW) < 0.08
    assert (items[carts] == items[carts - 1]).all()
    assert (kinds[carts - 1] == VIEW).all()
    assert (kinds[np.flatnonzero(kinds == PURCHASE) - 1] == CART).all()


def test_too_few_items_are_refused() -> None:
    with pytest.raises(ValueError, match="got 10 and 39"):
        generated(10, 39, seed=1)
