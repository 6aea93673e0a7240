// Who a burst shows: it beside one known individual after the other, with the points that matched drawn between them, by
// the keyboard. The next bursts are fetched ahead; decisions are sent meanwhile, and an undo after what it undoes.
import { LeasedQueue } from "./leased_queue.js";
import { notify, send, setParameter, text } from "./site.js";

const root = document.querySelector("[data-match]");
const work = document.getElementById("work");
const pair = document.getElementById("pair");
const matches = document.getElementById("matches");
const SVG = "http://www.w3.org/2000/svg";
const MOST_POINTS = 40;

const disputed = Boolean(root.dataset.disputed);
const queue = new LeasedQueue("/individuals/queue.json", {
  name: "sightings",
  body: { disputed },
  first: root.dataset.first || null,
  current: () => current,
  prefetch,
});
const past = []; // decisions that can be undone
const future = []; // decisions that were undone
let current = null;
let shown = 0; // the candidate beside the burst
let crop = null; // a crop of the burst that was chosen instead of the one that matched
let side = "unknown";

// The queue

/** Fetches a burst anew on which another person has decided meanwhile; it comes next. */
async function again(sighting) {
  await queue.idle();
  if (current?.burst_id === sighting.burst_id) current = null;
  await queue.again(sighting);
  if (!current) next();
}

function prefetch(sighting) {
  const addresses = new Set(sighting.candidates.flatMap((one) => [one.query.address, one.reference?.address]));
  for (const address of addresses) if (address) new Image().src = address;
}

async function next() {
  if (!queue.items.length) await queue.fetchMore();
  show(queue.items.shift() ?? null);
  queue.refill();
}

// The pictures

function show(sighting, candidate = 0) {
  current = sighting;
  work.hidden = !sighting;
  document.getElementById("empty").hidden = Boolean(sighting);
  setParameter("burst", sighting?.burst_id);
  if (!sighting) return;
  root.dataset.burst = sighting.burst_id;
  document.getElementById("taxon").textContent = sighting.taxon;
  document.getElementById("camera").textContent = sighting.camera;
  document.getElementById("started").textContent = sighting.started_at.replace("T", " ").slice(0, 16);
  document.getElementById("names").reset();
  document.getElementById("other").reset();
  setSide(sighting.crops[0].side);
  strip();
  showCandidate(candidate);
}

function showCandidate(number) {
  const candidates = current.candidates;
  shown = Math.max(0, Math.min(number, candidates.length - 1));
  crop = null;
  const candidate = candidates[shown];
  document.getElementById("candidates").replaceChildren(...candidates.map(candidateButton));
  document.getElementById("same-as").textContent = candidate?.label ?? "";
  root.dataset.candidate = candidate?.individual_id ?? "";
  for (const name of ["same", "different"]) root.querySelector(`[data-do="${name}"]`).disabled = !candidate;
  const compared = current.new_score !== null;
  document.getElementById("new-score").textContent = [
    compared ? text("new_score", { score: current.new_score.toFixed(2) }) : "",
    compared && !current.calibrated ? text("uncalibrated") : "",
  ].filter(Boolean).join(" · ");
  document.getElementById("note").textContent = [
    candidate ? "" : current.reason ?? text("none"),
    current.hidden ? text("hidden", { n: current.hidden }) : "",
    current.opinions ? text("second") : "",
  ].filter(Boolean).join(" ");
  const caption = document.getElementById("reference-caption");
  caption.replaceChildren();
  if (candidate) {
    const link = document.createElement("a");
    link.href = candidate.href;
    link.target = "_blank";
    link.textContent = candidate.label;
    caption.append(link, candidate.reference_seen ? `: ${candidate.reference_seen}` : "");
  }
  document.getElementById("reference-side").hidden = !candidate;
  pair.classList.toggle("alone", !candidate);
  place("reference", candidate?.reference, candidate ? text("alt.reference", { label: candidate.label }) : "");
  showQuery();
}

function showQuery() {
  const chosen = crop ?? current.candidates[shown]?.query ?? current.crops[0];
  place("query", chosen, text("alt.query"));
  for (const button of document.getElementById("strip").children) {
    button.classList.toggle("shown", button.dataset.crop === chosen.crop_id);
  }
  drawMatches();
}

