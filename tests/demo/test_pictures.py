from dataclasses import replace
from xml.etree import ElementTree

import pytest

from demo.catalogue import BY_ID, PRODUCTS, Product
from demo.pictures import draw


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.item_id)
def test_every_product_has_a_sound_picture(product: Product) -> None:
    picture = ElementTree.fromstring(draw(product))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert product.colours[0] in draw(product)
    assert "$" not in draw(product)


def test_pictures_differ() -> None:
    assert len({draw(product) for product in PRODUCTS}) == len(PRODUCTS)


def test_name_is_escaped() -> None:
    odd = replace(BY_ID["LAMP-1"], name="A & <B>")
    assert "<title>A &amp; &lt;B&gt;</title>" in draw(odd)
