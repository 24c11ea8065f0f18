"""PROTOCOL: what the RFCs say, over Authlib's framework-free core; no I/O of its own."""
