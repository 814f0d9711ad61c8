"""`hdrnodes view`: look at a result, alone or beside its plate, on a page in the browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from threading import Thread

import rich_click as click
from click import get_current_context
from click.core import ParameterSource
from click.exceptions import Exit

from hdrnodes.cli.plates import check_frames, say_gaps
from hdrnodes.cli.telling import Teller, result, verbose_option
from hdrnodes.viewer.export import export_page
from hdrnodes.viewer.pictures import Pictures, Side
from hdrnodes.viewer.server import ViewServer


@click.command()
@click.argument("picture")
@click.argument("other", required=False)
@click.option("--frames", metavar="RANGE", help="Of a pattern: 1001-1100, 1001-1100x2; all there are if not given.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="To listen on; any that is free if not given.")
@click.option("--export", type=click.Path(path_type=Path), metavar="FILE", help="Write the page as one file instead.")
@click.option(
    "--export-size",
    type=click.IntRange(16),
    default=2048,
    show_default=True,
    metavar="PIXELS",
    help="Of an export, the longest side; what is larger is halved until it fits.",
)
@click.option("--overwrite", is_flag=True, help="Replace an exported file that is there.")
@verbose_option
def view(
    picture: str,
    other: str | None,
    frames: str | None,
    no_browser: bool,
    port: int,
    export: Path | None,
    export_size: int,
    overwrite: bool,
) -> None:
    """Look at a result in the browser, alone or beside its plate.

    The page has exposure, view transforms, wipe, pixel values and the response curve; `?` shows its keys. It is
    served to this machine alone, until Ctrl-C. PICTURE and OTHER are files, or frames: out.####.exr.
    """
    _check_options(bool(export))
    teller = Teller()
    names = [picture] if other is None else [picture, other]
    check_frames(names, frames)
    sides = [Side.find(name, frames) for name in names]
    for side in sides:
        say_gaps(side.name, side.gaps, teller)
    pictures = Pictures(sides)
    for number in range(len(sides)):
        for note in pictures.get(number, 0).notes:
            teller.note(pictures.get(number, 0).name, note)
    if export is None:
        _serve(pictures, port, no_browser)
        return
    written = export_page(pictures, export, export_size, overwrite)
    result(export)
    if written.scale > 1:
        kept = f"--export-size {written.longest} keeps every pixel"
        teller.line(f"{export}: pictures are at 1/{written.scale} of their size; {kept}")
    teller.line(f"{export}: {written.size / 1e6:.1f} MB")
    if any(side.gaps for side in sides):
        raise Exit(1)


def _check_options(exports: bool) -> None:
    """Refuse what would have no effect."""
    for name in ("port", "no_browser") if exports else ("export_size", "overwrite"):
        if get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is {'for the served page, not' if exports else 'only'} for --export")


def _serve(pictures: Pictures, port: int, no_browser: bool) -> None:
    with ViewServer(pictures, port) as server:
        result(server.url)
        if not no_browser:
            # Some are waited for, and want the page meanwhile; where there is none, there is the printed address.
            Thread(target=webbrowser.open, args=(server.invite(),), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # the way to end it
            return
