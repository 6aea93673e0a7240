// What a change of an alert shows on every page that follows changes: the number of open alerts, and the banner.
import { notify, text } from "./site.js";

/** Show the number of open alerts and the banner; say so when an alert was raised. */
export function applyAlert(update) {
  for (const badge of document.querySelectorAll("[data-open-alerts]")) {
    badge.textContent = update.open;
    badge.hidden = !update.open;
  }
  for (const place of document.querySelectorAll("[data-alert-banner]")) place.innerHTML = update.banner;
  if (update.state === "raised" && update.revision === 1 && !document.getElementById(`alert-${update.alert_id}`)) {
    notify(text("new", { summary: update.summary }));
  }
}
