"""`--on` of the training commands, and `uncia train attach`, `runs` and `cancel`: training on another machine."""

import functools
import inspect
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from uncia.commands.reviewed_source import training_source
from uncia.commands.training_runs import (
    ProgressReporter,
    check_output_folder,
    progress_bars,
    progress_to_file,
)
from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.remote.plan import Argument, RunPlan
    from uncia.training.remote.records import RunRecord, RunStore
    from uncia.training.remote.runner import RemoteRun

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="Machine to train on: ssh://user@host, ssh://user@host:port/folder, container, container://image, "
        "kubernetes or kubernetes://namespace.",
        show_default="this one",
    ),
]
Environment = Annotated[
    str | None,
    typer.Option(
        help="With --on: folder of an existing Python environment over there.",
        show_default="one is created",
    ),
]
SshConfig = Annotated[
    Path | None, typer.Option(help="With --on ssh://…: configuration file of ssh.", show_default="the user's")
]
ProgressFile = Annotated[Path | None, typer.Option(hidden=True)]

_OWN = {"on": On, "environment": Environment, "ssh_config": SshConfig, "progress_file": ProgressFile}
"""Options that `can_run_elsewhere` adds."""

_SOURCES = ("source", "sources")


def can_run_elsewhere(
    command: Callable[..., None], resolve: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Callable[..., None]:
    """Give a training command the options of training on another machine.

    Parameters of type Path are inputs that are copied there, apart from `out` and `cache`. `resolve` replaces values
    that depend on this machine.
    """

    @functools.wraps(command)
    def chosen(*, context: typer.Context, **values: Any) -> None:
        on, environment, ssh_config, progress_file = (values.pop(name) for name in _OWN)
        if on is not None:
            train_elsewhere(context, resolve(values), on, environment, ssh_config)
            return
        if environment is not None or ssh_config is not None:
            raise TrainingError("--environment and --ssh-config are options of --on")
        with progress_to_file(progress_file) if progress_file else nullcontext():
            command(**values)

    own = inspect.signature(command)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OWN.items()
    ]
    parameters = [entry.replace(kind=inspect.Parameter.KEYWORD_ONLY) for entry in own.parameters.values()]
    added.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    chosen.__signature__ = own.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    chosen.__annotations__ = {**command.__annotations__, **_OWN, "context": typer.Context}
    return chosen


def train_elsewhere(
    context: Any, values: dict[str, Any], on: str, environment: str | None, ssh_config: Path | None
) -> None:
    """Plan a run from the values of a training command, and bring it to its end. Raises `UnciaError`."""
    from uncia.training.remote.records import RunRecord, RunStore
    from uncia.training.remote.transports.parse import open_transport

    out = Path(values["out"]).resolve()
    if out.suffix != ".json":
        check_output_folder(out)
    open_transport(on, "none", ssh_config)  # an address that is wrong is reported before anything is read
    store = RunStore()
    quiet = bool(values.get("as_json"))
    with progress_bars(shown=not quiet) as progress:
        plan = _plan(context, values, out, on, store, progress)
    earlier = store.find(plan.id)
    record = RunRecord(
        plan=plan,
        target=on,
        ssh_config=ssh_config.resolve() if ssh_config else None,
        environment=environment,
        created=datetime.now(UTC),
        restarts=0,
        offsets=earlier.offsets if earlier else {},
    )
    store.save(record)
    _bring_to_end(record, store, quiet=quiet, retry_failed=True)


def attach(run: Annotated[str, typer.Argument(help="Name of the run; `uncia train runs` lists them.")]) -> None:
    """Follow a run on another machine again, and fetch its package when it ends."""
    from uncia.training.remote.records import RunStore

    store = RunStore()
    record = store.load(run)
    if record.phase in ("fetched", "cancelled"):
        echo(f"{run} was {record.phase}: {record.plan.out}")
        return
    _bring_to_end(record, store, quiet=False, retry_failed=False)


