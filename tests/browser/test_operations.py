"""Operations in Chromium: an action asks first, and nothing is changed by a refusal."""

from playwright.sync_api import Dialog, expect

from tests.browser.conftest import Open, Site
from tests.unit.dashboard.web.operations_data import Letters, OneReplay, Versions
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.operations import Operations


def test_an_action_asks_first_and_names_what_it_changes(site: Site, open_page: Open) -> None:
    letters, replay, versions = Letters(3), OneReplay(), Versions()
    site.services.operations = Operations(letters, replay, versions)
    page = open_page("/operations", Role.OPERATOR)
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        """Refuse the first question, confirm all others."""
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    promote = page.get_by_role("button", name="Promote: species_classifier@3")
    promote.click()
    assert "species_classifier@3" in asked[0]
    assert versions.live == "2"
    promote.click()
    expect(page.get_by_role("status").first).to_contain_text("is live")
    assert versions.live == "3"

    page.get_by_label("Select all shown").check()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status").first).to_contain_text("sent again")
    assert [(action, ids) for action, ids, _ in letters.settled] == [("retry", ["0:17", "0:18", "0:19"])]

    page.get_by_role("link", name="trial").click()
    page.get_by_role("button", name="Promote 2 changes").click()
    expect(page.get_by_role("status").first).to_contain_text("was promoted")
    assert [action for action, _, _ in replay.actions] == ["promote"]
    assert len(asked) == 4
