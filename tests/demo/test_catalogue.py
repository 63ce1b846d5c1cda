from demo.catalogue import BY_ID, CATEGORIES, PRODUCTS, search


def test_has_24_products_on_5_shelves() -> None:
    assert len(PRODUCTS) == len(BY_ID) == 24
    assert {product.category for product in PRODUCTS} == {shelf.slug for shelf in CATEGORIES}
    assert len(CATEGORIES) == 5


def test_companions_exist_and_are_others() -> None:
    for product in PRODUCTS:
        assert set(product.companions) <= set(BY_ID) - {product.item_id}


def test_planted_companions_are_there() -> None:
    assert "BULB-1" in BY_ID["LAMP-1"].companions
    assert "CASE-1" in BY_ID["PHONE-1"].companions


def test_search_wants_every_word() -> None:
    assert [product.item_id for product in search("Table LAMP")] == ["LAMP-1", "SHADE-1"]
    assert search("lamp submarine") == []


def test_search_for_nothing_finds_nothing() -> None:
    assert search("  ") == []