function place(id, picture, alt) {
  const holder = document.getElementById(id);
  if (!picture) {
    const reason = document.createElement("span");
    reason.className = "reason";
    reason.textContent = id === "reference" && current.candidates.length ? text("no_reference") : "";
    holder.replaceChildren(reason);
    return;
  }
  const img = new Image();
  img.alt = alt;
  img.dataset.picture = "";
  img.dataset.crop = picture.crop_id;
  img.addEventListener("load", drawMatches);
  img.src = picture.address;
  holder.replaceChildren(img);
}

function strip() {
  const buttons = current.crops.length < 2 ? [] : current.crops.map((one, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "frame";
    button.dataset.crop = one.crop_id;
    button.setAttribute("aria-label", text("crop", { n: index + 1, side: text(`side.${one.side}`) }));
    const img = new Image();
    img.alt = "";
    img.src = one.address;
    button.append(img);
    button.addEventListener("click", () => {
      crop = one;
      showQuery();
    });
    return button;
  });
  document.getElementById("strip").replaceChildren(...buttons);
}

function candidateButton(candidate, index) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.individual = candidate.individual_id;
  button.setAttribute("aria-pressed", String(index === shown));
  const label = document.createElement("b");
  label.textContent = candidate.label;
  const name = document.createElement("span");
  name.textContent = candidate.name && candidate.name !== candidate.label ? candidate.name : "";
  const evidence = document.createElement("span");
  evidence.className = "soft";
  const seen = text(candidate.sightings === 1 ? "seen.one" : "seen", { n: candidate.sightings });
  evidence.textContent = `${text("score", { score: candidate.score.toFixed(2), n: candidate.matches })} · ${seen}`;
  button.append(label, " ", name, evidence);
  button.addEventListener("click", () => showCandidate(index));
  return button;
}

/** The part of the page that a picture covers: it is scaled to fit into its place. */
function area(img, around) {
  const box = img.getBoundingClientRect();
  const scale = Math.min(box.width / img.naturalWidth, box.height / img.naturalHeight);
  return {
    scale,
    x: box.left - around.left + (box.width - img.naturalWidth * scale) / 2,
    y: box.top - around.top + (box.height - img.naturalHeight * scale) / 2,
  };
}

function drawMatches() {
  matches.replaceChildren();
  const [query, reference] = ["query", "reference"].map((id) => document.querySelector(`#${id} img`));
  const candidate = current?.candidates[shown];
  if (!candidate || !query?.naturalWidth || !reference?.naturalWidth) return;
  // The points belong to the crop that matched, and to no other one of the burst.
  if (query.dataset.crop !== candidate.query.crop_id) return;
  const around = pair.getBoundingClientRect();
  matches.setAttribute("viewBox", `0 0 ${around.width} ${around.height}`);
  const [from, to] = [area(query, around), area(reference, around)];
  for (const [queryX, queryY, referenceX, referenceY] of candidate.points.slice(0, MOST_POINTS)) {
    const ends = [
      [from.x + queryX * from.scale, from.y + queryY * from.scale],
      [to.x + referenceX * to.scale, to.y + referenceY * to.scale],
    ];
    const line = document.createElementNS(SVG, "line");
    for (const [at, [x, y]] of ends.entries()) {
      line.setAttribute(`x${at + 1}`, x.toFixed(1));
      line.setAttribute(`y${at + 1}`, y.toFixed(1));
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("cx", x.toFixed(1));
      dot.setAttribute("cy", y.toFixed(1));
      dot.setAttribute("r", "4");
      matches.append(dot);
    }
    matches.prepend(line);
  }
}

new ResizeObserver(drawMatches).observe(pair);

// Decisions

function setSide(name) {
  side = name;
  for (const button of root.querySelectorAll("[data-side]")) {
    button.setAttribute("aria-pressed", String(button.dataset.side === name));
  }
}

function decide(decision, fields = {}) {
  if (!current) return;
  const body = { burst_id: current.burst_id, decision, seen: current.seen, side, ...fields };
  const entry = { sighting: current, body, candidate: shown, removed: null, decided: null, sent: null };
  entry.sent = post(entry);
  past.push(entry);
  future.length = 0;
  apply(entry);
  buttons();
}

/** What the page shows after a decision: the next candidate, or the next burst. */
function apply(entry) {
  const { sighting, body } = entry;
  if (body.decision === "different") {
    const at = sighting.candidates.findIndex((one) => one.individual_id === body.individual);
    entry.removed = { at, candidate: sighting.candidates.splice(at, 1)[0] };
    if (current === sighting) showCandidate(at);
    return;
  }
  queue.done.push(sighting.burst_id);
  if (current === sighting) next();
}

