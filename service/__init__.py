"""What people and LiveKit touch: the webhook endpoint, the API, the command line, the sandbox.

This package decides nothing. It verifies and hands events to `workers`, and shows what they did.
"""
