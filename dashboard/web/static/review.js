// Review: one burst after the other by the keyboard. The next bursts and their pictures are fetched ahead, so that a key
// press shows the next picture at once; the decision is sent meanwhile.
import { fit, notify, send, setParameter, text, toggleFavourite } from "./site.js";
import { LeasedQueue } from "./leased_queue.js";
import { Stage } from "./stage.js";

const root = document.querySelector("[data-review]");
const work = document.getElementById("work");
const stage = new Stage(document.getElementById("stage"));
const strip = document.getElementById("strip");
const favourite = root.querySelector('[data-do="mark"]');
const SVG = "http://www.w3.org/2000/svg";
const RESERVED = "bnszyxg";

let keys = JSON.parse(document.getElementById("keys").textContent);
const taxa = JSON.parse(document.getElementById("taxa-data").textContent);
const queue = new LeasedQueue("/review/queue.json", {
  name: "bursts",
  body: { query: root.dataset.query, queue: root.dataset.queue },
  first: root.dataset.first || null,
  current: () => current,
  prefetch,
});
const past = []; // decisions that can be undone
const future = []; // decisions that were undone
let current = null;
let pending = null;
let digits = { typed: "", at: 0 };

// The queue

/** Fetches a burst anew that has changed since it was fetched; it comes next. One that was replaced does not come. */
async function again(burst) {
  await queue.again(burst);
  if (queue.items[0]?.burst_id === burst.burst_id && queue.items[0].status === "superseded") queue.done.push(queue.items.shift().burst_id);
  if (!current) next();
}

function prefetch(burst) {
  burst.images = burst.frames.map((frame) => {
    if (frame.rejected) return null;
    const img = new Image();
    img.decoding = "async";
    img.dataset.picture = "";
    img.src = frame.view;
    return img;
  });
}

async function next() {
  if (!queue.items.length) await queue.fetchMore();
  show(queue.items.shift() ?? null);
  queue.refill();
}

// The stage

function show(burst) {
  current = burst;
  pending = burst && { observation: null, count: null, boxes: null, rejected: [], selected: null };
  work.hidden = !burst;
  document.getElementById("empty").hidden = Boolean(burst);
  draw(false);
  setParameter("burst", burst?.burst_id);
  if (!burst) return;
  if (!burst.images) prefetch(burst);
  strip.replaceChildren(...burst.frames.map((frame, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "frame";
    button.disabled = Boolean(frame.rejected);
    button.setAttribute("aria-label", text("frame", { n: index + 1, of: burst.frames.length }));
    const picture = document.createElement("span");
    picture.className = "picture";
    if (!frame.rejected) {
      const img = new Image();
      img.src = frame.thumb;
      img.alt = "";
      img.dataset.picture = "";
      picture.append(img);
    }
    button.append(picture);
    button.addEventListener("click", () => showFrame(index));
    return button;
  }));
  const verdict = document.getElementById("verdict");
  verdict.textContent = burst.verdict;
  verdict.className = `verdict tone-${burst.category ?? "blank"}`;
  document.getElementById("evidence").textContent = burst.evidence;
  document.getElementById("camera").textContent = burst.camera;
  document.getElementById("started").textContent = burst.started_at.replace("T", " ").slice(0, 19);
  const already = document.getElementById("already");
  already.hidden = !burst.reviewed;
  already.textContent = burst.reviewed ? text("already", { reviewer: burst.reviewer ?? "?" }) : "";
  root.dataset.burst = burst.burst_id;
  species("suggestions", burst.suggestions);
  showMark();
  stage.reset();
  showFrame(Math.max(0, burst.cover ?? 0));
  showPending();
  preview();
}

