"""Parameters as they come out of templates and parsers, and what may be left of each. The event itself must not be lost."""

from typing import Any

# JavaScript of an item's fields, and what of them is right.
ITEM_FIELDS: dict[str, dict[str, Any]] = {
    "price: '39,90'": {},
    "price: '1.299,00 €'": {},
    "price: '€ 39.90'": {},
    "price: ''": {},
    "price: null": {},
    "price: undefined": {},
    "price: NaN": {},
    "price: Infinity": {},
    "price: {amount: 39.9}": {},
    "price: [39.9]": {},
    "price: ' 39.90 '": {"price": 39.9},
    "price: '39.90'": {"price": 39.9},
    "price: 39.900000000000006": {"price": 39.900000000000006},
    "price: 0": {"price": 0},
    "quantity: '2'": {"quantity": 2},
    "quantity: '2.6'": {"quantity": 3},
    "quantity: '2 pieces'": {},
    "quantity: ''": {},
    "quantity: NaN": {},
    "index: '3'": {"index": 3},
    "index: 'third'": {},
    "item_name: 7": {"item_name": "7"},
    "item_name: ['a']": {},
    "item_brand: {name: 'Lumen'}": {},
    "item_variant: false": {"item_variant": "false"},
    "tags: ['a'], rating: {value: 5}, sold: () => 1": {},
}
EVENT_FIELDS: dict[str, dict[str, Any]] = {
    "value: '39.90', currency: 'eur'": {"value": 39.9, "currency": "EUR"},
    "value: '39,90', currency: 'EUR'": {"currency": "EUR"},
    "value: NaN, currency: 'EUR'": {"currency": "EUR"},
    "value: '', currency: ''": {},
    "value: null, currency: null": {},
    "coupon: ['WINTER']": {},
    "coupon: 'x'.repeat(400)": {"coupon": "x" * 100},
    "note: 'x'.repeat(400)": {"properties": {"note": "x" * 100}},
    "flag: true, count: 3, nested: {a: 1}, list: [1]": {"properties": {"flag": True, "count": 3}},
}
# The collector refuses these; the rest of the page's events must not suffer.
ITEM_FIELDS_REFUSED: dict[str, dict[str, Any]] = {
    "price: ' '": {},
    "price: 'Infinity'": {},
    "price: true": {},
    "price: -5": {},
    "price: '0x10'": {},
    "discount: -4": {},
    "quantity: Infinity": {},
    "quantity: -1": {},
    "item_category: 'x'.repeat(400)": {"item_category": "x" * 300},
    "item_name: 'x'.repeat(400)": {"item_name": "x" * 300},
}
EVENT_FIELDS_REFUSED: dict[str, dict[str, Any]] = {
    "value: true, currency: 'EUR'": {"currency": "EUR"},
    "value: -3, currency: 'EUR'": {"currency": "EUR"},
    "value: 39.9": {},
    "value: 39.9, currency: '€'": {},
    "value: 39.9, currency: 'euro'": {},
    "value: 39.9, currency: 978": {},
    "value: 39.9, currency: {code: 'EUR'}": {},
    "rating: parseFloat('')": {},
    "score: Infinity": {},
    "content: 'Lamp'": {},
    "consent: true": {},
}


def item_page(fields: list[str]) -> str:
    """A page that views a product of its own for each of the fields."""
    return "".join(
        f"dataLayer.push({{event: 'view_item', ecommerce: {{items: [{{item_id: 'ODD-{n}-', {said}}}]}}}});"
        for n, said in enumerate(fields)
    )


def event_page(fields: list[str]) -> str:
    return "".join(
        f"dataLayer.push({{event: 'view_item', ecommerce: {{items: [{{item_id: 'ODD-{n}-'}}], {said}}}}});"
        for n, said in enumerate(fields)
    )
