"""The loop of a channel's pictures: read one from the store, attach it, mark it; wait after a failure."""

import time
from collections.abc import Callable

import structlog

from uncia.errors import PermanentError, UnciaError
from uncia.processors.delivery.channel_sender import RateLimit, RetrySchedule
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.loop_failures import described, write_until_stored
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.processors.delivery.picture_queue import CropReference, PicturePick
from uncia.processors.delivery.pictures import Picture, PictureReceiver, picture_name
from uncia.processors.delivery.sender_loop import IDLE_S, SenderLoop

__all__ = ["PictureSender"]

SETTLE_S = 10.0
"""A picture waits so long for a better one: the crops of a burst are published one after the other."""
_MOST_SETTLING = 1000

log = structlog.get_logger("uncia")


class PictureSender(SenderLoop):
    """A thread that attaches the pictures of one channel: one of each alert, the best, when the event exists there.

    It is not that of the channel's messages: no message waits for a picture, for the store, or for the rate at which
    pictures are sent, which is the channel's too.
    """

    def __init__(
        self,
        channel: Channel,
        receiver: PictureReceiver,
        outbox: PictureOutbox,
        read: Callable[[CropReference], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read` returns the JPEG of a crop, and raises as `PictureSource.read` does."""
        super().__init__(channel, "pictures")
        self._receiver, self._outbox, self._read, self._clock = receiver, outbox, read, clock
        self._schedule, self._rate = RetrySchedule(), RateLimit(channel.rate)
        self._store_failures = 0
        self._settled_at: dict[str, float] = {}

    def step(self) -> float:
        """Attach one picture if one is due. Returns the seconds until the next one may be, 0 for now."""
        now = self._clock()
        if (wait_s := max(self._schedule.wait_s(now), self._rate.wait_s(now))) > 0:
            return wait_s
        waiting = self._schedule.waiting(now) | {one for one, at in self._settled_at.items() if at > now}
        pick = self._outbox.next(self.channel.name, waiting)
        if pick is None:
            settled_s = min((at - now for at in self._settled_at.values() if at > now), default=IDLE_S)
            return min(IDLE_S, settled_s, self._schedule.next_alert_s(now))
        if self._settled_at.setdefault(pick.alert_id, now + SETTLE_S) > now:
            if len(self._settled_at) > _MOST_SETTLING:
                self._settled_at = {one: at for one, at in self._settled_at.items() if at > now}
            return 0.0
        picture = self._picture(pick)
        if picture is not None and self._outbox.begin(self.channel.name, pick, waiting):
            self._rate.sent(now)
            self._attach(pick, picture)
        return 0.0

    def _picture(self, pick: PicturePick) -> Picture | None:
        fields = {"channel": self.channel.name, "alert_id": pick.alert_id}
        try:
            jpeg = self._read(pick.crop)
        except PermanentError as error:
            # Such as a crop that was withdrawn just now. The next best one takes its place.
            log.info("crop_not_usable", **fields, crop_id=pick.crop.crop_id, reason=error.reason)
            self._outbox.forget_crop(pick.crop.crop_id)
            return None
        except UnciaError as error:
            # Nothing was sent: it counts as no attempt.
            self._store_failures += 1
            failure = SendFailed(str(error), may_have_arrived=False)
            self._schedule.failed(pick.alert_id, self._store_failures, failure, self._clock())
            if self._store_failures == 1:
                log.warning("pictures_wait", **fields, error=str(error))
            return None
        self._store_failures = 0
        return Picture(picture_name(pick.alert_id), jpeg)

    def _attach(self, pick: PicturePick, picture: Picture) -> None:
        name, attempts = self.channel.name, pick.attempts + 1
        fields = {"channel": name, "alert_id": pick.alert_id, "attempts": attempts}
        try:
            self._receiver.attach(pick.remote_id, picture, pick.reached)
        except RefusedForGood as refusal:
            self._give_up(pick, refusal.reason, fields)
        except SendFailed as failure:
            self._failed(pick, failure, fields)
        except Exception as error:
            self._failed(pick, SendFailed(described(error), may_have_arrived=True, busy=False), fields)
        else:
            log.info("picture_attached", **fields)
            self._schedule.succeeded()
            self._settled_at.pop(pick.alert_id, None)
            self._store(lambda: self._outbox.attached(name, pick))

    def _failed(self, pick: PicturePick, failure: SendFailed, fields: dict[str, object]) -> None:
        # A refused key counts as well: alerts do not wait for their pictures.
        attempts, arrived = pick.attempts + 1, failure.may_have_arrived
        self._schedule.failed(pick.alert_id, attempts, failure, self._clock())
        if attempts >= self.channel.tries:
            reason = f"given up after {attempts} tries, the last one: {failure.reason}"
            self._give_up(pick, reason, fields, may_have_arrived=arrived)
            return
        log.warning("picture_failed", **fields, reason=failure.reason)
        self._store(lambda: self._outbox.failed(self.channel.name, pick, failure.reason, may_have_arrived=arrived))

    def _give_up(
        self, pick: PicturePick, reason: str, fields: dict[str, object], *, may_have_arrived: bool = False
    ) -> None:
        log.error("picture_not_attached", **fields, reason=reason)
        self._settled_at.pop(pick.alert_id, None)
        self._store(lambda: self._outbox.give_up(self.channel.name, pick, reason, may_have_arrived=may_have_arrived))

    def _store(self, write: Callable[[], None]) -> None:
        write_until_stored(write, self.channel.name, self._stop)
