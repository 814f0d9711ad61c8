"""Plugins: where they come from, what they registered, and which were skipped, and why.

Sources, in order: built-ins, the entry points of installed packages (group "hdrnodes"), then the `*.py` files
and packages in the folders on $HDRNODES_PLUGIN_PATH. One that fails to import is skipped and remembered; two
that claim one name stop everything, for nobody could tell whose node a graph would run.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from hdrnodes import hookspecs
from hdrnodes.errors import HdrnodesError, PluginError
from hdrnodes.plugin_files import import_file, plugin_files
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from hdrnodes.image import Image
    from hdrnodes.nodes.base import Context, Node
    from hdrnodes.runtime import Executor

PATH_VARIABLE = "HDRNODES_PLUGIN_PATH"
REGISTERING_HOOKS = {"register_nodes": "node", "register_executors": "executor", "register_models": "model"}


@functools.cache
def installed_plugins() -> Plugins:
    """The plugins of this process, from all sources; loaded at the first call.

    Raises:
        PluginError: two of them claim one name.
    """
    plugins = Plugins()
    plugins.load_builtins()
    plugins.load_entry_points()
    plugins.load_folders(Path(folder) for folder in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if folder)
    return plugins


class Plugins:
    """A registry of plugins. Empty until something is loaded into it.

    Attributes:
        nodes, executors, models: what can be used, by name.
        sources: where each plugin came from, by its name, in the order of loading.
        skipped: why each plugin that could not be used was left out, by its name.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("hdrnodes")
        self._manager.add_hookspecs(hookspecs)
        self._claims: dict[str, dict[str, tuple[str, Any]]] = {kind: {} for kind in REGISTERING_HOOKS.values()}
        self.sources: dict[str, str] = {}
        self.skipped: dict[str, BaseException] = {}

    @property
    def nodes(self) -> dict[str, type[Node]]:
        return {name: node for name, (_, node) in self._claims["node"].items()}

    @property
    def executors(self) -> dict[str, type[Executor]]:
        return {name: executor for name, (_, executor) in self._claims["executor"].items()}

    @property
    def models(self) -> dict[str, Path]:
        return {name: folder for name, (_, folder) in self._claims["model"].items()}

    @property
    def hook(self) -> pluggy.HookRelay:
        """Pluggy's own callers, for who wants a hook's answers unsorted."""
        return self._manager.hook

    def owner(self, kind: str, name: str) -> str:
        """The plugin that registered a "node", an "executor" or a "model"."""
        return self._claims[kind][name][0]

    def owner_of(self, node: type[Node]) -> str:
        """The plugin that registered a node class; a class of nobody's is its module's."""
        owners = [plugin for plugin, registered in self._claims["node"].values() if registered is node]
        return owners[0] if owners else node.__module__.partition(".")[0]

    def load_builtins(self) -> None:
        """Register what comes with hdrnodes, through the same door as everybody's."""
        from hdrnodes import builtins

        self.register(builtins, "hdrnodes", source="built-in")

    def load_entry_points(self) -> None:
        """Register what installed packages offer in the entry-point group "hdrnodes"; skip what fails.

        Raises:
            PluginError: a name is claimed twice.
        """
        # Not pluggy's load_setuptools_entrypoints: one broken plugin would stop all of them.
        for entry in sorted(importlib.metadata.entry_points(group="hdrnodes"), key=lambda entry: entry.name):
            self._load(entry.name, f"entry point {entry.value}", entry.load)

    def load_folders(self, folders: Iterable[Path]) -> None:
        """Register the files and packages in these folders; skip what fails.

        Raises:
            PluginError: a name is claimed twice.
        """
        for folder in folders:
            if not folder.is_dir():
                problem = PluginError(folder, "is no folder", f"correct ${PATH_VARIABLE}")
                self.skipped[str(folder)] = problem
                continue
            for file in plugin_files(folder):
                name = file.parent.name if file.name == "__init__.py" else file.stem
                self._load(name, str(file), functools.partial(import_file, file, name))

    def _load(self, name: str, source: str, importing: Callable[[], object]) -> None:
        try:
            plugin = importing()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything; others go on
            self.skipped[name] = error
            return
        try:
            self.register(plugin, name, source)
        except Collision:
            raise
        except HdrnodesError as error:
            self.skipped[name] = error

    def register(self, plugin: object, name: str, source: str = "registered by a program") -> None:
        """Take a plugin: a module, or any object, with functions marked `@hookimpl`; all of it or nothing.

        Raises:
            PluginError: it claims a name that is taken, or breaks the contract.
        """
        if name in self.sources:
            both = f"comes from {self.sources[name]} and from {source}"
            raise Collision(f"plugin {name}", both, "rename or remove one of them")
        try:
            self._manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._manager.has_plugin(name):  # pluggy has taken it in before it found what is wrong
                self._manager.unregister(name=name)
            raise PluginError(f"plugin {name}", _one_line(error), "see plugins/README.md") from error
        try:
            claims = self._claims_of(plugin, name, source)
        except BaseException:
            self._manager.unregister(name=name)
            raise
        self.sources[name] = source
        for kind, claimed in claims.items():
            self._claims[kind].update({thing: (name, value) for thing, value in claimed.items()})

    def _claims_of(self, plugin: object, name: str, source: str) -> dict[str, dict[str, Any]]:
        """What a plugin registers, by kind and name; checked, nothing of it kept."""
        callers = self._manager.get_hookcallers(plugin) or []
        if not callers:
            raise PluginError(f"plugin {name}", "has no hook", "mark its functions with hdrnodes.hookimpl")
        claims: dict[str, dict[str, Any]] = {}
        for caller in callers:
            if not caller.has_spec():
                hooks = [hook for hook in vars(hookspecs) if hasattr(vars(hookspecs)[hook], "hdrnodes_spec")]
                remedy = did_you_mean(caller.name, hooks)
                raise PluginError(f"plugin {name}", f"there is no hook {caller.name}", remedy)
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not plugin:
                    continue
                if implementation.hookwrapper or implementation.wrapper:
                    raise PluginError(f"plugin {name}", f"{caller.name} is a wrapper", "make it a plain hook")
                if kind := REGISTERING_HOOKS.get(caller.name):
                    given = _call(implementation.function, name, caller.name)
                    claims[kind] = self._checked(kind, given, name, source)
        return claims

    def _checked(self, kind: str, given: Any, plugin: str, source: str) -> dict[str, Any]:
        """The things of one kind that a plugin gave, by name.

        Raises:
            PluginError: they are not of that kind, or a name is taken.
        """
        claimed: dict[str, Any] = {}
        for name, thing in _named(kind, given, plugin):
            if name in claimed:
                raise PluginError(f"{kind} {name}", f"is given twice by plugin {plugin}", "rename one of them")
            if name in self._claims[kind]:
                other = self.owner(kind, name)
                both = f"is claimed by plugin {other} ({self.sources[other]}) and by plugin {plugin} ({source})"
                raise Collision(f"{kind} {name}", both, "rename one of them, or remove a plugin")
            claimed[name] = thing
        return claimed

    def before_node(self, node: Node, inputs: dict[str, Image], context: Context) -> None:
        """Tell every plugin that a node is about to run."""
        self._tell("before_node", context, {"node": node, "inputs": inputs, "context": context})

    def after_node(self, node: Node, inputs: dict[str, Image], output: Image, context: Context) -> None:
        """Tell every plugin that a node has run."""
        told = {"node": node, "inputs": inputs, "output": output, "context": context}
        self._tell("after_node", context, told)

    def _tell(self, hook: str, context: Context, told: Mapping[str, Any]) -> None:
        """Call the watchers one by one, last registered first; one that fails is named, and the job goes on.

        Raises:
            HdrnodesError: a watcher's own, to stop the graph.
        """
        for implementation in reversed(getattr(self.hook, hook).get_hookimpls()):
            try:
                implementation.function(*(told[argument] for argument in implementation.argnames))
            except HdrnodesError:
                raise
            except Exception as error:  # noqa: BLE001 - a watcher's bug is no reason to lose a night's render
                problem = f"{hook} raised {_one_line(repr(error))}"
                context.say(f"plugin {implementation.plugin_name}: {problem}; the graph goes on without it")


