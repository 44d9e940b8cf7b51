"""The rule language and its meaning.

This package knows what an event is, what is known of a room, and which agents a rule file wants
there. It reads rule files and nothing else: no clock, no Redis, no HTTP. Time, presence and live
claims come in as arguments, so the same code decides in production, explains on a terminal and
runs an operator's rule tests.
"""
