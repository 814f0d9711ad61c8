"""`hdrnodes import-checkpoint`: for those who have the published weights."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from hdrnodes.cli.telling import result, verbose_option


@click.command("import-checkpoint")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The model folder to write; `published`, among the models that come with hdrnodes, if not given.",
)
@click.option(
    "--emor", type=click.Path(path_type=Path), metavar="FILE", help="invemor.txt; looked for in DIR if not given."
)
@click.option("--overwrite", is_flag=True, help="Replace the model folder.")
@verbose_option
def import_checkpoint(folder: Path, output: Path | None, emor: Path | None, overwrite: bool) -> None:
    """Turn the published TensorFlow checkpoints into a model.

    DIR holds the checkpoints of Liu et al., CVPR 2020, one for all networks or one for each. Needs tensorflow:
    pip install 'hdrnodes[tensorflow]'.
    """
    from hdrnodes.models import engines_folder
    from hdrnodes.networks.import_checkpoint import import_checkpoint as import_from

    destination = output or engines_folder() / "published"
    model = import_from(folder, destination, emor, overwrite=overwrite)
    result(model.folder)
    given = "published" if output is None else output
    click.echo(f"run it: hdrnodes reconstruct photo.jpg --model {given}", err=True)
