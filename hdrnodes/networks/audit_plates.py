"""Pictures that networks are audited on (`hdrnodes.networks.range_audit`): drawn here, or a user's own plates."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hdrnodes.camera.basis import response_basis
from hdrnodes.camera.clipping import clip, clip_mask
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response, invert_response
from hdrnodes.networks.base import StageNetwork
from hdrnodes.reduce import reduce_planar

BRIGHTEST = 16.0  # stops over the clip level: the most that Hallucinate's ceiling may be set to
SIZE = (192, 288)  # pixels


def drawn_plates(count: int = 4) -> list[Tensor]:
    """Plates of made-up scenes, always the same: 1 x 3 x 192 x 288 each, 8-bit codes / 255.

    Surfaces and gradients over many stops, fine texture, lamps; between a fiftieth and a fifth of the pixels clip;
    noise; the mean measured response; every second one a JPEG.
    """
    random = torch.Generator().manual_seed(0)
    curve = torch.from_numpy(response_basis().mean)
    plates = []
    for number in range(count):
        scene = _scene(random)
        clipping = torch.rand(1, generator=random) * 0.18 + 0.02
        light = expose(scene, stops_to_clip(scene, clipping)[:, None, None, None])
        noisy = add_noise(light, torch.randn(light.shape, generator=random), shot=0.01, read=0.003)
        codes = quantise(apply_response(clip(noisy), curve))
        plates.append(jpeg(codes, torch.tensor([85.0])) if number % 2 else codes)
    return plates


def _scene(random: torch.Generator) -> Tensor:
    """1 x 3 x H x W, scene-linear, of any exposure: in stops, noise at many scales, steps, and a few lamps."""
    height, width = SIZE
    stops = torch.zeros(1, 3, height, width)
    for cells in (2, 4, 8, 32, 128):
        noise = torch.randn(1, 3, cells, cells, generator=random)
        stops += 2.0 / cells**0.4 * F.interpolate(noise, size=SIZE, mode="bilinear")
    for _ in range(24):
        top, left = (int(torch.randint(size, (1,), generator=random)) for size in SIZE)
        lamp = bool(torch.rand(1, generator=random) < 0.25)
        side = 12 if lamp else 96
        rise = 8.0 if lamp else 2 * torch.randn(1, 3, 1, 1, generator=random)
        stops[..., top : top + side, left : left + side] += rise
    return torch.exp2(stops)


def as_plate(rgb: Tensor, longer_side: int = 512) -> Tensor:
    """A picture of one's own, H x W x 3, display-referred 0..1, reduced -> 1 x 3 x h x w, 8-bit codes / 255."""
    planar = rgb.permute(2, 0, 1)[None]
    return quantise(reduce_planar(planar, longer_side).clamp(0, 1))


def network_inputs(
    network: StageNetwork, overview: StageNetwork | None, longer_side: int, plates: Sequence[Tensor]
) -> Iterator[Mapping[str, Tensor]]:
    """What a network of a stage would be fed for each plate, by name; where it takes what no stage has, its examples.

    Args:
        network: whose inputs.
        overview: what makes its `context`, where it takes one.
        longer_side: pixels, of the frame that networks of whole frames see; 0 where it is not reduced.
        plates: 1 x 3 x H x W each, codes / 255.
    """
    for plate in plates:
        known = _stage_inputs(plate)
        if overview is not None:
            frame = next(iter(network_inputs(overview, None, longer_side, [plate])))
            known["context"] = overview(*(reduce_planar(each, longer_side) for each in frame.values()))
            known["window"] = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        else:
            known = {name: reduce_planar(each, longer_side) for name, each in known.items()}
        examples = network.example_inputs()
        fit = all(name in known and known[name].shape[1] == each.shape[1] for name, each in examples.items())
        yield {name: known[name] for name in examples} if fit else examples


def _stage_inputs(codes: Tensor) -> dict[str, Tensor]:
    """Pixels as the stages would be fed them, with the brightest light that there may be where the plate clips."""
    linear = invert_response(codes, torch.from_numpy(response_basis().mean))
    hallucinated = linear * torch.exp2(BRIGHTEST * clip_mask(linear, channels=1))
    return {"codes": codes, "display": codes, "dequantized": codes, "linear": linear, "hallucinated": hallucinated}
