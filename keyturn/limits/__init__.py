"""Limits of a credential: what they are and how they stand, for server and library alike."""
