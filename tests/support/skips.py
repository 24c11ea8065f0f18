"""The one reason for which a test may be skipped under CI (CONTRACT §1)."""

NOT_AS_ROOT = "nothing is unreadable for root"
