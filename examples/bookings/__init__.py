"""A small booking API, guarded by keyturn: what to copy for an API of one's own."""
