"""The ranker of next items: sessions like this one, steps from item to item, and what is learned on top of them."""

from personalizer.models.next_item.model import NextItem
from personalizer.models.next_item.visit import SOURCES, Ranked, Visit

__all__ = ["SOURCES", "NextItem", "Ranked", "Visit"]
