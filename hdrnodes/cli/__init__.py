"""The command line. Each command is a file here, imported when it is called: `hdrnodes --help` loads none.

Exit codes: 0 done; 1 some inputs failed, each named in one line on stderr; 2 usage; 130 interrupted.
Results go to stdout, all else to stderr.
"""

from __future__ import annotations

import traceback
from importlib import import_module
from typing import Any

import rich_click as click
from click.exceptions import Exit

from hdrnodes import __version__
from hdrnodes.cli.telling import error_line, is_verbose
from hdrnodes.errors import HdrnodesError
from hdrnodes.spelling import did_you_mean

# Name -> where it is, and the first line of its help, said here so that listing the commands imports none of them.
COMMANDS = {
    "reconstruct": ("hdrnodes.cli.reconstruct:reconstruct", "Turn photographs or frames into scene-linear HDR."),
    "nodes": ("hdrnodes.cli.nodes:nodes", "List the nodes, or the knobs of one."),
    "run": ("hdrnodes.cli.run:run", "Run a graph file, once or for each frame."),
    "curve": ("hdrnodes.cli.curve:curve", "Estimate the response curve of the camera that took a plate or a shot."),
    "evaluate": ("hdrnodes.cli.evaluate:evaluate", "Compare scene-linear pictures with their references."),
    "view": ("hdrnodes.cli.view:view", "Look at a result in the browser, alone or beside its plate."),
    "doctor": ("hdrnodes.cli.doctor:doctor", "Say what works here: devices, formats, executors, models, plugins."),
    "bench": ("hdrnodes.cli.bench:bench", "Measure what the stages cost here, beside what the machine can do."),
    "compile": ("hdrnodes.cli.compile:compile_plans", "Build TensorRT's plans ahead of time, for this card or others."),
    "import-checkpoint": (
        "hdrnodes.cli.import_checkpoint:import_checkpoint",
        "Turn the published TensorFlow checkpoints into a model.",
    ),
    "metric-weights": (
        "hdrnodes.cli.metric_weights:metric_weights",
        "Download and convert the weights of LPIPS and DISTS, once.",
    ),
    "train": (
        "hdrnodes.training.cli:train",
        "Train the stages of a model, one command each, and write the model folder.",
    ),
}

# A module that may be missing -> the extra that brings it.
EXTRAS = dict.fromkeys(["torch", "safetensors", "onnx", "onnxscript", "onnx_ir", "tomli_w"], "train")
EXTRAS["tensorflow"] = "tensorflow"


class Commands(click.RichGroup):
    """A group that imports a command when it is called, and turns whatever is raised into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A stand-in that knows its name and one line of help; `resolve_command` gives the real one."""
        if cmd_name not in COMMANDS:
            return None
        return click.RichCommand(name=cmd_name, help=COMMANDS[cmd_name][1], add_help_option=False)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            ctx.fail(f"there is no command {args[0]}; {did_you_mean(args[0], COMMANDS)}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and command else command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HdrnodesError as error:
            error_line(str(error))
            ctx.exit(1)
        except KeyboardInterrupt:
            error_line("interrupted")
            ctx.exit(130)
        except (click.ClickException, Exit, click.Abort, BrokenPipeError):
            raise  # click's own, which it turns into a message and an exit code
        except Exception as error:  # noqa: BLE001 - the last stop: whoever renders gets one line, not a traceback
            error_line(why_it_failed(error))
            if is_verbose():
                error_line(traceback.format_exc())
            ctx.exit(1)


def load_command(name: str) -> click.Command:
    """Import a command."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command


def why_it_failed(error: Exception) -> str:
    """One line on an exception that is not ours: what to install, or that it is a bug."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in EXTRAS:
        return f"{missing}: is not installed; pip install 'hdrnodes[{EXTRAS[missing]}]'"
    said = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}{f': {said}' if said else ''}; this is a bug, and --verbose shows the traceback"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hdrnodes")
def main() -> None:
    """One ordinary photograph or video frame in, scene-linear high dynamic range out."""
