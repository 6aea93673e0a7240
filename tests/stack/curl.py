"""The little of curl that our pages use, for machines without it: a POST of standard input, with headers.

python curl.py --silent --show-error --fail --noproxy '*' URL --header H … --data-binary @-
"""

import argparse
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Returns the exit status: 22 for an answer of 400 and more, as curl's --fail does."""
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    for flag in ("--silent", "--show-error", "--fail"):
        parser.add_argument(flag, action="store_true", required=True)
    parser.add_argument("--noproxy", choices=["*"], required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--data-binary", choices=["@-"], required=True)
    parser.add_argument("url")
    asked = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in asked.header)
    request = urllib.request.Request(asked.url, data=sys.stdin.buffer.read(), headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        print(f"curl: (22) The requested URL returned error: {error.code}", file=sys.stderr)
        return 22
    return 0


if __name__ == "__main__":
    sys.exit(main())