function showFrame(index) {
  const frame = current.frames[index];
  if (!frame) return;
  current.shown = index;
  pending.selected = null;
  const picture = document.createElement("span");
  picture.className = "picture";
  const img = current.images[index];
  if (img) {
    img.alt = `${current.verdict}, ${current.camera}`;
    picture.append(img, boxesOf(frame));
    if (!img.complete) img.addEventListener("load", () => fit(img), { once: true });
  } else {
    const reason = document.createElement("span");
    reason.className = "reason";
    reason.textContent = frame.rejected ?? "";
    picture.classList.add("missing");
    picture.append(reason);
  }
  stage.show(picture);
  [...strip.children].forEach((button, at) => button.classList.toggle("shown", at === index));
  strip.children[index]?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// Boxes: those of the detector count only when the reviewer touches them; then all that are left count as accepted.

function editable() {
  pending.boxes ??= current.frames.flatMap((frame) => frame.boxes
    .filter((box) => box.score >= 0.1 && !box.static)
    .map((box) => ({ image_id: frame.image_id, x: box.x, y: box.y, width: box.width, height: box.height, category: box.category })));
  return pending.boxes;
}

function boxesOf(frame) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "boxes");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  const list = pending.boxes ? pending.boxes.filter((box) => box.image_id === frame.image_id) : frame.boxes.filter((box) => box.score >= 0.1);
  for (const box of list) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", `box ${box.category ?? "animal"}${box.static ? " static" : ""}${box.drawn ? " drawn" : ""}${box === pending.selected ? " selected" : ""}`);
    for (const name of ["x", "y", "width", "height"]) rect.setAttribute(name, box[name]);
    svg.append(rect);
  }
  return svg;
}

function redrawBoxes() {
  stage.picture.querySelector(".boxes")?.replaceWith(boxesOf(current.frames[current.shown]));
}

function draw(on) {
  stage.locked = on;
  stage.element.classList.toggle("drawing", on);
  root.querySelector('[data-do="draw"]').setAttribute("aria-pressed", String(on));
}

function place(event) {
  const area = stage.picture.getBoundingClientRect();
  const limit = (value) => Math.min(1, Math.max(0, value));
  return [limit((event.clientX - area.left) / area.width), limit((event.clientY - area.top) / area.height)];
}

stage.element.addEventListener("pointerdown", (event) => {
  if (!current || event.button) return;
  const frame = current.frames[current.shown];
  const [x, y] = place(event);
  if (!stage.locked) {
    const inside = (box) => box.image_id === frame.image_id && x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height;
    const hit = (pending.boxes ?? frame.boxes.map((box) => ({ ...box, image_id: frame.image_id }))).filter(inside);
    if (!hit.length) return;
    const smallest = hit.sort((a, b) => a.width * a.height - b.width * b.height)[0];
    pending.selected = editable().find((box) => box.image_id === frame.image_id && box.x === smallest.x && box.y === smallest.y) ?? null;
    redrawBoxes();
    return;
  }
  event.preventDefault();
  stage.element.setPointerCapture(event.pointerId);
  const box = { image_id: frame.image_id, x, y, width: 0, height: 0, drawn: true, category: "animal" };
  editable().push(box);
  const move = (moved) => {
    const [mx, my] = place(moved);
    Object.assign(box, { x: Math.min(x, mx), y: Math.min(y, my), width: Math.abs(mx - x), height: Math.abs(my - y) });
    redrawBoxes();
  };
  stage.element.addEventListener("pointermove", move);
  stage.element.addEventListener("pointerup", () => {
    stage.element.removeEventListener("pointermove", move);
    // A click without a drag is no box.
    if (box.width < 0.005 || box.height < 0.005) pending.boxes.splice(pending.boxes.indexOf(box), 1);
    else pending.selected = box;
    draw(false);
    redrawBoxes();
    showPending();
  }, { once: true });
});

function removeBox() {
  const frame = current.frames[current.shown];
  const list = editable();
  const box = pending.selected ?? list.findLast((one) => one.image_id === frame.image_id);
  if (!box) return;
  list.splice(list.indexOf(box), 1);
  if (!box.drawn) pending.rejected.push(box);
  pending.selected = null;
  redrawBoxes();
  showPending();
}

// What is to be decided

