"""The browser and the far end of the wire, for the tests of the beacon."""

from tests.support.browser import browser, chromium_path, context, far_end, page, shop_page, wait_until

__all__ = ["browser", "chromium_path", "context", "far_end", "page", "shop_page", "wait_until"]
