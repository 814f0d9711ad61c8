"""A small run for a process of its own, which a test kills, or torchrun multiplies: python tiny_run.py FOLDER OPTIONS.

What is fitted has all that a run must carry over: weights with the channels last, a frozen one, dropout, running
statistics. Prints what each process drew and what it ended with.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from torch import nn

from hdrnodes.errors import HdrnodesError, TrainingError
from hdrnodes.training.distributed import together
from hdrnodes.training.loop import Schedule, train


class Blur:
    """Learn to blur random pictures; `wrong` names steps (from 0) whose loss is not finite."""

    batch = 4

    def __init__(self, pause=0.0, wrong=(), fails=None):
        self.pause, self.wrong, self.fails = pause, wrong, fails
        self.steps, self.drawn = 0, []

    def step(self, network, random):
        time.sleep(self.pause)
        if self.steps == self.fails:
            raise TrainingError("scene_7.exr", "is not what it was", "copy it again")
        loss = self.loss(network, random) * (float("nan") if self.steps in self.wrong else 1.0)
        self.steps += 1
        return {"loss": loss, "root": loss.detach().sqrt()}

    def loss(self, network, random):
        picture = torch.rand(self.batch, 3, 8, 8, generator=random)
        self.drawn.append(float(picture.sum()))
        truth = nn.functional.avg_pool2d(picture, 3, 1, 1)
        return (network(picture).float() - truth).square().mean()

    def validate(self, network):
        picture = torch.linspace(0, 1, 192).view(1, 3, 8, 8)
        return {"score": float((network(picture) - picture).abs().mean())}

    def pictures(self, network):
        return {"ramp": torch.linspace(0, 1, 192).view(3, 8, 8)}


def network():
    torch.manual_seed(5)
    ends = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
    made = nn.Sequential(ends[0], nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.1), ends[1])
    made[0].bias.requires_grad_(False)
    return made.to(memory_format=torch.channels_last)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds a step")
    parser.add_argument("--fails", type=int, nargs=2, metavar=("RANK", "STEP"), default=(None, None))
    options = parser.parse_args()
    # Checkpoints often, so that most of them are not at a validation.
    schedule = Schedule(options.steps, rate=0.01, warm_up=5, average=0.9, validate_every=15, save_every=0.002)
    with together("cpu") as workers:
        made = network()
        stage = Blur(options.pause, fails=options.fails[1] if workers.rank == options.fails[0] else None)
        train(made, stage, schedule, options.folder, precision="float32", workers=workers)
        ended = {name: each.tolist() for name, each in made.state_dict().items()}
        (options.folder / f"ended_{workers.rank}.json").write_text(json.dumps({"drawn": stage.drawn, "ended": ended}))


if __name__ == "__main__":
    try:
        main()
    except HdrnodesError as error:
        sys.exit(str(error))
