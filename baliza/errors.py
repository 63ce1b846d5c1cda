"""Everything that baliza raises on purpose.

* BalizaError
  + BadSetting          a setting from the environment or baliza.toml cannot be used; the process must not start
  + PortTaken           another process listens where this one should
  + EngineError         an embedded engine did not start or died
  + StoreDown           503  Redis or ClickHouse does not answer; try again later
  + MigrationError      the ClickHouse schema is not what the migrations say
  + TooManyEvents       429  more than a visitor, a network or a site may send; try again later
  + NotFound            404  a named thing (site, session, visitor, model) does not exist
  + Conflict            409  a named thing exists already
  + BadRequest          400  the request cannot be understood; do not repeat it
    - Unauthorized      401  no key, or a key that nobody has
    - Forbidden         403  a known key that may not do this, from here
    - TooLarge          413  larger than what is taken
"""

from collections.abc import Mapping

__all__ = [
    "BadRequest",
    "BadSetting",
    "BalizaError",
    "Conflict",
    "EngineError",
    "Forbidden",
    "MigrationError",
    "NotFound",
    "PortTaken",
    "StoreDown",
    "TooLarge",
    "TooManyEvents",
    "Unauthorized",
    "problem",
]


class BalizaError(Exception):
    """The root of the tree. `status` is the HTTP status that this error becomes at an edge."""

    status = 500
    title = "Something went wrong here"

    @property
    def public(self) -> str:
        """What may be told to whoever asked over HTTP."""
        return str(self)


class BadSetting(BalizaError):
    """A setting has a value that cannot be used; the message carries its name."""


class PortTaken(BalizaError):
    """A port that this process needs is in use; the message says which and what to do."""


class EngineError(BalizaError):
    """An embedded engine did not start, or died."""


class StoreDown(BalizaError):
    """Redis or ClickHouse does not answer (or is full). Nothing was accepted; try again after `retry_after_s`.

    `why` is for logs and command lines: it may name hosts and ports, which are nobody else's business.
    """

    status = 503
    title = "Store not available"
    retry_after_s = 2

    def __init__(self, what: str, why: object = "") -> None:
        super().__init__(f"{what}: {why}" if why else what)
        self._what = what

    @property
    def public(self) -> str:
        return self._what


class TooManyEvents(BalizaError):
    """Somebody sends more than is taken from one sender. Nothing was accepted; try again after `retry_after_s`."""

    status = 429
    title = "Too many events"

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class MigrationError(BalizaError):
    """The ClickHouse schema and the migrations disagree."""


class NotFound(BalizaError):
    """What was asked for by name does not exist."""

    status = 404
    title = "Not found"


class Conflict(BalizaError):
    """What should be made exists already."""

    status = 409
    title = "Exists already"


class BadRequest(BalizaError):
    """The request is not what was expected; repeating it will not help."""

    status = 400
    title = "Bad request"


class Unauthorized(BadRequest):
    """No key, or a key that no site has."""

    status = 401
    title = "Unknown key"


class Forbidden(BadRequest):
    """A known key that may not do this from here."""

    status = 403
    title = "Not allowed"


class TooLarge(BadRequest):
    """The body, or one event of it, is larger than what is taken."""

    status = 413
    title = "Too large"


def problem(error: BalizaError) -> Mapping[str, object]:
    """The error as an RFC 9457 problem object; errors of our own making only, so that nothing internal leaks."""
    return {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.public}
