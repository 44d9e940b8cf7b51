"""The work: events are taken from Redis, decided by the rules, and carried out against LiveKit.

This package owns every key in Redis and every call to a provider. It may import `rules` and must
not know of Flask, HTML or the terminal: whoever shows its results lives in `service`.
"""
