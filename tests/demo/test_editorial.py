from demo.catalogue import BY_ID, CATEGORIES, search
from demo.editorial import ADS, AUTUMN, STORIES


def test_promotion_leads_to_a_shelf_of_the_shop() -> None:
    assert AUTUMN.category in {shelf.slug for shelf in CATEGORIES}


def test_response_code_says_place_and_version() -> None:
    assert AUTUMN.code("home-hero") == "home-hero.autumn"
    assert AUTUMN.as_ga4("home-hero") == {
        "promotion_id": "autumn-light",
        "promotion_name": "Autumn light",
        "creative_name": "autumn",
        "creative_slot": "home-hero",
    }


def test_promised_price_is_that_of_the_cheapest_lamp() -> None:
    lamps = [product.price for product in BY_ID.values() if product.item_id.startswith("LAMP-")]
    assert f"from €{min(lamps)}" in AUTUMN.line


def test_stories_are_about_things_that_the_shop_has() -> None:
    for slug, story in STORIES.items():
        assert slug == story.slug
        assert {*story.item_ids, story.face} <= set(BY_ID)


def test_advertisements_lead_to_what_the_shop_has_of_the_brand() -> None:
    assert set(ADS) <= {shelf.slug for shelf in CATEGORIES}
    for ad in ADS.values():
        assert BY_ID[ad.face] in search(ad.brand)
