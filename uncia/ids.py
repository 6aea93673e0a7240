"""Ids are derived from content, never random: the same input and models give the same ids on every run.

Writers can therefore upsert, and repetition and replay are harmless. Every id is a short prefix for its kind and
 96 bits of SHA-256 over length-prefixed parts (so that no two different lists of parts collide).
"""

import hashlib
from datetime import datetime


def digest(*parts: str | bytes) -> str:
    """24 hexadecimal digits (96 bits) over the parts, each framed by its length."""
    hasher = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(8, "big"))
        hasher.update(raw)
    return hasher.hexdigest()[:24]


def content_hash(data: bytes) -> str:
    """SHA-256 of a photograph's bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def upload_id(bucket: str, key: str, etag: str) -> str:
    """One stored version of one object; known from the notification alone, before any byte is read."""
    return f"upl-{digest(bucket, key, etag)}"


def image_id(camera: str, sha256: str) -> str:
    """One photograph of one camera, whatever its file name: exact copies share it."""
    return f"img-{digest(camera, sha256)}"


def burst_id(camera: str, trigger: str, first_capture: datetime, first_image: str) -> str:
    """One burst: its camera, trigger mode and earliest frame. An earlier frame that arrives late changes it."""
    return f"bst-{digest(camera, trigger, first_capture.isoformat(), first_image)}"


def successor_burst_id(burst: str) -> str:
    """The id of a burst whose own was superseded, which never comes back."""
    return f"bst-{digest(burst, 'later')}"


def explanation_prefix(image: str) -> str:
    """What the ids of all explanations of one photograph begin with: they are withdrawn together."""
    return f"exp-{digest(image)}-"


def explanation_id(image: str, model: str, class_index: int | None, method: str) -> str:
    """One explanation: a photograph, `name@version` of a model, a class (None: its best) and a method."""
    chosen = "best" if class_index is None else str(class_index)
    return f"{explanation_prefix(image)}{digest(model, chosen, method)[:12]}"


def settings_digest(settings_json: str) -> str:
    """What a prediction or verdict was computed with, so that it can be traced and compared."""
    return f"set-{digest(settings_json)}"
