"""How a delivery can fail."""

__all__ = ["RefusedForGood", "SendFailed"]


class SendFailed(Exception):
    """The message was not delivered as far as is known; another attempt may succeed."""

    def __init__(
        self,
        reason: str,
        *,
        may_have_arrived: bool,
        retry_after_s: float | None = None,
        busy: bool = True,
        needs_operator: bool = False,
    ) -> None:
        """`may_have_arrived`: the receiver may have the message all the same, as when its answer was lost.

        `retry_after_s`: how long the receiver wants to be left alone. `busy`: the channel as a whole does not work,
        rather than this message: other messages wait as well. `needs_operator`: the cause is the channel's own
        configuration, such as a wrong key: attempts do not count until a person has mended it.
        """
        self.reason, self.may_have_arrived = reason, may_have_arrived
        self.retry_after_s, self.busy, self.needs_operator = retry_after_s, busy, needs_operator
        super().__init__(reason)


class RefusedForGood(Exception):
    """The receiver refuses this message: it becomes a dead letter."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
