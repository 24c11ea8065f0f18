"""Use cases behind API, CLI and dashboard: each one transaction, checking its actor's rights."""
