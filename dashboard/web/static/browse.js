import { notify, send, text } from "./site.js";

// Browse works by forms and links; this file keeps addresses short and folds the filters on a phone.

document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "filters") return;
  // Fields without a value, and the default order, would make every address long.
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "" || (name === "order" && value === "newest")) event.detail.formData.delete(name);
  }
});

function fold() {
  if (!matchMedia("(max-width: 900px)").matches) return;
  document.querySelector("#fold[data-closed-on-phone]")?.removeAttribute("open");
}

// While somebody chooses filters on a phone, the fold stays as it is.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "browse") fold.open = document.getElementById("fold")?.open;
});
document.addEventListener("htmx:afterSwap", () => {
  if (fold.open !== undefined) document.getElementById("fold")?.toggleAttribute("open", fold.open);
});
fold();

// Deciding on several bursts: what is selected is sent with its revision, so that nothing is decided unseen.

let undoable = [];

function selected() {
  return [...document.querySelectorAll("[data-select]:checked")];
}

function showSelection() {
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const n = selected().length;
  document.getElementById("bulk-count").textContent = n ? text("selected", { n }) : "";
  for (const name of ["confirm", "blank"]) bulk.querySelector(`[data-bulk="${name}"]`).disabled = !n;
  bulk.querySelector('[data-bulk="undo"]').hidden = !undoable.length;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") {
    for (const box of document.querySelectorAll("[data-select]")) box.checked = event.target.checked;
  }
  if (event.target.id === "select-all" || event.target.dataset.select) showSelection();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-bulk]");
  if (!button) return;
  const decision = button.dataset.bulk;
  const chosen = decision === "undo" ? undoable : selected().map((box) => {
    const card = box.closest("[data-burst]");
    return { burst_id: card.dataset.burst, revision: Number(card.dataset.revision) };
  });
  const decided = [];
  const reasons = [];
  button.disabled = true;
  try {
    for (let at = 0; at < chosen.length; at += 100) {
      const answer = await send("/review/bulk.json", { decision, bursts: chosen.slice(at, at + 100) });
      for (const [burst, review] of Object.entries(answer.decided)) {
        decided.push({ ...chosen.find((one) => one.burst_id === burst), supersedes: review });
        const card = document.getElementById(`burst-${burst}`);
        card?.classList.toggle("decided", decision !== "undo");
        const box = card?.querySelector("[data-select]");
        if (box) box.checked = false;
      }
      reasons.push(...Object.values(answer.refused));
    }
    undoable = decision === "undo" ? [] : decided;
    notify(reasons.length ? text("refused", { n: decided.length, refused: reasons.length, reason: reasons[0] }) : text("decided", { n: decided.length }), reasons.length ? "bad" : "");
  } catch (error) {
    notify(error.message, "bad");
  }
  const all = document.getElementById("select-all");
  if (all) all.checked = false;
  showSelection();
});
