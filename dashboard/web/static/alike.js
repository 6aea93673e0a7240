// Look-alikes: select crops by mouse or keyboard, accept or name them in one action, and take that action back as a
// whole.
import { notify, send, text } from "./site.js";

const root = document.querySelector("[data-alike]");
const accept = document.getElementById("accept");
const undo = document.getElementById("undo");
const all = document.getElementById("select-all");
const progress = document.getElementById("progress");
const CHUNK = 40; // bursts in one request: each takes the server some milliseconds
const species = [...document.querySelectorAll("[data-species]")];
const past = []; // decided at once: lists of burst_id, revision, supersedes
let busy = false;
let last = null; // the box that was changed last, from which Shift selects a range

const boxes = () => [...root.querySelectorAll("[data-select]:not(:disabled)")].filter((box) => !box.closest("[hidden]"));
const alike = () => boxes().filter((box) => box.dataset.apart === undefined);
const selected = () => boxes().filter((box) => box.checked);
const tile = (box) => box.closest("[data-burst]");

function show() {
  const chosen = selected();
  const names = new Set(chosen.map((box) => tile(box).dataset.name));
  const name = names.size === 1 ? [...names][0] : "";
  for (const button of [accept, ...species]) button.disabled = busy || !chosen.length;
  if (chosen.length && name) document.getElementById("accept-text").textContent = text("accept_one", { n: chosen.length, name });
  else document.getElementById("accept-text").textContent = text(names.size > 1 ? "accept_several" : "accept", { n: chosen.length, names: names.size });
  const possible = alike();
  all.disabled = busy || !possible.length;
  all.checked = possible.length > 0 && possible.every((box) => box.checked);
  all.indeterminate = !all.checked && possible.some((box) => box.checked);
  undo.hidden = !past.length;
  undo.disabled = busy;
  for (const group of root.querySelectorAll("[data-group]")) {
    const left = group.querySelectorAll(".tile:not([hidden])").length;
    group.hidden = !left;
    group.querySelector("h2 small").textContent = left;
  }
  document.getElementById("all-decided").hidden = Boolean(root.querySelector(".tile:not([hidden])"));
}

function selectAll() {
  const possible = alike();
  const on = !possible.every((box) => box.checked);
  for (const box of possible) box.checked = on;
  // Selecting none also unselects what was chosen one by one.
  if (!on) for (const box of boxes()) box.checked = false;
  show();
}

/** Sends one decision on many bursts, a part at a time; returns those that were decided and why others were not. */
async function decide(decision, items, done, observation) {
  const decided = [];
  const reasons = [];
  let failure = null;
  busy = true;
  show();
  try {
    for (let at = 0; at < items.length; at += CHUNK) {
      progress.textContent = text("sending", { n: at, of: items.length });
      const answer = await send("/review/bulk.json", { decision, observation, bursts: items.slice(at, at + CHUNK) });
      for (const [burst, review] of Object.entries(answer.decided)) {
        decided.push({ ...items.find((one) => one.burst_id === burst), supersedes: review });
        done(root.querySelector(`[data-burst="${CSS.escape(burst)}"]`));
      }
      reasons.push(...Object.values(answer.refused));
    }
  } catch (error) {
    failure = error.message;
  }
  busy = false;
  progress.textContent = "";
  return { decided, reasons, failure };
}

function report({ decided, reasons, failure }, name, values = {}) {
  const n = decided.length;
  if (failure) notify(failure, "bad");
  else if (reasons.length) notify(text("refused", { n, refused: reasons.length, reason: reasons[0] }), "bad");
  else notify(text(name, { n, ...values }));
}

/** Accepts the selected bursts, each with its own verdict, or calls all of them `observation`. */
async function decideSelected(observation) {
  const items = selected().map((box) => ({ burst_id: tile(box).dataset.burst, revision: Number(tile(box).dataset.revision) }));
  if (busy || !items.length) return;
  const hide = (one) => {
    one.hidden = true;
    one.querySelector("[data-select]").checked = false;
  };
  const result = await decide(observation ? "correct" : "confirm", items, hide, observation);
  if (result.decided.length) past.push(result.decided);
  last = null;
  show();
  report(result, observation ? "corrected" : "accepted", { name: observation?.label });
}