def runs(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the runs on other machines that were started in this folder, by what was last heard of them."""
    from uncia.training.remote.records import RunStore

    found = RunStore().all()
    if as_json:
        echo_json(
            [
                {
                    "run": record.plan.id,
                    "on": record.target,
                    "phase": record.phase,
                    "created": record.created.isoformat(),
                    "out": record.plan.out,
                }
                for record in found
            ]
        )
        return
    if not found:
        echo("no runs on other machines were started in this folder")
        return
    table = Table("run", "on", "phase", "started", "package")
    for record in found:
        table.add_row(
            record.plan.id, record.target, record.phase, f"{record.created:%Y-%m-%d %H:%M} UTC", record.plan.out
        )
    plain_console().print(table)


def cancel(run: Annotated[str, typer.Argument(help="Name of the run.")]) -> None:
    """End a run on another machine and delete its folder there; copied data stay for the next run."""
    from uncia.storage.process_lock import exclusive
    from uncia.training.remote.records import RunStore

    store = RunStore()
    record = store.load(run)
    # Whoever follows the run would take its end for a kill, and start it again.
    refusal = TrainingError(f"another command follows {run}: press Ctrl-C there, which asks whether to end the run")
    with exclusive(store.folder_of(run) / "lock", refusal):
        _remote_run(record, store, _Output(None, quiet=False)).cancel()
    echo(f"{run} is cancelled")


class _Output:
    """A `Reporter` on this terminal; with `quiet` lines on standard error instead of bars."""

    def __init__(self, bars: ProgressReporter | None, *, quiet: bool) -> None:
        self._bars = bars
        self._quiet = quiet
        self.result: list[str] = []
        """Standard output of the run, printed when the bars are gone."""

    def progress(self, step: str, done: int, total: int) -> None:
        if self._bars is not None:
            self._bars(step, done, total)

    def log(self, line: str) -> None:
        if self._bars is not None and not self._quiet:
            self._bars.log(line)
        else:
            echo(line, err=True)

    def output(self, line: str) -> None:
        self.result.append(line)


def _remote_run(record: "RunRecord", store: "RunStore", output: _Output) -> "RemoteRun":
    from uncia.training.remote.runner import RemoteRun
    from uncia.training.remote.transports.parse import open_transport

    return RemoteRun(record, store, open_transport(record.target, record.plan.id, record.ssh_config), output)


def _bring_to_end(record: "RunRecord", store: "RunStore", *, quiet: bool, retry_failed: bool) -> None:
    """Run, follow and fetch. Ctrl-C asks whether the run shall go on."""
    from uncia.storage.process_lock import exclusive

    name = record.plan.id
    refusal = TrainingError(f"another command follows {name} already")
    with exclusive(store.folder_of(name) / "lock", refusal):
        output = _Output(None, quiet=quiet)
        try:
            with progress_bars(shown=not quiet) as bars:
                output = _Output(bars, quiet=quiet)
                output.log(f"run {name} on {record.target}")
                _remote_run(record, store, output).run(retry_failed=retry_failed)
        except KeyboardInterrupt:
            _after_interrupt(record, store)
        finally:
            for line in output.result:
                echo(line)


def _after_interrupt(record: "RunRecord", store: "RunStore") -> None:
    """Leave the run, or end it; without a terminal it is left. Always raises `typer.Exit` with the status of Ctrl-C."""
    name = record.plan.id
    leave = True
    if sys.stdin.isatty():
        try:
            leave = typer.confirm(f"Leave {name} running on {record.target}?", default=True, err=True)
        except (KeyboardInterrupt, typer.Abort):
            leave = True
    if leave:
        echo(f"{name} is left running; `uncia train attach {name}` follows it again", err=True)
    else:
        _remote_run(record, store, _Output(None, quiet=True)).cancel()
        echo(f"{name} is cancelled", err=True)
    raise typer.Exit(130)


def _plan(
    context: Any, values: dict[str, Any], out: Path, on: str, store: "RunStore", progress: ProgressReporter
) -> "RunPlan":
    """The plan of a run, with the wheel in the run's folder."""
    from uncia.training.remote.content import collect_dataset, collect_tree, hash_file
    from uncia.training.remote.environment import environment_spec
    from uncia.training.remote.plan import Argument, RunPlan, run_id
    from uncia.training.remote.wheel import write_wheel

    def hashed(done: int, total: int) -> None:
        progress("hashing the data", done, total)

    inputs = []
    options: list[Argument] = [Argument(kind="text", text=word) for word in ("train", context.info_name)]
    arguments: list[Argument] = []

    def add_input(path: Path, *, dataset: bool) -> "Argument":
        kind = str(values.get("kind") or "auto")
        inputs.append(collect_dataset(path, kind, hashed) if dataset else collect_tree(path, hashed))
        return Argument(kind="input", text=str(len(inputs) - 1))

    for parameter in context.command.params:
        name, value = parameter.name, values.get(parameter.name)
        if name in _OWN or value is None or value is False:
            continue
        if name in _SOURCES:
            given = value if isinstance(value, list | tuple) else [value]
            boxes, named_only = context.info_name == "detector", context.info_name in ("head", "fine-tune", "small")
            paths = [training_source(path, boxes=boxes, named_only=named_only) for path in given]
            arguments += [add_input(path, dataset=True) for path in paths]
        elif value is True:
            options.append(Argument(kind="text", text=parameter.opts[0]))
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                options.append(Argument(kind="text", text=parameter.opts[0]))
                if name == "out":
                    options.append(Argument(kind="output"))
                elif name == "cache":
                    options.append(Argument(kind="cache"))
                elif isinstance(one, Path):
                    options.append(add_input(one, dataset=False))
                else:
                    options.append(Argument(kind="text", text=str(one)))
    options += [Argument(kind="text", text="--progress-file"), Argument(kind="progress")]
    command = [*options, Argument(kind="text", text="--"), *arguments]
    name = run_id(command, inputs, out, on)
    folder = store.folder_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    wheel = write_wheel(folder)
    return RunPlan(
        id=name,
        arguments=command,
        inputs=inputs,
        out=str(out),
        code=hash_file(wheel),
        environment=environment_spec(),
    )
