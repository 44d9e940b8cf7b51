"""Names in the API's paths."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class RoomName(BaseConverter):
    """A room's name: any characters, slashes and line ends too, as `<room:name>` in a route.

    WSGI tells paths decoded, so that `a%2Fb` comes as `a/b`; nor does granian tell them as they
    were sent. Where more follows, the name takes all that it can: rooms are named by strangers.
    """

    regex = r"[\s\S]+"
    part_isolating = False
