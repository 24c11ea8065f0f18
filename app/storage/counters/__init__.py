"""Counters that every worker, and where an engine can, every node shares: N lets N pass.

A counter belongs to a name and a window; ``hit`` adds to it and answers what it has become. The
engines are Redis, the database, and a file in shared memory for the workers of one node.
"""
