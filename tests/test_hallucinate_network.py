"""The network that invents light: it draws no pattern of its own where the plate says nothing."""

import pytest
import torch
from torch import nn

from hdrnodes.networks.default.hallucinate import CONTEXT, Hallucinate


@pytest.fixture
def network():
    """With weights that anything may have led to."""
    torch.manual_seed(0)
    network = Hallucinate((8, 12)).eval()
    nn.init.normal_(network.head.weight, std=0.2)
    nn.init.normal_(network.head.bias, std=1.0)
    return network


def stops(network, linear):
    context = torch.ones(1, CONTEXT, 16, 16)
    with torch.no_grad():
        return torch.log2(1 + network(linear, context, torch.tensor([[0.0, 0.0, 1.0, 1.0]])))[..., 24:-24, 24:-24]


def apart(stops):
    """How far the four pixels of squares of two by two are from one another on average, stops: of all channels."""
    return max(
        float((stops[..., row::2, column::2].mean(dim=(2, 3)) - stops.mean(dim=(2, 3))).abs().max())
        for row in (0, 1)
        for column in (0, 1)
    )


def test_where_all_channels_clipped_there_is_no_grid(network):
    assert apart(stops(network, torch.ones(1, 3, 96, 96))) < 1e-5


def test_where_a_channel_is_left_its_pixels_are_made_use_of(network):
    linear = torch.ones(1, 3, 96, 96)
    linear[:, 1] = 0.6
    assert apart(stops(network, linear)) > 0.05
