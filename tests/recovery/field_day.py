"""A day in the field in small: several cameras, bursts whose frames are known, uploaded by an insistent client."""

import io
import time
import uuid
from datetime import datetime, timedelta

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from PIL import Image

from uncia.ids import content_hash
from uncia.object_store import ObjectStore

FRAMES_PER_BURST = 5


class FieldDay:
    """`bursts` bursts of five frames, a second apart, over three cameras; bursts of a camera are ten minutes apart."""

    def __init__(self, bursts: int) -> None:
        self.station = f"st-{uuid.uuid4().hex[:8]}"
        self.photographs: dict[str, bytes] = {}
        self.expected: set[frozenset[str]] = set()
        noise = np.random.default_rng(1)
        for burst in range(bursts):
            camera, round_ = f"cam-{burst % 3}", burst // 3
            began = datetime(2026, 5, 1, 4) + timedelta(minutes=10 * round_)
            keys = [self._add(camera, began + timedelta(seconds=second), noise) for second in range(FRAMES_PER_BURST)]
            self.expected.add(frozenset(keys))

    def _add(self, camera: str, moment: datetime, noise: np.random.Generator) -> str:
        data = _photograph(moment, noise)
        key = f"{self.station}/{camera}/{moment:%Y/%m/%d/%Y%m%dT%H%M%S}-{content_hash(data)[:16]}.jpg"
        self.photographs[key] = data
        return key

    def upload(self, store: ObjectStore, bucket: str, key: str) -> None:
        """PUT one photograph, again and again until the store confirms it; for a minute at most."""
        give_up = time.monotonic() + 60
        while True:
            try:
                store.client.put_object(Bucket=bucket, Key=key, Body=self.photographs[key])
                return
            except (BotoCoreError, ClientError, OSError):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.3)


def _photograph(moment: datetime, noise: np.random.Generator) -> bytes:
    small = noise.integers(60, 200, (36, 48, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"{moment:%Y:%m:%d %H:%M:%S}"
    out = io.BytesIO()
    Image.fromarray(small).resize((960, 720)).save(out, "JPEG", quality=80, exif=exif)
    return out.getvalue()
