"""What of an event an account may see; pure."""

from collections.abc import Callable

from uncia.camtrap.sensitivity import Sensitivity, generalise
from uncia.dashboard.web.accounts.roles import Caller, Right
from uncia.events import DeploymentChanged, Event, ImagePredicted, ImageUploaded

__all__ = ["visible_event"]


def visible_event(event: Event, caller: Caller, serial_pseudonym: Callable[[str], str] | None = None) -> Event | None:
    """The event as the caller may see it; None: nothing of it.

    Unless the role may have exact positions, those of deployments are rounded to whole degrees, and a pseudonym
    (None: nothing) stands for the serial number of a camera.
    """
    camera = str(getattr(event, "camera", ""))
    for station in {str(getattr(event, "station", None) or camera.partition("/")[0]), camera.partition("/")[0]}:
        if not caller.may_see(station):
            return None
    if isinstance(event, DeploymentChanged) and not caller.may(Right.EXACT_POSITIONS):
        return _rounded(event)
    if isinstance(event, ImagePredicted) and event.capture.serial and not caller.may(Right.EXACT_POSITIONS):
        serial = serial_pseudonym(event.capture.serial) if serial_pseudonym is not None else None
        return event.model_copy(update={"capture": event.capture.model_copy(update={"serial": serial})})
    if isinstance(event, ImageUploaded) and event.moved_to is not None and caller.stations is not None:
        # The key names a camera that may be of another station.
        return event.model_copy(update={"moved_to": None})
    return event


def _rounded(event: DeploymentChanged) -> DeploymentChanged:
    # Which taxa were seen there is not in this event: whole degrees, as where an extreme one was.
    place = generalise(
        event.latitude, event.longitude, Sensitivity.EXTREME, event.coordinate_uncertainty_m, required=True
    )
    assert place is not None  # the event requires one
    return event.model_copy(
        update={
            "latitude": place.latitude,
            "longitude": place.longitude,
            "coordinate_uncertainty_m": place.uncertainty_m,
        }
    )
