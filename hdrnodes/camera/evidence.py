"""What a plate tells of its camera at full size, by the names under which networks ask for it.

Each takes N x 3 x H x W float32, display-referred, 0..1, as the camera wrote it, and gives N x a number of numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hdrnodes.camera.edges import edge_evidence
from hdrnodes.camera.noise_levels import noise_by_level
from hdrnodes.camera.transitions import transitions_by_level

Array = Any

EVIDENCE: Mapping[str, Callable[[Array], Array]] = {
    "edges": edge_evidence,
    "transitions": transitions_by_level,
    "noise": noise_by_level,
}