function species(id, list) {
  document.getElementById(id).replaceChildren(...list.map((one) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = one.label;
    const key = keys.find((assigned) => assigned.label === one.label && assigned.taxon === one.taxon)?.key;
    button.append(one.label, " ");
    if (one.score) {
      const score = document.createElement("span");
      score.className = "soft";
      score.textContent = one.score.toFixed(2);
      button.append(score);
    }
    if (key) {
      const kbd = document.createElement("kbd");
      kbd.textContent = key;
      button.append(kbd);
    }
    button.addEventListener("click", () => choose(one));
    return button;
  }));
}

function choose(one) {
  if (!current) return;
  const { category, taxon, label, rank } = one;
  pending.observation = { category, taxon: taxon ?? null, label, rank: rank ?? null };
  showPending();
}

function setCount(digit) {
  if (!current) return;
  const now = performance.now();
  // Digits that follow each other quickly are one number: 1 and 2 are 12.
  digits = { typed: now - digits.at < 700 ? digits.typed + digit : digit, at: now };
  pending.count = Math.min(9999, Number(digits.typed));
  showPending();
}

function showPending() {
  const parts = [];
  if (pending.observation) parts.push(pending.observation.label);
  if (pending.count) parts.push(`× ${pending.count}`);
  if (pending.boxes) parts.push(text("boxes", { n: pending.boxes.length }));
  document.getElementById("pending").textContent = parts.length ? text("pending", { what: parts.join(" ") }) : "";
}

function body(decision) {
  const boxes = (pending.boxes ?? []).map(({ image_id, x, y, width, height }) => ({ image_id, x, y, width, height }));
  const base = {
    burst_id: current.burst_id,
    revision: current.revision,
    seen_review: current.review_id,
    decision,
    supersedes: null,
    rejected_boxes: pending.rejected.map(({ image_id, x, y, width, height }) => ({ image_id, x, y, width, height })),
  };
  if (decision === "correct") base.observations = [{ ...pending.observation, count: pending.count, boxes }];
  if (decision === "confirm" && (pending.count || pending.boxes)) {
    base.observations = [{ category: current.category === "blank" ? "animal" : current.category, count: pending.count, boxes }];
  }
  return base;
}

function accept() {
  if (!current) return;
  if (pending.observation) return decide("correct");
  if (current.category === null) return notify(text("choose"), "bad");
  if (current.category === "blank" && (pending.count || pending.boxes?.length)) return notify(text("choose"), "bad");
  decide("confirm");
}

function decide(decision) {
  if (!current) return;
  const entry = { burst: current, body: body(decision), review: null, sent: null };
  entry.sent = post(entry);
  past.push(entry);
  future.length = 0;
  queue.done.push(current.burst_id);
  buttons();
  next();
}

async function post(entry) {
  try {
    entry.review = (await send("/review/decisions.json", entry.body)).review_id;
  } catch (error) {
    const changed = error.status === 409;
    notify(text(changed ? "again" : "failed", { camera: entry.burst.camera, reason: error.message }), "bad");
    const at = past.indexOf(entry);
    if (at >= 0) past.splice(at, 1);
    buttons();
    if (changed) await again(entry.burst);
  }
}

function undo() {
  const entry = past.pop();
  if (!entry) return;
  if (current) queue.items.unshift(current);
  show(entry.burst);
  future.push(entry);
  buttons();
  entry.undone = takeBack(entry);
}

async function takeBack(entry) {
  await entry.sent;
  if (!entry.review) return;
  const { burst_id, revision } = entry.body;
  try {
    await send("/review/decisions.json", { burst_id, revision, decision: "undo", supersedes: entry.review, seen_review: entry.review });
    notify(text("undone"));
  } catch (error) {
    notify(error.message, "bad");
  }
}

function redo() {
  const entry = future.pop();
  if (!entry) return;
  const again = { ...entry, review: null };
  // After the undo, which would take this decision back too.
  again.sent = entry.undone.then(() => post(again));
  past.push(again);
  if (current?.burst_id === entry.burst.burst_id) next();
  buttons();
}

