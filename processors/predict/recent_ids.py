"""A bounded set of recent ids. It only saves work: an id that was dropped causes a repeated result, nothing else."""

from collections import OrderedDict


class RecentIds:
    """The last `size` ids that were added; adding an id again makes it the most recent."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def add(self, name: str) -> None:
        """Add an id; drops the oldest one when there are more than `size`."""
        self._ids[name] = None
        self._ids.move_to_end(name)
        while len(self._ids) > self._size:
            self._ids.popitem(last=False)

    def discard(self, name: str) -> None:
        """Remove an id, if it is there."""
        self._ids.pop(name, None)
