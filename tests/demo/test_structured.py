from demo.catalogue import BY_ID
from demo.structured import product_markup


def test_markup_has_what_search_engines_ask_for() -> None:
    assert product_markup(BY_ID["LAMP-1"], "https://s.example/p", "https://s.example/i") == {
        "@context": "https://schema.org",
        "@type": "Product",
        "@id": "https://s.example/p",
        "sku": "LAMP-1",
        "name": "Table lamp Duna",
        "description": BY_ID["LAMP-1"].description,
        "image": "https://s.example/i",
        "category": "light",
        "brand": {"@type": "Brand", "name": "Lumo"},
        "offers": {
            "@type": "Offer",
            "url": "https://s.example/p",
            "price": "39.90",
            "priceCurrency": "EUR",
            "availability": "https://schema.org/InStock",
        },
    }
