"""The English texts of refusals: why a request, a decision or an account is not accepted; see `strings`."""

__all__ = ["MESSAGES"]

MESSAGES: dict[str, str] = {
    "refused.other_site": "This request comes from another site.",
    "refused.token": "sign in, or send a token",
    "refused.topic": "topic: {topic} is none of {topics}",
    "refused.publisher": "Kafka did not take the decision ({reason}); it was not stored",
    "refused.streams": "as many event streams are open as may be at once; close one, or try again later",
    "refused.exports": "as many exports run as may at once; try again when one is complete",
    "refused.export_failed": "the export could not be written: {reason}",
    "refused.dead_letter": "there is no dead letter {name}",
    "refused.replay": "no replay is called {name}",
    "picture.gone": "no longer stored",
    "picture.replaced": "replaced by another photograph",
    "picture.unreadable": "not readable",
    "password.short": "the password has fewer than {n} characters",
    "password.long": "the password has more than {n} characters",
    "password.repetitive": "the password has fewer than {n} different characters",
    "accounts.refused.unknown": "there is no such account",
    "accounts.refused.link": "this link was used, or it has expired",
    "accounts.refused.name": "a name has 1 to 64 printable characters",
    "accounts.refused.taken": "there is an account {name} already",
    "accounts.refused.last_admin": "at least one admin must remain",
    "accounts.refused.attempts": "too many failed attempts to sign in",
    "review.refused.no_verdict": "there is no verdict to confirm: choose what the burst shows",
    "review.refused.empty": "a correction names what the burst shows",
    "review.refused.blank": "a blank burst is decided by `blank`",
    "review.refused.undo": "undo names the review that it undoes",
    "review.refused.undo_other": "this review is {reviewer}'s: decide anew instead",
    "review.refused.box_elsewhere": "a box is in a photograph that is not of this burst",
    "review.refused.box_outside": "a box is outside of its photograph",
}
