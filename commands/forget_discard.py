"""`uncia forget --discard`: give up the stored plan of an interrupted run."""

import getpass

from uncia.audit import AuditLog, audit_file_of_process
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.forgetting import forgotten_among
from uncia.dashboard.catalogue.schema import check_current
from uncia.errors import UnciaError
from uncia.producers.forget.plan import ForgetPlan, pending_plans, plans_folder
from uncia.settings import Settings
from uncia.storage.process_lock import exclusive
from uncia.terminal import counted, echo, echo_json

__all__ = ["discard_plan"]


def discard_plan(config: Settings, name: str, *, yes: bool, as_json: bool) -> None:
    """Delete a stored plan, with `yes`, and name what of it is withdrawn and still in the store.

    A plan that cannot be read is deleted, too. Raises `UnciaError` for a plan that is not stored.
    """
    folder = plans_folder(config)
    stored = {path.stem: path for path in pending_plans(folder)}
    if (path := stored.get(name)) is None:
        known = f"stored are {', '.join(stored)}" if stored else "none is stored"
        raise UnciaError(f"there is no stored plan {name!r}: {known}")
    with exclusive(folder / "lock", UnciaError("another `uncia forget` is running: wait until it ends")):
        try:
            plan = ForgetPlan.load(path)
            what, withdrawn = plan.what, _withdrawn_keys(config, plan)
        except UnciaError as error:
            what, withdrawn = str(error), []
        if yes:
            path.unlink(missing_ok=True)
            AuditLog(audit_file_of_process(config.data_dir)).record(
                "forget_discarded", getpass.getuser(), what, plan=name, withdrawn=len(withdrawn)
            )
    if as_json:
        echo_json({"plan": name, "what": what, "discarded": yes, "withdrawn": withdrawn})
        return
    echo(f"{name}: {what}")
    if withdrawn:
        echo(
            f"withdrawn already are {counted(len(withdrawn), 'upload')}: no page shows them, and no later run finds "
            "them, but the store still has those that were not deleted:"
        )
        for key in withdrawn:
            echo(f"  {key}")
    echo("discarded" if yes else "nothing was discarded: add --yes to discard it")


def _withdrawn_keys(config: Settings, plan: ForgetPlan) -> list[str]:
    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    with engine.begin() as connection:
        found = forgotten_among(connection, plan.uploads)
    return [one.key for one in plan.photographs if one.upload_id in found]
