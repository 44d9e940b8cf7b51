"""JSON as it is kept and sent: nothing between what is told."""

from __future__ import annotations

import json
from typing import Final

compact: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=dict).encode
"""The JSON text of a value, in which mappings and tuples may stand for objects and arrays. The
encoder is made once, and trusts that nothing contains itself: that is a third of its time."""
