"""What to tell someone who wrote a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The nearest names, and failing those, all.

    >>> did_you_mean("halucinate", ["hallucinate", "refine"])
    'did you mean hallucinate? there are hallucinate, refine'
    """
    names = list(known)
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in get_close_matches(given.lower(), folded, n=2)]
    there_are = f"there are {', '.join(names)}" if names else "there are none"
    return f"did you mean {' or '.join(near)}? {there_are}" if near else there_are
