// The pages of alerts: parts of the page are loaded again when an alert changes. Everything else works by forms.
import { applyAlert } from "./alert_feed.js";

const root = document.querySelector("[data-alerts]");
let after = Number(root.dataset.after);
let retry = 0;
let waiting = 0;

document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "filters") return;
  // Fields without a value would make every address long.
  for (const [name, value] of [...event.detail.formData.entries()]) if (value === "") event.detail.formData.delete(name);
});

if (matchMedia("(max-width: 900px)").matches) document.querySelector("#fold[data-closed-on-phone]")?.removeAttribute("open");

function connect() {
  const source = new EventSource(`/alerts/stream?after=${after}`);
  source.onopen = () => { retry = 0; };
  source.addEventListener("alert", (event) => {
    after = Number(event.lastEventId) || after;
    const update = JSON.parse(event.data);
    applyAlert(update);
    const shown = document.querySelector("[data-alerts]").dataset.alert;
    if (shown === undefined || !update.alert_id || update.alert_id === shown) later();
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    retry = Math.min(retry + 1, 6);
    setTimeout(connect, 500 * 2 ** retry);
  };
}

/** Several changes at once load the page once. */
function later() {
  clearTimeout(waiting);
  waiting = setTimeout(reload, 200);
}

async function reload() {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live-part]")) {
    const next = fresh.querySelector(`[data-live-part="${part.dataset.livePart}"]`);
    if (!next || next.innerHTML === part.innerHTML) continue;
    // A note that somebody is writing is not thrown away: a form that is out of date is refused by the server.
    if (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    for (const row of next.querySelectorAll("[data-revision]")) {
      const before = document.getElementById(row.id);
      if (!before || before.dataset.revision !== row.dataset.revision || before.className !== row.className) row.classList.add("changed");
    }
    part.replaceWith(document.importNode(next, true));
    if (focused) document.getElementById(focused)?.focus();
  }
}

connect();
