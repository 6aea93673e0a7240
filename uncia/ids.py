"""Ids are derived from content, never random: the same input and models give the same ids on every run.

Writers can therefore upsert, and repetition and replay are harmless. An id consists of a short prefix for its kind and
96 bits of SHA-256 over length-prefixed parts, so that different lists of parts have different ids.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime


def digest(*parts: str | bytes) -> str:
    """Return 96 bits of SHA-256 over the length-prefixed parts, as 24 hexadecimal digits."""
    hasher = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(8, "big"))
        hasher.update(raw)
    return hasher.hexdigest()[:24]


def content_hash(data: bytes) -> str:
    """Return the SHA-256 of a photograph's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def upload_id(bucket: str, key: str, etag: str) -> str:
    """Return the id of one stored version of an object, which is known from its notification alone."""
    return f"upl-{digest(bucket, key, etag)}"


def image_id(camera: str, sha256: str) -> str:
    """Return the id of one photograph of a camera: exact copies under different names have the same id."""
    return f"img-{digest(camera, sha256)}"


def burst_id(camera: str, trigger: str, first_capture: datetime, first_image: str) -> str:
    """Return the id of a burst, from camera, trigger and earliest frame. A late, earlier frame changes it."""
    return f"bst-{digest(camera, trigger, first_capture.isoformat(), first_image)}"


def successor_burst_id(burst: str) -> str:
    """Return a new id for a burst whose id was superseded: superseded ids are not used again."""
    return f"bst-{digest(burst, 'later')}"


def explanation_prefix(image: str) -> str:
    """What the ids of all explanations of one photograph begin with: they are withdrawn together."""
    return f"exp-{digest(image)}-"


def explanation_id(image: str, model: str, class_index: int | None, method: str) -> str:
    """One explanation: a photograph, `name@version` of a model, a class (None: its best) and a method."""
    chosen = "best" if class_index is None else str(class_index)
    return f"{explanation_prefix(image)}{digest(model, chosen, method)[:12]}"


def second_look_id(images: Sequence[str], rule: str) -> str:
    """One second look: the photographs, in any order, and the rule."""
    return f"snd-{digest(rule, *sorted(images))}"


def settings_digest(settings_json: str) -> str:
    """Return the digest of the settings that a prediction or verdict was computed with."""
    return f"set-{digest(settings_json)}"


def crop_id(image: str, box: Sequence[float]) -> str:
    """One crop: its photograph, and the box (shares of it) as published, to five digits."""
    return f"crp-{digest(image, *(f'{value:.5f}' for value in box))}"


def recording_id(camera: str, sha256: str) -> str:
    """One sound recording of a recorder: exact copies under different names have the same id."""
    return f"rec-{digest(camera, sha256)}"


def call_id(recording: str, model: str, settings: str, class_index: int, start_s: float) -> str:
    """One call: the recording, `name@version` of the model, the digest of the settings, the class, and its start."""
    return f"cal-{digest(recording, model, settings, str(class_index), f'{start_s:.3f}')}"


def review_id(burst: str, reviewer: str, reviewed_at: datetime, decision: str) -> str:
    """One decision of a reviewer; `reviewed_at` has a UTC offset."""
    return f"rev-{digest(burst, reviewer, reviewed_at.astimezone(UTC).isoformat(), decision)}"


def alert_id(rule: str, camera: str, burst: str) -> str:
    """One alert: the name of its rule, its camera, and the burst that raised it."""
    return f"alr-{digest(rule, camera, burst)}"


def handling_id(key: str, account: str, at: datetime, action: str) -> str:
    """What a person did about alerts; `key` is that of the message, `at` has a UTC offset."""
    return f"hdl-{digest(key, account, at.astimezone(UTC).isoformat(), action)}"


def individual_id(*parts: str) -> str:
    """One individual, by what created it: an import's source and name, or the decision's burst, account and time."""
    return f"ind-{digest(*parts)}"


def individual_decision_id(account: str, at: datetime, decision: str, *parts: str) -> str:
    """One decision about individuals; `parts`: what it is about, in a fixed order; `at` has a UTC offset."""
    return f"idn-{digest(account, at.astimezone(UTC).isoformat(), decision, *parts)}"


def status_report_id(camera: str, *parts: str | bytes) -> str:
    """One status report of a camera, by what does not change when the same mail or file is sent again."""
    return f"sts-{digest(camera, *parts)}"
