"""The subset of curl that the documentation uses, for machines without it: a POST of standard input with headers.

python curl.py --silent --show-error --fail --noproxy '*' URL --header H … --data-binary @-
"""

import argparse
import sys
import urllib.error
import urllib.request

from tests.waiting import SCALE


def main() -> int:
    """Send the request. Returns the exit status: 22 for a response of 400 and above, like curl's --fail."""
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    for flag in ("--silent", "--show-error", "--fail"):
        parser.add_argument(flag, action="store_true", required=True)
    parser.add_argument("--noproxy", choices=["*"], required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--data-binary", choices=["@-"], required=True)
    parser.add_argument("url")
    arguments = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in arguments.header)
    request = urllib.request.Request(arguments.url, data=sys.stdin.buffer.read(), headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SCALE * 30) as response:
            sys.stdout.buffer.write(response.read())
    except urllib.error.HTTPError as error:
        print(f"curl: (22) The requested URL returned error: {error.code}", file=sys.stderr)
        return 22
    return 0


if __name__ == "__main__":
    sys.exit(main())
