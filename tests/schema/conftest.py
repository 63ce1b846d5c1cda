"""What tests of the contract share."""

from tests.support.live_profile import live

__all__ = ["live"]
