"""Benchmarks: ``python -m benchmarks`` over sockets, ``python -m benchmarks.inprocess`` without.

Loopback only, bounded in time and requests. ``docs/performance.md`` says what the figures mean.
"""
