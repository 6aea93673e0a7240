"""A local folder, table or archive of labelled pictures as a source.

Anything that `read_dataset` reads. A table may state the provenance of each picture in columns `licence`, `author`,
`url`; for the others the user states one licence and author. Pictures without either are refused, as from any source.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random
from typing import IO

from uncia.camtrap.vocabulary import group_of, normalized_label
from uncia.storage.atomic_dir import atomic_directory
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import is_image_file
from uncia.training.datasets.readers.table import read_rows
from uncia.training.datasets.reading import TABLE_NAME, read_dataset
from uncia.training.harvest import HarvestError
from uncia.training.harvest.licence import OWN, Licence, parse_licence
from uncia.training.harvest.query import LOCAL, HarvestPlan, Query, QueryKind, TargetTaxon
from uncia.training.harvest.record import PictureRecord

__all__ = ["LocalSource", "open_local_source", "unpack_archive"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_KEPT_SUFFIXES = (".csv", ".json")
_MOST_FILES = 1_000_000
_MOST_FILE_BYTES = 512 * 1_048_576
_PROVENANCE = {"licence": ("licence", "license", "rights"), "author": ("author", "creator"), "url": ("url", "page")}


@dataclass(frozen=True)
class _Provenance:
    licence: str
    author: str
    url: str


class LocalSource:
    """The pictures of a dataset, found by label or taxon."""

    def __init__(self, data: Dataset, root: Path, plan: HarvestPlan, stated: dict[Path, _Provenance]) -> None:
        self.root = root
        self._data = data
        self._plan = plan
        self._stated = stated

    def path(self, url: str) -> Path:
        """The file of a record."""
        return self.root / url

    def records(self, query: Query) -> list[PictureRecord]:
        """The pictures that a query finds, each file once: whole bursts in random order, the same for the same seed."""
        found: dict[str, dict[Path, PictureRecord]] = {}
        for sample in self._data.samples:
            if self._matches(sample, query):
                found.setdefault(sample.burst, {}).setdefault(sample.path, self._record(sample))
        bursts = sorted(found)
        Random(self._plan.seed).shuffle(bursts)
        return [record for burst in bursts for record in found[burst].values()]

    def _matches(self, sample: Sample, query: Query) -> bool:
        own = {normalized_label(text) for text in (sample.label, sample.taxon) if text}
        if query.kind is QueryKind.POSITIVE:
            target = next(taxon for taxon in self._plan.taxa if taxon.label == query.label)
            return bool(own & _labels_of(target))
        if query.kind is QueryKind.HABITAT and (sample.group or group_of(sample.label)) == "nothing":
            # Blank photographs are of some habitat; which one, a label `blank` does not state.
            return True
        return normalized_label(query.text) in own

    def _record(self, sample: Sample) -> PictureRecord:
        stated = self._stated.get(sample.path)
        licence = (stated.licence if stated else "") or self._plan.local_licence
        relative = _relative(sample.path, self.root)
        return PictureRecord(
            source=LOCAL,
            source_id=relative,
            url=relative,
            page_url=stated.url if stated else "",
            author=(stated.author if stated else "") or self._plan.local_author,
            licence_text=licence,
            licence=Licence(OWN) if licence == OWN else parse_licence(licence),
            taken=sample.taken.isoformat() if sample.taken else "",
            title=sample.path.name,
            taxon=sample.taxon,
            burst=f"local-{sample.burst}" if sample.burst else "",
            camera=f"local-{sample.camera}" if sample.camera else "",
            box=sample.box,
            label=sample.label,
        )


def _labels_of(taxon: TargetTaxon) -> set[str]:
    return {normalized_label(name) for name in (*taxon.names, taxon.label)}


def _relative(path: Path, root: Path) -> str:
    path = path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise HarvestError(f"{path!r} has a name that is no UTF-8: rename it") from error
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def open_local_source(plan: HarvestPlan, folder: Path) -> LocalSource:
    """The local source of a plan; an archive is unpacked into the harvest's folder once. Raises `UnciaError`."""
    source = Path(plan.local)
    if source.name.lower().endswith(_ARCHIVES):
        unpacked = folder / "local"
        if not unpacked.is_dir():
            unpack_archive(source, unpacked)
        source = unpacked
    data = read_dataset(source)
    root = (source if source.is_dir() else source.parent).absolute()
    if root == (folder / "local").absolute():
        # An archive is of somebody else: its table must not name files of this computer.
        for sample in data.samples:
            if not Path(sample.path).resolve().is_relative_to(root.resolve()):
                raise HarvestError(f"{plan.local} names the picture {sample.path}, which is not in it")
    return LocalSource(data, root, plan, _read_provenance(source))


def _read_provenance(source: Path) -> dict[Path, _Provenance]:
    """What a table states about its pictures."""
    table = source / TABLE_NAME if source.is_dir() else source
    if table.suffix.lower() not in (".csv", ".tsv", ".txt") or not table.is_file():
        return {}
    stated = {}
    for _, row in read_rows(table):
        cells = {normalized_label(name): text for name, text in row.items()}
        name = next((cells[one] for one in ("path", "file", "filename") if cells.get(one)), "")
        values = [next((cells[one] for one in names if cells.get(one)), "") for names in _PROVENANCE.values()]
        if name and any(values):
            stated[table.parent / name] = _Provenance(*values)
    return stated


def unpack_archive(archive: Path, place: Path) -> int:
    """Unpack the pictures and tables of a ZIP or tar archive into `place`, and return how many files there are.

    Links, devices and names that lead out of the folder are left out, and so are other files. Raises `HarvestError`.
    """
    count = 0
    try:
        with atomic_directory(place) as folder:
            for name, size, file in _members(archive):
                target = _inside(folder, name)
                if target is None or size > _MOST_FILE_BYTES:
                    continue
                count += 1
                if count > _MOST_FILES:
                    raise HarvestError(f"{archive} has more than {_MOST_FILES:,} pictures: divide it")
                target.parent.mkdir(parents=True, exist_ok=True)
                with file, target.open("wb") as out:
                    _copy(file, out)
    except (
        *(OSError, EOFError, ValueError, tarfile.TarError, zipfile.BadZipFile),
        *(zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError),
    ) as error:
        raise HarvestError(f"{archive} cannot be unpacked: {error}") from error
    return count


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy at most the size of a photograph: the size in an archive's directory may be a lie."""
    left = _MOST_FILE_BYTES
    while left and (chunk := source.read(min(left, 1_048_576))):
        target.write(chunk)
        left -= len(chunk)


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                if not entry.is_dir():
                    yield entry.filename, entry.file_size, opened.open(entry)
        return
    with tarfile.open(archive) as opened_tar:
        for member in opened_tar:
            if member.isfile() and (file := opened_tar.extractfile(member)) is not None:
                yield member.name, member.size, file


def _inside(folder: Path, name: str) -> Path | None:
    """The place of a member; None: it is not wanted, or would be outside."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or any(part in ("..", "/") or ":" in part for part in parts) or name.startswith("/"):
        return None
    path = Path(*parts)
    return folder / path if is_image_file(path) or path.suffix.lower() in _KEPT_SUFFIXES else None
