"""What the shop tells machines that read its pages: schema.org, as search engines want it.

JSON-LD is made here; microdata is in the template of the product page.
"""

from demo.catalogue import CURRENCY, Product

__all__ = ["product_markup"]


def product_markup(product: Product, url: str, image: str) -> dict[str, object]:
    """schema.org/Product with one offer; `url` and `image` are absolute addresses."""
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "@id": url,
        "sku": product.item_id,
        "name": product.name,
        "description": product.description,
        "image": image,
        "category": product.category,
        "brand": {"@type": "Brand", "name": product.brand},
        "offers": {
            "@type": "Offer",
            "url": url,
            "price": str(product.price),
            "priceCurrency": CURRENCY,
            "availability": "https://schema.org/InStock",
        },
    }
