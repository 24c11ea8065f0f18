"""For programs that call an API: when to try again."""

from keyturn.client.backoff import Backoff

__all__ = ["Backoff"]
