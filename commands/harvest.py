"""`uncia harvest`: gather a training set from public sources of pictures, with licences and provenance."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from uncia.camtrap.taxonomy import Taxonomy
from uncia.commands.harvest_measure import measure
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.training.harvest import HarvestError
from uncia.training.harvest.licence import ALL_CODES, DEFAULT_CODES, OWN, check_codes, parse_licence
from uncia.training.harvest.query import LOCAL, HarvestPlan, Query, plan_queries, random_words
from uncia.training.progress import ProgressCallback, progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from uncia.training.harvest.running import EmbedPictures, HarvestResult

app = typer.Typer(help="Gather pictures for training from public sources, with their licences.", no_args_is_help=True)
app.command()(measure)

CACHE = Path(".local/features")

_SOURCES = ("inaturalist", "gbif", "wikimedia-commons", "openverse")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[Path, typer.Argument(help="Folder of the harvest.")]


@app.command()
def plan(
    folder: Annotated[Path, typer.Argument(help="Folder of the harvest; must not contain one yet.")],
    taxon: Annotated[
        list[str],
        typer.Option(help="Taxon to gather: NAME, NAME=LABEL, or NAME|SYNONYM=LABEL; repeatable."),
    ],
    source: Annotated[
        list[str],
        typer.Option(help=f"Source to search: {', '.join(_SOURCES)}; repeatable.", show_default="none"),
    ] = [],  # noqa: B006, typer reads it and never changes it
    local: Annotated[
        Path | None,
        typer.Option(
            help="Local source: class folders, a table, COCO, Camtrap DP, or a ZIP or tar archive of them.",
            show_default="none",
        ),
    ] = None,
    local_licence: Annotated[
        str,
        typer.Option(
            help="Licence of local pictures whose table states none, such as cc-by-4.0; `own`: your photographs.",
            show_default="they are refused",
        ),
    ] = "",
    local_author: Annotated[str, typer.Option(help="Author of local pictures whose table states none.")] = "",
    per_taxon: Annotated[int, typer.Option(min=1, help="Number of pictures of each taxon.")] = 200,
    negatives: Annotated[int, typer.Option(min=0, help="Number of pictures without a target taxon.")] = 200,
    habitat: Annotated[
        list[str],
        typer.Option(help="Habitat to search for negatives, such as `alpine meadow`; repeatable.", show_default="none"),
    ] = [],  # noqa: B006
    words: Annotated[
        int, typer.Option("--random-words", min=0, help="Number of random words to search for negatives.")
    ] = 20,
    licence: Annotated[
        list[str],
        typer.Option(help=f"Accepted licence: {', '.join(ALL_CODES[:-1])}; repeatable."),
    ] = list(DEFAULT_CODES),  # noqa: B006
    contact: Annotated[
        str,
        typer.Option(help="Your e-mail or web address; the sources ask to be told. Required for public sources."),
    ] = "",
    offline_names: Annotated[
        bool, typer.Option("--offline-names", help="Do not ask GBIF for accepted names and synonyms.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the words and of local pictures.")] = 1,
    endpoint: Annotated[
        list[str],
        typer.Option(help="Other address of a source, SOURCE=URL, as of a mirror; repeatable.", show_default="none"),
    ] = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Write what a harvest will search for; no picture is searched or fetched.

    Names are resolved with GBIF's taxonomy, so that synonyms are found too. Prints the number of searches.
    """
    from uncia.training.harvest.running import resolve_taxa
    from uncia.training.harvest.sources.registry import load_sources
    from uncia.training.harvest.store import HarvestStore, harvest_file
    from uncia.training.harvest.taxon_names import parse_taxon
    from uncia.training.harvest.word_list import thing_words

    sources = _check_sources(source, local, contact)
    _check_local(local, local_licence)
    if harvest_file(folder).exists():
        raise HarvestError(f"{folder} has a harvest already: continue it with `uncia harvest run {folder}`")
    endpoints = _parse_endpoints(endpoint)
    load_sources(endpoints)
    online = bool(source) and not offline_names
    taxa = resolve_taxa(
        [parse_taxon(one) for one in taxon], Taxonomy.load(settings().taxonomy_file), endpoints, contact, online=online
    )
    made = HarvestPlan(
        taxa,
        sources,
        per_taxon,
        negatives,
        tuple(dict.fromkeys(habitat)),
        random_words(thing_words(), words, seed) if negatives else (),
        check_codes(licence),
        contact,
        endpoints,
        str(local.absolute()) if local else "",
        local_licence,
        local_author,
        seed,
    )
    queries = plan_queries(made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarvestError(f"{folder} cannot be created ({error.strerror}): name another folder") from error
    store = HarvestStore(harvest_file(folder), create=True)
    try:
        store.write_plan(made, queries)
    finally:
        store.close()
    _print_plan(folder, made, queries, as_json)


@app.command()
def run(
    folder: Folder,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Pictures that are fetched at the same time.")] = 8,
    on_workers: Annotated[
        bool,
        typer.Option(
            "--on-workers",
            help="Have workers `harvest` on Kafka download the pictures, on any number of machines, and collect them.",
        ),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not weigh the labels, which runs a neural network.")
    ] = False,
    cache: Annotated[Path, typer.Option(help="Folder of cached features, shared with `uncia train`.")] = CACHE,
    as_json: Json = False,
) -> None:
    """Search, fetch and check pictures, and write them as a dataset for `uncia data check` and `uncia train`.

    Can be interrupted and run again at any time. Exits with status 1 if a source was unavailable: run it again later.
    """
    from uncia.polite_http.client import FetchStopped
    from uncia.training.harvest.running import RunProgress, run_harvest
    from uncia.training.harvest.worker_fetching import WorkersOnKafka

    def silent() -> None:
        echo("no worker has fetched a picture for a minute: start one with `uncia worker harvest`", err=True)

    shown = not as_json
    with (
        _stop_at_signals() as stop,
        progress_bar("searching", shown=shown, log_description=False) as searching,
        progress_bar("fetching", shown=shown, log_description=False) as fetching,
        progress_bar("comparing", shown=shown, log_description=False) as comparing,
        progress_bar("weighing labels", shown=shown, log_description=False) as embedding,
    ):
        try:
            result = run_harvest(
                folder,
                None if quick else _embed_with_cache(cache),
                workers=workers,
                on_kafka=WorkersOnKafka(settings(), silent) if on_workers else None,
                stop=stop,
                progress=RunProgress(searching, fetching, comparing, embedding),
            )
        except FetchStopped:
            echo(f"stopped; `uncia harvest run {folder}` continues", err=True)
            raise typer.Exit(130) from None
    _print_result(folder, result, as_json)
    if not result.complete:
        raise typer.Exit(1)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show how far a harvest is, and how many pictures were refused, and why."""
    from uncia.training.harvest.running import harvest_status
    from uncia.training.harvest.store import HarvestStore, harvest_file

    store = HarvestStore(harvest_file(folder))
    try:
        found = harvest_status(store)
    finally:
        store.close()
    if as_json:
        echo_json(found)
    else:
        _print_status(found)


def _check_sources(names: Sequence[str], local: Path | None, contact: str) -> tuple[str, ...]:
    for name in names:
        if name not in _SOURCES:
            raise HarvestError(f"unknown source {name!r}: choose from {', '.join(_SOURCES)}; --local for your folder")
    if not names and local is None:
        raise HarvestError(f"no source: name one of {', '.join(_SOURCES)} with --source, or a folder with --local")
    if names and not contact.strip():
        raise HarvestError("public sources ask to be told who asks: give your e-mail or web address with --contact")
    if not contact.isascii() or not contact.isprintable():
        raise HarvestError("--contact must be an e-mail or web address")
    return (*dict.fromkeys(names), *((LOCAL,) if local is not None else ()))


def _check_local(local: Path | None, licence: str) -> None:
    if local is not None and not local.exists():
        raise HarvestError(f"{local} does not exist")
    if licence and licence != OWN and parse_licence(licence) is None:
        raise HarvestError(f"unknown licence {licence!r}: write it like cc-by-4.0, cc0, or own")


def _parse_endpoints(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, _, url = text.partition("=")
        found[name] = url
    return found


@contextmanager
def _stop_at_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that all threads end between two requests; a second one ends at once."""
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _embed_with_cache(cache: Path) -> "EmbedPictures":
    from uncia.training.dataset_check.embeddings import embed_images

    def embed(
        paths: Sequence[Path], progress: ProgressCallback | None = None
    ) -> "tuple[list[Path], NDArray[np.float32]]":
        return embed_images(paths, cache, progress)

    return embed


def _print_plan(folder: Path, made: HarvestPlan, queries: Sequence[Query], as_json: bool) -> None:
    by_source = Counter(query.source for query in queries)
    if as_json:
        taxa = [{"taxon": one.name, "label": one.label, "names": one.names} for one in made.taxa]
        echo_json({"folder": str(folder), "taxa": taxa, "queries": dict(by_source), "licences": made.licences})
        return
    for one in made.taxa:
        others = ", ".join(one.names[1:])
        echo(f"{one.label}: {one.name}{f' (also {others})' if others else ''}")
    for name, count in by_source.items():
        echo(f"{name}: {count} search{'es' if count > 1 else ''}")
    echo(f"accepted licences: {', '.join(made.licences)}")
    echo(f"`uncia harvest run {folder}` fetches up to {made.per_taxon} pictures a taxon and {made.negatives} negatives")


def _print_result(folder: Path, result: "HarvestResult", as_json: bool) -> None:
    from uncia.training.harvest.dataset_writing import CREDITS_FILE, DOUBTFUL_FILE

    if as_json:
        echo_json(
            {
                "folder": str(folder),
                "pictures": result.pictures,
                "stored": result.fetched.stored,
                "left_out": result.fetched.left_out,
                "postponed": result.fetched.postponed,
                "unavailable": result.search.unavailable,
                "doubtful": result.doubtful,
                "undecided": result.undecided,
                "report": result.report,
            }
        )
        return
    _print_status(result.report)
    for name, problem in result.search.unavailable.items():
        echo(f"{name}: {problem}", err=True)
    if result.fetched.postponed:
        echo(f"{result.fetched.postponed} pictures could not be fetched now", err=True)
    if not result.complete:
        echo(f"not complete: run `uncia harvest run {folder}` again later", err=True)
    echo(f"{result.pictures} pictures in {folder}; credits: {folder / CREDITS_FILE}")
    if result.undecided:
        echo(f"{result.undecided} labels are doubtful and count less: see {folder / DOUBTFUL_FILE}")


def _print_status(found: dict[str, Any]) -> None:
    table = Table("source", "label", "state", "reason", "pictures")
    for row in found["pictures"]:
        table.add_row(row["source"], row["label"], row["state"], row["reason"], f"{row['count']:,}")
    plain_console(highlight=False).print(table)
    echo(f"{found['queries_done']} of {found['queries']} searches finished")
    for problem in found["problems"]:
        echo(f"  {problem['source']}, {problem['query']}: {problem['problem']}")
