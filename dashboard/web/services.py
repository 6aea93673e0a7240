"""What all requests share: settings, accounts, templates, the catalogue, pictures, and the live feed."""

import hashlib
import hmac
from dataclasses import dataclass

from uncia.dashboard.web.accounts.store import AccountStore
from uncia.dashboard.web.templating import Templates
from uncia.settings import Settings

__all__ = ["Services"]


@dataclass
class Services:
    """Made once per process; the handlers find it by `context.services_of`."""

    settings: Settings
    accounts: AccountStore
    templates: Templates

    def proxy_form_token(self, name: str) -> str:
        """The form token of an account that a proxy signs in, which has no session to keep one."""
        secret = self.settings.dashboard_proxy_secret
        key = secret.get_secret_value() if secret else ""
        return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()
