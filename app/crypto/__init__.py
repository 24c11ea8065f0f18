"""CRYPTO: the keyring, its signers and the master key; knows bytes and keys, not OAuth."""
