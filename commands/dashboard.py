"""`uncia dashboard`: serve the pages of the catalogue, and manage accounts."""

import typer

from uncia.commands.dashboard_alert_rules import FileAlertRules
from uncia.commands.dashboard_models import RepositoryModels
from uncia.commands.dashboard_operations import TopicDeadLetters
from uncia.commands.dashboard_replays import StoredReplays
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.operations import Operations
from uncia.dashboard.web.server import first_link, open_services, serve
from uncia.errors import UnciaError
from uncia.settings import Settings, settings
from uncia.terminal import echo

app = typer.Typer(help="Serve the dashboard; manage its accounts.", no_args_is_help=False, invoke_without_command=True)


@app.callback()
def dashboard(context: typer.Context) -> None:
    """Serve the dashboard until interrupted. The first start prints a one-time link that creates the first account."""
    if context.invoked_subcommand is None:
        config = settings()
        serve(config, _operations(config))


@app.command("serve")
def serve_command() -> None:
    """Serve the dashboard until interrupted, as without a command."""
    config = settings()
    serve(config, _operations(config))


@app.command()
def link(
    role: Role = typer.Option(Role.ADMIN, help="Role of the new account."),
    station: list[str] = typer.Option([], help="A station that the account may see; repeatable. Default: all."),
    account: str = typer.Option("", help="Instead of a new account: set a new password for this one."),
) -> None:
    """Print a one-time link that creates an account, or sets a new password where the old one is lost."""
    config = settings()
    services = open_services(config)
    if account:
        found = services.accounts.by_name(account)
        if found is None:
            raise UnciaError(f"there is no account {account}; `uncia dashboard accounts` lists them")
        secret = services.accounts.create_link(account_id=found.id)
    else:
        secret = services.accounts.create_link(role=role, stations=station or None)
    echo(first_link(config, secret))


@app.command()
def accounts() -> None:
    """List the accounts with their roles and stations."""
    for account in open_services(settings()).accounts.accounts():
        seen = "all stations" if account.stations is None else ", ".join(account.stations)
        echo(f"{account.name}  {account.role}  {seen}{'  disabled' if account.disabled else ''}")


def _operations(config: Settings) -> Operations:
    return Operations(TopicDeadLetters(config), StoredReplays(config), RepositoryModels(config), FileAlertRules(config))