function skip() {
  if (!current) return;
  queue.done.push(current.burst_id);
  next();
}

async function mark() {
  const burst = current;
  if (!burst || favourite.disabled) return;
  try {
    burst.marks = await toggleFavourite(favourite, burst.burst_id, burst.revision);
    showMark();
  } catch (error) {
    notify(error.message, "bad");
  }
}

function showMark() {
  favourite.setAttribute("aria-pressed", String(Boolean(current?.marks.includes("favourite"))));
}

function buttons() {
  root.querySelector('[data-do="undo"]').disabled = !past.length;
  root.querySelector('[data-do="redo"]').disabled = !future.length;
}

const actions = {
  accept,
  blank: () => decide("blank"),
  unknown: () => decide("unknown"),
  skip,
  undo,
  redo,
  mark,
  draw: () => current && draw(!stage.locked),
  remove: () => current && removeBox(),
  boxes() {
    const hidden = root.classList.toggle("no-boxes");
    root.querySelector('[data-do="boxes"]').setAttribute("aria-pressed", String(!hidden));
  },
};

root.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]");
  if (action) actions[action.dataset.do]();
  const count = event.target.closest("[data-count]");
  if (count) setCount(count.dataset.count);
  // Enter accepts; it must not press the button that was clicked last again.
  if (action || count || event.target.closest(".species button")) document.activeElement?.blur();
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("input, select, textarea, summary") || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "z" || event.key === "y") {
      event.preventDefault();
      actions[event.key === "z" ? "undo" : "redo"]();
    }
    return;
  }
  const pressedOnControl = event.target.closest?.("button, a");
  if (pressedOnControl && (event.key === "Enter" || event.key === " ")) return;
  const named = {
    Enter: accept,
    0: () => (performance.now() - digits.at < 700 && pending?.count ? setCount("0") : actions.blank()),
    "?": actions.unknown,
    s: skip,
    z: undo,
    y: redo,
    n: actions.draw,
    x: actions.remove,
    Delete: actions.remove,
    b: actions.boxes,
    g: mark,
    "+": () => stage.zoom(1.4),
    "-": () => stage.zoom(1 / 1.4),
    Escape: () => current && (draw(false), show(current)),
    ArrowLeft: () => current && showFrame(Math.max(0, current.shown - 1)),
    ArrowRight: () => current && showFrame(Math.min(current.frames.length - 1, current.shown + 1)),
  }[event.key];
  if (named) {
    event.preventDefault();
    return named();
  }
  if (/^[1-9]$/.test(event.key)) return setCount(event.key);
  const key = keys.find((one) => one.key === event.key.toLowerCase());
  if (!key || event.key.length !== 1) return;
  event.preventDefault();
  choose(key);
  // With Shift the species is decided at once.
  if (event.shiftKey) accept();
});

document.getElementById("assign").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const key = form.get("key").toLowerCase();
  const typed = form.get("taxon").trim();
  if (RESERVED.includes(key)) return notify(text("reserved", { key }), "bad");
  const found = taxa.find((one) => [one.label, one.taxon].some((name) => name?.toLowerCase() === typed.toLowerCase()));
  const one = { key, category: "animal", taxon: found?.taxon ?? typed, label: found?.label ?? typed, rank: found?.rank ?? null };
  try {
    keys = await send("/review/keys.json", [...keys.filter((other) => other.key !== key), one]);
    preview();
    event.target.reset();
    notify(text("assigned", { key, label: one.label }));
  } catch (error) {
    notify(error.message, "bad");
  }
});

function preview() {
  species("species", [...keys].sort((a, b) => a.label.localeCompare(b.label)));
}

addEventListener("pagehide", () => {
  // Others get the bursts at once, and not when the leases end.
  fetch("/review/release.json", {
    method: "POST",
    keepalive: true,
    headers: { "x-form-token": document.body.dataset.formToken, accept: "application/json" },
  });
});

next();
