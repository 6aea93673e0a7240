"""Renders the pages with Jinja: HTML is escaped, control characters are shown as escapes, texts come from `strings`."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.labels import filter_label, filter_value, flag_name
from uncia.dashboard.web.plots import polar_sector
from uncia.dashboard.web.strings import TEXT, text
from uncia.terminal import printable_in_html

__all__ = ["STATIC", "Templates"]

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


class Templates:
    """The templates, and the addresses of static files, which contain a digest so that browsers may keep them."""

    def __init__(self, assets: Path) -> None:
        self._addresses = {**_addresses("/static/", STATIC), **_addresses("/assets/", assets)}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            finalize=printable_in_html,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            polar_sector=polar_sector,
            t=text,
            static=self.address,
            has_static=self.has,
            may=Right,
            all_texts=lambda *prefixes: {name: value for one in prefixes for name, value in _with_prefix(one).items()},
        )
        self._environment.filters.update(
            path=lambda value: quote(str(value), safe=""),
            percent=percent,
            share=share,
            moment=moment,
            minute=minute,
            flag_name=flag_name,
            filter_label=filter_label,
            filter_value=lambda value, name: filter_value(name, value),
        )

    def render(self, template: str, **values: Any) -> str:
        """Render one template."""
        return self._environment.get_template(template).render(**values)

    def part(self, name: str, *values: Any, source: str = "parts.html.j2") -> str:
        """Render one macro of a template that holds parts of pages."""
        return str(getattr(self._environment.get_template(source).module, name)(*values))

    def address(self, name: str) -> str:
        """The address of a static file or library; without its digest where the file is missing."""
        return self._addresses.get(name, f"/static/{name}")

    def has(self, name: str) -> bool:
        """Whether a static file or library is installed."""
        return name in self._addresses


def percent(share: float | None) -> str:
    """A probability in per cent, as the terminal prints it: never 0 or 100, of which no model is sure."""
    if share is None:
        return ""
    if share > 0.99:
        return "> 99 %"
    if share < 0.01:
        return "< 1 %"
    return f"{share:.0%}".replace("%", " %")


def share(counted: float | None) -> str:
    """A share of things that were counted, in per cent; a dash without any."""
    return "–" if counted is None else f"{100 * counted:.0f} %"


def moment(value: datetime | None) -> str:
    """A time to the second, without its offset: the camera's clock has none."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def minute(value: datetime | None) -> str:
    """A time to the minute."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"


def _with_prefix(prefix: str) -> Mapping[str, str]:
    return {name.removeprefix(prefix): value for name, value in TEXT.items() if name.startswith(prefix)}


def _addresses(prefix: str, folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {
        path.name: f"{prefix}{path.name}?{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in folder.iterdir()
        if path.suffix in {".js", ".css", ".svg", ".png", ".webmanifest"}
    }
