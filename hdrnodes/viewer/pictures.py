"""What is looked at: one side or two, each a file or the frames of a pattern, read when they are wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from hdrnodes.sequences import existing_frames, frame_path, is_pattern
from hdrnodes.viewer.picture import Picture

KEPT_BYTES = 1_500_000_000  # of pictures that were read: six frames of 3840 x 2160


@dataclass(frozen=True)
class Side:
    """A file, or the frames of a pattern that are there; `gaps` are those of the range that are not."""

    name: str
    frames: tuple[int, ...] = ()
    gaps: tuple[int, ...] = ()

    @classmethod
    def find(cls, name: str, frames: str | None = None) -> Side:
        """Raises ReadError where a pattern has no frame, or `frames` is no range."""
        if not is_pattern(name):
            return cls(name)
        there, gaps = existing_frames(name, frames)
        return cls(name, tuple(there), tuple(gaps))

    def path(self, frame: int | None) -> Path:
        return Path(self.name) if frame is None or not self.frames else frame_path(self.name, frame)


class Pictures:
    """Both sides' pictures, kept while there is room. Threads may ask side by side: each file is read once.

    Args:
        sides: the first is A, the second B. A pattern's frames are gone through; a file beside it stays. Of two
            patterns, the first says which frames.
    """

    def __init__(self, sides: Sequence[Side]) -> None:
        self.sides = tuple(sides)
        self.frames: tuple[int | None, ...] = next((side.frames for side in sides if side.frames), (None,))
        self._kept: OrderedDict[tuple[Path, int, int], Picture] = OrderedDict()
        self._lock = Lock()
        self._reading: dict[Path, Lock] = {}

    def get(self, side: int, frame: int) -> Picture:
        """The picture of a side at a place in `frames`.

        Raises:
            ReadError: it cannot be read.
            IndexError: there is no such side or frame.
        """
        if not (0 <= side < len(self.sides) and 0 <= frame < len(self.frames)):
            raise IndexError(f"no side {side}, or no frame {frame}")
        path = self.sides[side].path(self.frames[frame])
        with self._lock:
            reading = self._reading.setdefault(path, Lock())
        with reading:
            key = _as_it_is_now(path)
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            picture = Picture.load(path)
            with self._lock:
                self._keep(key, picture)
            return picture

    def _keep(self, key: tuple[Path, int, int], picture: Picture) -> None:
        self._kept[key] = picture
        while len(self._kept) > len(self.sides) and sum(each.nbytes for each in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)


def _as_it_is_now(path: Path) -> tuple[Path, int, int]:
    """A frame that is rendered anew while one looks is another picture."""
    try:
        state = path.stat()
    except OSError:  # `read` says what is wrong with it
        return path, 0, 0
    return path, state.st_mtime_ns, state.st_size
