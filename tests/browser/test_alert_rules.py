"""Rules edited in Chromium: a typo, then right, a preview, and saved."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Open, Site
from tests.unit.dashboard.web.test_alert_rules import RULES, Rules
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.operations import Operations
from uncia.settings import Settings


def test_a_typo_is_mended_previewed_and_saved(site: Site, open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    site.services.operations = Operations(rules=Rules(Settings(_env_file=None, alert_rules=path)))
    page = open_page("/alerts", Role.OPERATOR, size=PHONE)
    page.get_by_role("link", name="Edit the rules").click()
    text = page.get_by_label("Rules (YAML)")
    expect(text).to_have_value(RULES)
    text.fill(RULES + "    severety: critical\n")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert")).to_contain_text("did you mean 'severity'")
    page.get_by_role("link", name="line 4, column 5:").click()
    expect(text).to_be_focused()
    assert text.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == "severety: critical"
    page.keyboard.type("severity: critical")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("would have raised 14 alerts")
    assert path.read_text() == RULES
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    assert path.read_text() == RULES + "    severity: critical\n"


def test_the_page_works_without_javascript(site: Site, open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    site.services.operations = Operations(rules=Rules(Settings(_env_file=None, alert_rules=path)))
    page = open_page("/alerts/rules", Role.ADMIN)
    page.route("**/*.js*", lambda route: route.abort())
    page.reload()
    page.get_by_label("Rules (YAML)").fill(RULES + "# more\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    assert path.read_text() == RULES + "# more\n"