function nameSelected(button) {
  // Enter accepts what is selected next; it must not press this button again.
  button.blur();
  decideSelected(JSON.parse(button.dataset.species));
}

async function undoLast() {
  if (busy || !past.length) return;
  const items = past.pop();
  const result = await decide("undo", items, (one) => {
    one.closest("[data-group]").hidden = false;
    one.hidden = false;
    one.querySelector("[data-select]").checked = true;
  });
  const undone = new Set(result.decided.map((one) => one.burst_id));
  const left = items.filter((one) => !undone.has(one.burst_id));
  // What the server did not take can be tried again; what it refused is another reviewer's meanwhile.
  if (result.failure && left.length) past.push(left);
  show();
  report(result, "undone");
}

function move(key) {
  const list = boxes();
  const at = list.indexOf(document.activeElement);
  if (at < 0) return list[0]?.focus();
  const here = tile(list[at]).getBoundingClientRect();
  if (key === "ArrowLeft" || key === "ArrowRight") return list[at + (key === "ArrowLeft" ? -1 : 1)]?.focus();
  const down = key === "ArrowDown";
  const places = list.map((box) => [box, tile(box).getBoundingClientRect()]);
  const beyond = places.filter(([, place]) => (down ? place.top >= here.bottom - 1 : place.bottom <= here.top + 1));
  const away = ([, place]) => Math.abs(place.top - here.top) * 10 + Math.abs(place.left - here.left);
  beyond.sort((a, b) => away(a) - away(b))[0]?.[0].focus();
}

// Where the store holds no crop, its part of the frame is cut out here.

const MARGIN = 0.25; // of the box's size, on each side

function cut(img) {
  const [x, y, width, height] = img.closest("[data-box]").dataset.box.split(" ").map(Number);
  const [w, h] = [img.naturalWidth, img.naturalHeight];
  const left = Math.max(0, x - MARGIN * width) * w;
  const top = Math.max(0, y - MARGIN * height) * h;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.min(w, (x + width * (1 + MARGIN)) * w) - left);
  canvas.height = Math.max(1, Math.min(h, (y + height * (1 + MARGIN)) * h) - top);
  canvas.getContext("2d").drawImage(img, left, top, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
  img.closest(".picture").replaceChildren(canvas);
}

for (const img of root.querySelectorAll("[data-box] img")) {
  if (img.complete && img.naturalWidth) cut(img);
  else img.addEventListener("load", () => cut(img), { once: true });
}

if (accept) {
  accept.addEventListener("click", () => decideSelected());
  for (const button of species) button.addEventListener("click", () => nameSelected(button));
  undo.addEventListener("click", undoLast);
  all.addEventListener("change", selectAll);

  root.addEventListener("click", (event) => {
    const box = event.target.closest("[data-select]") ?? event.target.closest(".tile label")?.querySelector("[data-select]");
    if (!box || event.target !== box) {
      // A click on the picture becomes a click on its box, which loses the key.
      if (box) box.dataset.range = event.shiftKey ? "1" : "";
      return;
    }
    const range = event.shiftKey || box.dataset.range;
    const list = boxes();
    if (range && last && list.includes(last)) {
      const [from, to] = [list.indexOf(last), list.indexOf(box)].sort((a, b) => a - b);
      for (const one of list.slice(from, to + 1)) one.checked = box.checked;
    }
    box.dataset.range = "";
    last = box;
    show();
  });

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.target.matches?.("input:not([type=checkbox]), select, textarea, summary")) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key !== "z") return;
    if (event.key === "Enter" && event.target.closest?.("button, a")) return;
    const named = event.shiftKey && !control && species.find((one) => one.dataset.key === event.key.toLowerCase());
    if (named) {
      event.preventDefault();
      nameSelected(named);
      return;
    }
    const action = {
      a: selectAll,
      z: undoLast,
      Enter: () => decideSelected(),
      ArrowLeft: () => move("ArrowLeft"),
      ArrowRight: () => move("ArrowRight"),
      ArrowUp: () => move("ArrowUp"),
      ArrowDown: () => move("ArrowDown"),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  show();
}