async function post(entry) {
  try {
    entry.decided = (await send("/individuals/decisions.json", entry.body)).decision_id;
  } catch (error) {
    const changed = error.status === 409;
    notify(text(changed ? "again" : "failed", { camera: entry.sighting.camera, reason: error.message }), "bad");
    const at = past.indexOf(entry);
    if (at >= 0) past.splice(at, 1);
    buttons();
    if (changed || error.status === 422) await again(entry.sighting);
  }
}

function undo() {
  const entry = past.pop();
  if (!entry) return;
  if (entry.removed) entry.sighting.candidates.splice(entry.removed.at, 0, entry.removed.candidate);
  const at = queue.done.indexOf(entry.sighting.burst_id);
  if (at >= 0) queue.done.splice(at, 1);
  if (current && current !== entry.sighting) queue.items.unshift(current);
  show(entry.sighting, entry.candidate);
  setSide(entry.body.side);
  future.push(entry);
  buttons();
  entry.undone = takeBack(entry);
}

async function takeBack(entry) {
  await entry.sent;
  if (!entry.decided) return;
  try {
    await send("/individuals/decisions.json", { burst_id: entry.body.burst_id, decision: "undo", undoes: entry.decided });
    notify(text("undone"));
  } catch (error) {
    notify(error.message, "bad");
  }
}

function redo() {
  const entry = future.pop();
  if (!entry) return;
  const repeated = { ...entry, removed: null, decided: null };
  // After the undo, which would take this decision back too.
  repeated.sent = entry.undone.then(() => post(repeated));
  past.push(repeated);
  apply(repeated);
  buttons();
}

function skip() {
  if (!current) return;
  queue.done.push(current.burst_id);
  next();
}

function about(decision) {
  const candidate = current?.candidates[shown];
  if (!candidate) return notify(text("choose"), "bad");
  decide(decision, { individual: candidate.individual_id });
}

function decideNew() {
  const form = new FormData(document.getElementById("names"));
  const given = (name) => form.get(name).trim() || null;
  decide("new", { code: given("code"), name: given("name") });
}

function buttons() {
  root.querySelector('[data-do="undo"]').disabled = !past.length;
  root.querySelector('[data-do="redo"]').disabled = !future.length;
}

const actions = {
  same: () => about("same"),
  different: () => about("different"),
  new: decideNew,
  unsure: () => decide("unsure"),
  reject: () => decide("reject"),
  skip,
  undo,
  redo,
  points() {
    const hidden = root.classList.toggle("no-points");
    root.querySelector('[data-do="points"]').setAttribute("aria-pressed", String(!hidden));
  },
};

root.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]");
  if (action) actions[action.dataset.do]();
  const chosen = event.target.closest("[data-side]");
  if (chosen) setSide(chosen.dataset.side === side ? "unknown" : chosen.dataset.side);
  // A key must not press the button that was clicked last again.
  if (action || chosen || event.target.closest(".candidates button")) document.activeElement?.blur();
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
  const toggle = (name) => () => setSide(side === name ? "unknown" : name);
  const named = {
    s: actions.same,
    d: actions.different,
    n: actions.new,
    u: actions.unsure,
    x: actions.reject,
    k: skip,
    z: undo,
    y: redo,
    p: actions.points,
    l: toggle("left"),
    r: toggle("right"),
    h: toggle("head"),
    ArrowLeft: () => current && showCandidate(shown - 1),
    ArrowRight: () => current && showCandidate(shown + 1),
  }[event.key];
  // A key that is held down decides once.
  if (!named || (event.repeat && !event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  named();
});

document.getElementById("names").addEventListener("submit", (event) => {
  event.preventDefault();
  decideNew();
  document.activeElement?.blur();
});

document.getElementById("other").addEventListener("submit", (event) => {
  event.preventDefault();
  decide("same", { individual: new FormData(event.target).get("individual").trim() });
  document.activeElement?.blur();
});

addEventListener("pagehide", () => {
  // Others get the bursts at once, and not when the leases end.
  const bursts = [...queue.items, ...(current ? [current] : []), ...past.map((entry) => entry.sighting)];
  fetch("/individuals/release.json", {
    method: "POST",
    keepalive: true,
    headers: { "content-type": "application/json", "x-form-token": document.body.dataset.formToken, accept: "application/json" },
    body: JSON.stringify({ bursts: [...new Set(bursts.map((sighting) => sighting.burst_id))].slice(0, 50) }),
  });
});

next();