class Collision(PluginError):
    """Two plugins claim one name."""


def _call(function: Callable[[], Any], plugin: str, hook: str) -> Any:
    try:
        return function()
    except HdrnodesError:
        raise
    except Exception as error:  # a plugin may raise anything
        problem = f"{hook} raised {_one_line(repr(error))}"
        raise PluginError(f"plugin {plugin}", problem, "mend or remove it") from error


def _named(kind: str, given: Any, plugin: str) -> list[tuple[str, Any]]:
    """What a registering hook gave, as names and things."""
    contract = {"node": "a sequence of Node classes", "executor": "a sequence of Executor classes"}
    wrong = PluginError(
        f"plugin {plugin}",
        f"register_{kind}s gave {_one_line(repr(given))[:80]}",
        f"return {contract.get(kind, 'a mapping of names to folders')}",
    )
    if kind == "model":
        if not isinstance(given, Mapping):
            raise wrong
        return [(str(name), Path(folder)) for name, folder in given.items()]
    base = _base_class(kind)
    if not isinstance(given, Sequence):
        raise wrong
    if not all(isinstance(thing, type) and issubclass(thing, base) for thing in given):
        raise wrong
    return [(thing.name, thing) for thing in given]


def _base_class(kind: str) -> type:
    if kind == "node":
        from hdrnodes.nodes.base import Node

        return Node
    from hdrnodes.runtime import Executor

    return Executor


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
