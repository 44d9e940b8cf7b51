"""How pages call deployments: `""` is `production`, and one that is called so stands in quotes.

The API and the command line take names as they are: there `""` alone is production.
"""

from __future__ import annotations

from typing import Final

PRODUCTION: Final = "production"
_QUOTE: Final = '"'


def deployment_word(name: str) -> str:
    """A deployment as pages write it, each another; `deployment_of` reads it back."""
    if not name:
        return PRODUCTION
    return f'"{name}"' if name == PRODUCTION or name.startswith(_QUOTE) else name


def deployment_of(word: str) -> str:
    """The deployment that somebody has typed; what stands in quotes is taken as it is."""
    if word == PRODUCTION:
        return ""
    is_quoted = len(word) > 1 and word[0] == word[-1] == _QUOTE
    return word[1:-1] if is_quoted else word
