"""The pictures of alerts in the outbox: what is attached next, and what became of it."""

from collections.abc import Collection, Mapping, Sequence

from uncia.events import CropPublished
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Place, store_offsets
from uncia.processors.delivery.picture_queue import PicturePick, limit_crops, next_picture, store_crop

__all__ = ["PictureOutbox"]


class PictureOutbox:
    """The tables of pictures, in the file of the outbox. Safe for several threads.

    Invariants: of a channel and an alert, one picture at most is marked as attached; it is marked as `reached` before
    its first byte is sent; no message waits for any of it.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def partitions(self, topic: str) -> dict[Place, PartitionOffset]:
        """How far the topic of crops was read."""
        return self._outbox.partitions(topic)

    def store_crops(
        self, crops: Sequence[CropPublished], offsets: Mapping[Place, PartitionOffset]
    ) -> list[tuple[str, str]]:
        """Apply events of crops, in their order, and store the offsets behind them.

        Returns the channels and alerts that have a picture of a crop that was withdrawn now.
        """
        shown = []
        with self._outbox.transaction() as database:
            for crop in crops:
                shown += store_crop(database, crop)
            limit_crops(database)
            store_offsets(database, offsets)
        return shown

    def forget_crop(self, crop_id: str) -> None:
        """Forget a crop that cannot be used: another one takes its place."""
        with self._outbox.transaction() as database:
            database.execute("DELETE FROM crops WHERE crop_id = ?", (crop_id,))

    def next(self, channel: str, without: Collection[str] = ()) -> PicturePick | None:
        """The picture that a channel attaches next; `without`: alerts that wait after a failure."""
        with self._outbox.transaction() as database:
            return next_picture(database, channel, without)

    def begin(self, channel: str, pick: PicturePick, without: Collection[str] = ()) -> bool:
        """Mark a picture as one that may reach the receiver, and count the attempt.

        False, and nothing is marked: it is not the next one any more, because its crop or alert was withdrawn.
        """
        with self._outbox.transaction() as database:
            if next_picture(database, channel, without) != pick:
                return False
            database.execute(
                "UPDATE pictures SET attempts = attempts + 1, reached = 1, crop_id = ?"
                " WHERE channel = ? AND alert_id = ?",
                (pick.crop.crop_id, channel, pick.alert_id),
            )
            return True

    def attached(self, channel: str, pick: PicturePick) -> None:
        """Mark a picture as attached: the alert gets no second one."""
        self._end(channel, pick, "attached", None, reached=True)

    def failed(self, channel: str, pick: PicturePick, reason: str, *, may_have_arrived: bool) -> None:
        """Note that an attempt failed. The alert still waits for its picture."""
        self._end(channel, pick, "pending", reason, reached=pick.reached or may_have_arrived)

    def give_up(self, channel: str, pick: PicturePick, reason: str, *, may_have_arrived: bool = False) -> None:
        """Note that the alert gets no picture. Its messages go on."""
        self._end(channel, pick, "dead", reason, reached=pick.reached or may_have_arrived)

    def _end(self, channel: str, pick: PicturePick, state: str, reason: str | None, *, reached: bool) -> None:
        with self._outbox.transaction() as database:
            database.execute(
                # Where the alert was withdrawn meanwhile, it stays so.
                "UPDATE pictures SET state = iif(? = 'pending', state, ?), error = ?, reached = ?"
                " WHERE channel = ? AND alert_id = ?",
                (state, state, reason, reached, channel, pick.alert_id),
            )
