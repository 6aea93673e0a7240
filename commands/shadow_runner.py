"""`python -m uncia.commands.shadow_runner MODEL VERSION`: keeps the worker of a shadow running until SIGTERM.

A process of its own, because a shadow outlives the command `uncia models shadow start`, which starts it.
"""

import sys

from uncia.errors import UnciaError
from uncia.producers.shadow.lifecycle import Shadow
from uncia.settings import settings


def main() -> None:
    """Run the shadow named on the command line; an error becomes one line in its log."""
    model, version = sys.argv[1:]
    try:
        Shadow(model, version, settings()).run()
    except UnciaError as error:
        sys.exit(f"uncia: {error}")


if __name__ == "__main__":
    main()
