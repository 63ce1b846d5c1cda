"""A shop's pages in a real browser, before the real collector with its real live store."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from personalizer.models.store import ModelStore
from tests.personalizer.planted import planted_model
from tests.support.browser import CHROMIUM_ARGS, chromium_path
from tests.support.figures import Figures
from tests.support.live_shop import LiveShop
from tests.support.observed import SITE, TRUTH

__all__ = ["browser", "chromium_path", "context", "crashing", "page", "shop", "standing", "tell"]

ARGUMENTS = [*CHROMIUM_ARGS, "--host-resolver-rules=MAP *.test 127.0.0.1"]


@pytest.fixture(scope="package")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    """A shop with offers whose servers nobody harms; shared."""
    folder = tmp_path_factory.mktemp("live")
    ModelStore(folder / "data" / "models").save(SITE, planted_model(), {}, datetime.now(UTC))
    with LiveShop(folder, "baliza.cli serve public") as started:
        yield started


@pytest.fixture
def shop(standing: LiveShop) -> LiveShop:
    standing.front.forget()
    return standing


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[LiveShop]:
    """A shop of the test's own, whose servers it may kill."""
    with LiveShop(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium_path,
            args=ARGUMENTS,
            # People's browsers have it, so what happens at a return is part of what is tested.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser, whose pages write down beside the beacon's queue what was recorded."""
    made = browser.new_context()
    made.set_default_timeout(30_000)
    made.add_init_script(TRUTH)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[Figures], None]:
    """Show figures among the results, whether or not the test fails."""

    plugins = request.config.pluginmanager

    def show(figures: Figures) -> None:
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            plugins.getplugin("terminalreporter").write_line(f"\n{figures}")

    return show
