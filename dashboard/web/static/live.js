// The live page: shows each change of the catalogue in place. EventSource reconnects by itself and sends the id of the
// last change, so that nothing is missed.
import { applyAlert } from "./alert_feed.js";
import { fit, setParameter, text } from "./site.js";
import { largePicture } from "./stage.js";

const live = document.querySelector("[data-live]");
const feed = document.getElementById("feed");
const place = document.getElementById("hero-place");
const state = document.getElementById("link-state");
const follow = document.getElementById("follow");
const MOST = 60;
// Whether there are older bursts than the page was opened with: those that are still older are not listed either.
const more = live.dataset.more !== undefined;

let after = Number(live.dataset.after);
let pinned = live.dataset.pinned !== undefined;
let source = null;
let retry = 0;

function setState(name) {
  state.dataset.state = name;
  state.textContent = text(name);
}

function connect() {
  source = new EventSource(`/live/stream?after=${after}`);
  source.onopen = () => { retry = 0; setState("connected"); };
  source.addEventListener("burst", (event) => {
    after = Number(event.lastEventId) || after;
    show(JSON.parse(event.data));
  });
  source.addEventListener("alert", (event) => {
    after = Number(event.lastEventId) || after;
    applyAlert(JSON.parse(event.data));
  });
  source.onerror = () => {
    setState("reconnecting");
    // A proxy that answers with an error page ends the stream for good: then a new one starts after the last change.
    if (source.readyState === EventSource.CLOSED) {
      retry = Math.min(retry + 1, 6);
      setTimeout(connect, 500 * 2 ** retry);
    }
  };
}

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

/** By capture, the newest first; at the same moment as the server sorts. */
function key(part) {
  return `${part.dataset.started} ${part.dataset.burst}`;
}

function show(change) {
  const known = document.getElementById(`burst-${change.burst_id}`);
  if (known && Number(known.dataset.revision) > change.revision) return;
  if (change.superseded) {
    known?.remove();
    if (document.getElementById("hero")?.dataset.burst === change.burst_id) followNewest();
    return;
  }
  const hero = document.getElementById("hero");
  const ahead = change.ahead && live.dataset.ahead === undefined;
  if (hero?.dataset.burst === change.burst_id) replaceHero(hero, change.hero);
  // Every change arrives: also the review of a burst of last year, and photographs of a card that is uploaded late.
  else if (!pinned && !ahead && change.started_at >= (hero?.dataset.started ?? "")) replaceHero(hero, change.hero);
  const card = element(change.card);
  if (known) keepPictures(known, card);
  else if (ahead || beyond(card)) return;
  const next = [...feed.children].find((other) => other !== known && key(other) < key(card)) ?? null;
  if (known && known.nextElementSibling === next) {
    known.replaceWith(card);
  } else {
    known?.remove();
    feed.insertBefore(card, next);
  }
  while (feed.children.length > MOST) feed.lastElementChild.remove();
  flash(card);
}

/** Whether a new card is older than all that a full list shows. */
function beyond(card) {
  const last = feed.lastElementChild;
  return last && (more || feed.children.length >= MOST) && key(card) < key(last);
}

function replaceHero(before, html) {
  const hero = element(html);
  if (before?.dataset.burst === hero.dataset.burst) {
    keepPictures(before, hero);
    const was = before.dataset.verdict;
    const earlier = before.querySelector("[data-was]")?.textContent ?? "";
    const changed = was !== hero.dataset.verdict;
    hero.querySelector("[data-was]").textContent = changed ? text("was", { verdict: was }) : earlier;
  }
  place.replaceChildren(hero);
  flash(hero);
}

// A new picture of the same address would flash; the one that is loaded already takes its place.
function keepPictures(before, after) {
  const loaded = new Map([...before.querySelectorAll("img[data-picture]")].map((img) => [img.getAttribute("src"), img]));
  for (const img of after.querySelectorAll("img[data-picture]")) {
    const old = loaded.get(img.getAttribute("src"));
    if (!old?.complete) continue;
    img.replaceWith(old);
    requestAnimationFrame(() => fit(old));
  }
}

function flash(part) {
  part.classList.add("changed");
  setTimeout(() => part.classList.remove("changed"), 1600);
}

async function showBurst(id) {
  const response = await fetch(`/live/hero/${encodeURIComponent(id)}`);
  if (response.ok) replaceHero(document.getElementById("hero"), await response.text());
}

/** Show one burst until the newest is followed again. */
function pin(id) {
  pinned = true;
  follow.hidden = false;
  setParameter("burst", id);
  showBurst(id);
}

function followNewest() {
  pinned = false;
  follow.hidden = true;
  setParameter("burst", null);
  const newest = feed.querySelector("[data-burst]");
  if (newest) showBurst(newest.dataset.burst);
}

feed.addEventListener("click", (event) => {
  const card = event.target.closest("[data-burst]");
  if (!card || event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest(".cover")) return;
  if (document.getElementById("hero")?.dataset.burst === card.dataset.burst) return;
  event.preventDefault();
  pin(card.dataset.burst);
  scrollTo({ top: 0, behavior: "smooth" });
});

follow.addEventListener("click", followNewest);

// The film strip shows a frame on the stage.
place.addEventListener("click", (event) => {
  const button = event.target.closest("[data-frame]");
  if (!button) return;
  const stage = place.querySelector(".stage .picture");
  const picture = largePicture(button);
  picture.style.cssText = stage.style.cssText;
  stage.replaceWith(picture);
  for (const other of place.querySelectorAll(".frame")) other.classList.toggle("shown", other === button);
});

connect();
