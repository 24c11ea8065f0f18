"""STORAGE: the models, the functions that query them, and the directory of cached records."""
