"""Train a `linearize` that learns from numbers: draw plates once, keep their numbers, train on those.

What `default`'s network is told of a plate (`Linearize.numbers`) is not learned, and costs a thousand times what the
rest of it does. So plates are drawn before the first step, and forgotten but for their numbers and curves, which lie in
the run's folder, some hundreds to a file. A run that is stopped while it draws goes on where it was; the files of one
that kept less serve another of the same recipe and seed, put into its folder.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hdrnodes.networks.default.linearize import Linearize
from hdrnodes.training.linearize import curve_pictures, curve_scores, curve_terms
from hdrnodes.training.losses import weighted
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.randomness import generator
from hdrnodes.training.recipe import LinearizeRecipe
from hdrnodes.training.validation_plates import ValidationSet
from hdrnodes.training.whole import ReducedFrame
from hdrnodes.whole_file import whole_file

DRAWING = 1 << 30  # plates that are kept are drawn as at steps from here on, which no run reaches
DRAWS_IN_A_FILE = 50

Kept = dict[str, Tensor]


class KeptNumbersStage:
    """What `loop.train` needs for this stage. The score is the curve's RMSE on plates as they are.

    Args:
        network: of a `Linearize`.
        maker, validation, recipe: what is drawn, what is scored, how.
        folder: the run's; gets `numbers-<rank>-<first plate>.safetensors`.
        seed, rank: of the run, of this process.
        say: takes a line for the user, now and then while plates are drawn.
    """

    def __init__(
        self,
        network: ReducedFrame,
        maker: PlateMaker,
        validation: ValidationSet,
        recipe: LinearizeRecipe,
        folder: Path,
        seed: int,
        rank: int,
        say: Callable[[str], None],
    ) -> None:
        self.recipe, self.batch = recipe, recipe.batch
        plates = recipe.model_dump_json(include={"drawn_at_once", "sees", "plates"})
        told = ", ".join(network.network.example_inputs())
        drawn_with = {"seed": str(seed), "recipe": plates, "material": _fingerprint(maker), "told": told}
        files: list[Kept] = []
        while (drawn := sum(len(each["curves"]) for each in files)) < recipe.kept:
            file = folder / f"numbers-{rank}-{drawn:07d}.safetensors"
            kept = _read(file, drawn_with)
            if kept is None:
                say(f"linearize: has drawn {drawn} of {recipe.kept} plates")
                kept = _draw(network, maker, recipe, drawn, seed, rank)
                with whole_file(file, overwrite=True) as temporary:
                    save_file(kept, temporary, metadata=drawn_with)
            files.append(kept)
        device = validation.plates[0].codes.device
        self.numbers, self.curves = (
            torch.cat([each[name] for each in files])[: recipe.kept].to(device) for name in ("numbers", "curves")
        )
        _linearize(network).normalise_by(self.numbers)
        self.plate = validation.plates[0].codes[0]
        self.validation = [(_numbers(network, plates.codes), plates.curve[:, 0]) for plates in validation.plates]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(self.numbers), (self.batch,), generator=random, device=random.device)
        terms = curve_terms(self._curve(network, self.numbers[chosen]), self.curves[chosen, None])
        return weighted(terms, self.recipe.weights, torch.ones(self.batch, device=random.device))

    def validate(self, network: nn.Module) -> dict[str, float]:
        found = (self._curve(network, numbers) for numbers, _ in self.validation)
        return curve_scores(found, (curve for _, curve in self.validation))

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate, and its curve."""
        numbers, curve = self.validation[0]
        return {"plate": self.plate, **curve_pictures(self._curve(network, numbers)[0], curve[0])}

    @staticmethod
    def _curve(network: nn.Module, numbers: Tensor) -> Tensor:
        # In float32: bfloat16 holds the basis too coarsely, see `estimated_curve`.
        with torch.autocast(numbers.device.type, enabled=False):
            return _linearize(network).curve(numbers)


def _linearize(network: nn.Module) -> Linearize:
    """What is reduced for; asked for by its attribute, which what torch.compile makes of a `ReducedFrame` has too."""
    if not isinstance(network.network, Linearize):
        raise TypeError(f"no numbers can be kept of {type(network.network).__name__}")
    return network.network


@torch.no_grad()
def _numbers(network: ReducedFrame, codes: Tensor) -> Tensor:
    return _linearize(network).numbers(*network.seen(codes))


def _draw(network: ReducedFrame, maker: PlateMaker, recipe: LinearizeRecipe, first: int, seed: int, rank: int) -> Kept:
    """What goes into the file whose first plate is number `first`."""
    numbers: list[Tensor] = []
    curves: list[Tensor] = []
    device, each = maker.scenes.weights.device, recipe.drawn_at_once
    for start in range(first, min(recipe.kept, first + DRAWS_IN_A_FILE * each), each):
        plates = maker.draw(each, generator(device, seed, DRAWING + start, rank))
        seen = plates.display if recipe.sees == "truth" else plates.codes
        numbers.append(_numbers(network, seen).cpu())
        curves.append(plates.curve[:, 0].cpu())
    return {"numbers": torch.cat(numbers), "curves": torch.cat(curves)}


def _fingerprint(maker: PlateMaker) -> str:
    """Of where the scenes are brightest, and of the responses: of other ones, what was kept says nothing."""
    told = hashlib.sha256()
    for each in (maker.scenes.bright, maker.responses.measured):
        told.update(each.cpu().numpy().tobytes())
    return told.hexdigest()


def _read(file: Path, drawn_with: dict[str, str]) -> Kept | None:
    """What a run that was stopped has drawn; None where it has not, or with something else."""
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as found:
            return {key: found.get_tensor(key) for key in found.keys()} if found.metadata() == drawn_with else None
    except (OSError, SafetensorError):
        return None
