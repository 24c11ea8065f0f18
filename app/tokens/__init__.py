"""Tokens: the keyring that signs them, the issuer that makes them, the journal of what was made."""
