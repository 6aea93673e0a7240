"""What an import did, and the rows that it could not read."""

from dataclasses import dataclass, field

__all__ = ["ImportProblem", "ImportReport"]

_LISTED = 1000


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A row, or an item, that was left out."""

    file: str
    line: int | None
    """Of the file; of JSON the number of the item, from 1. None: the whole file."""
    message: str


@dataclass
class ImportReport:
    """Counts of what was written, and the problems: the first thousand, and how many there are."""

    origin: str = ""
    deployments: int = 0
    photographs: int = 0
    bursts: int = 0
    reviews: int = 0
    """Bursts that a person classified."""
    problems: list[ImportProblem] = field(default_factory=list)
    problem_count: int = 0

    def add(self, file: str, line: int | None, message: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < _LISTED:
            self.problems.append(ImportProblem(file, line, message))
