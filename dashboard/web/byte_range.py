"""A part of a response, where a browser requests one: some play no sound without it, and none can search in it."""

import re

from fastapi import Response

__all__ = ["ranged_response"]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def ranged_response(data: bytes, requested: str | None, media_type: str, headers: dict[str, str]) -> Response:
    """The response to a request for `data` with this header `Range`; several ranges, and other units, get all of it."""
    headers = {**headers, "accept-ranges": "bytes"}
    found = _RANGE.fullmatch(requested or "")
    if found is None or found[0] == "bytes=-":
        return Response(data, media_type=media_type, headers=headers)
    first, last = found[1], found[2]
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last) if first and last else len(data) - 1, len(data) - 1)
    if start > end:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{len(data)}"})
    headers["content-range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], 206, headers, media_type)
