"""Channels by their names: which are the colours, which is alpha, what is called what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RGB_NAMES = (("r", "red"), ("g", "green"), ("b", "blue"))  # in lower case


def default_channels(count: int) -> tuple[str, ...]:
    """Names for that many channels: Y, Y A, R G B, R G B A, then C4, C5...

    >>> default_channels(5)
    ('R', 'G', 'B', 'A', 'C4')
    """
    if count < 3:
        return ("Y", "A")[:count]
    return (*"RGBA"[:count], *(f"C{index}" for index in range(4, count)))


def alpha_channel(channels: Sequence[str], colour: int) -> int | None:
    """Alpha of the layer that a colour channel is in."""
    return find_channel(channels, layer_of(channels[colour]), ("a", "alpha"))


def in_colour(channels: Sequence[str], grey: int) -> tuple[str, ...]:
    """Names with R, G, B in place of the grey channel. OpenImageIO calls two nameless channels R, G: the second is
    no green, and becomes G.1."""
    layer = layer_of(channels[grey])
    taken = {find_channel(channels, layer, names) for names in RGB_NAMES}
    extras = [f"{name}.{index}" if index in taken else name for index, name in enumerate(channels)]
    colour = [f"{layer}.{name}" if layer else name for name in "RGB"]
    return (*extras[:grey], *colour, *extras[grey + 1 :])


def layer_of(channel: str) -> str:
    """
    >>> layer_of("beauty.R"), layer_of("R")
    ('beauty', '')
    """
    return channel.rpartition(".")[0]


def colour_channels(channels: Sequence[str]) -> tuple[int, ...]:
    """R, G, B of no layer, else of the first that has them; else Y; else the first three; else the first."""
    for layer in ("", *map(layer_of, channels)):
        rgb = [find_channel(channels, layer, names) for names in RGB_NAMES]
        if None not in rgb:
            return tuple(index for index in rgb if index is not None)
    grey = find_channel(channels, "", ("y",))
    if grey is not None:
        return (grey,)
    return (0, 1, 2) if len(channels) >= 3 else (0,)


def part_of_rgb(channels: Sequence[str]) -> tuple[str, ...]:
    """Two of R, G, B where the third is missing, in the layer that colours would be taken from; else nothing.

    >>> part_of_rgb(["R", "G", "A"]), part_of_rgb(["R", "G", "B"]), part_of_rgb(["R"])
    (('R', 'G'), (), ())
    """
    first = channels[colour_channels(channels)[0]]
    found = [find_channel(channels, layer_of(first), names) for names in RGB_NAMES]
    named = tuple(channels[index] for index in found if index is not None)
    return named if len(named) == 2 else ()


def find_channel(channels: Sequence[str], layer: str, names: tuple[str, ...]) -> int | None:
    for index, channel in enumerate(channels):
        of, _, name = channel.rpartition(".")
        if of == layer and name.lower() in names:
            return index
    return None


def as_slice(indices: Sequence[int]) -> Any:
    """The indices as a slice where they follow each other, so that indexing makes a view."""
    first = indices[0]
    if tuple(indices) == tuple(range(first, first + len(indices))):
        return slice(first, first + len(indices))
    return list(indices)
