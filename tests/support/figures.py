"""What a row of repetitions came to: how many events were recorded, lost, counted twice."""

from collections import Counter
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext

from tests.support.live_shop import LiveShop
from tests.support.observed import told_by, visitor_of


@dataclass
class Figures:
    """`lost` and `double` are to be 0; what arrives twice at the wire costs a request and counts once."""

    name: str
    ways: Counter[str] = field(default_factory=Counter)
    recorded: int = 0
    lost: int = 0
    double: int = 0
    arrived: int = 0
    twice_at_the_wire: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        ways = ", ".join(f"{times} {way}" for way, times in sorted(self.ways.items()))
        share = self.twice_at_the_wire / max(1, self.arrived)
        return (
            f"{self.name}: {self.ways.total()} repetitions ({ways}), {self.recorded} events recorded, lost {self.lost}, "
            f"double {self.double}; twice at the wire {self.twice_at_the_wire} of {self.arrived} ({share:.1%}); "
            f"{self.seconds:.0f} s"
        )

    def settle(self, shop: LiveShop, context: BrowserContext, searched: set[str], origin: str = "") -> None:
        """Count, after the visitor's next page has sent what it found."""
        page = shop.open(context, origin=origin)
        shop.until_sent(page, within_s=90)
        visitor = visitor_of(page)
        page.close()
        told = told_by(context, (origin or shop.origin) + "/plain")
        taken, terms = shop.observed.ids(visitor), shop.observed.terms(visitor)
        counted = shop.observed.live_session(visitor).events
        self.recorded = len(told)
        # By what the pages wrote down, by what the test did, and by what the profile counted.
        self.lost = max(len(told - set(taken)), len(searched - set(terms)), len(told) - counted)
        self.double = max(taken.total() - len(taken), terms.total() - len(terms), counted - len(taken))
        at_the_wire = [times for event_id, times in shop.front.times_at_the_wire().items() if event_id in told]
        self.arrived, self.twice_at_the_wire = len(at_the_wire), sum(times > 1 for times in at_the_wire)
