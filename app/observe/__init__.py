"""OBSERVE: what is seen from outside – counts, log lines, traces, readiness."""
