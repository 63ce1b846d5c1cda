from demo.catalogue import BY_ID, CATEGORIES, PRODUCTS, SHELVES, search


def test_has_60_products_on_8_shelves() -> None:
    assert len(PRODUCTS) == len(BY_ID) == 60
    assert {product.category for product in PRODUCTS} == {shelf.slug for shelf in CATEGORIES}
    assert len(CATEGORIES) == 8
    assert min(len(shelf) for shelf in SHELVES.values()) >= 7


def test_every_product_costs_something_in_cents() -> None:
    for product in PRODUCTS:
        assert product.price > 0
        assert product.price.as_tuple().exponent == -2


def test_each_shelf_has_a_face_from_its_own() -> None:
    assert all(BY_ID[shelf.face].category == shelf.slug for shelf in CATEGORIES)


def test_shelves_tell_of_products_in_all_three_ways() -> None:
    assert {shelf.told_by for shelf in CATEGORIES} == {"data_layer", "json_ld", "microdata"}


def test_companions_exist_and_are_others() -> None:
    for product in PRODUCTS:
        assert set(product.companions) <= set(BY_ID) - {product.item_id}


def test_planted_companions_are_there() -> None:
    assert "BULB-1" in BY_ID["LAMP-1"].companions
    assert "CASE-1" in BY_ID["PHONE-1"].companions
    assert "BOARD-1" in BY_ID["KNIFE-1"].companions
    assert sum(bool(product.companions) for product in PRODUCTS) > 30


def test_search_wants_every_word() -> None:
    assert [product.item_id for product in search("Table LAMP")] == ["LAMP-1", "SHADE-1"]
    assert search("lamp submarine") == []


def test_search_for_nothing_finds_nothing() -> None:
    assert search("  ") == []
