"""One small API, by each framework."""
