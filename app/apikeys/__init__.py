"""API keys: how they are asked for and shown (values), what they may be (rules), their life."""
