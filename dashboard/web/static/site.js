// What all pages share: the theme switch, confirmations of destructive actions, and notices.

export function notify(text, kind = "") {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.className = `notice ${kind} shown`;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => notice.classList.remove("shown"), 5000);
}

/** Text of the strings that the page carries, with `{name}` fields filled in. */
export function text(name, values = {}) {
  const strings = JSON.parse(document.getElementById("strings")?.textContent ?? "{}");
  return (strings[name] ?? name).replace(/\{(\w+)\}/g, (whole, field) => values[field] ?? whole);
}

/** Set a parameter of the page's address in place, or remove it: the address holds the state, Back leaves the page. */
export function setParameter(name, value) {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}

/** POST with the form token of the session; returns the parsed JSON, or throws an Error with the server's sentence and `status`. */
export async function send(address, body, method = "POST") {
  const response = await fetch(address, {
    method,
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "x-form-token": document.body.dataset.formToken ?? "",
    },
    body: JSON.stringify(body ?? {}),
  });
  if (response.status === 401) location.assign("/sign-in");
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const sentence = typeof answer.detail === "string" ? answer.detail : response.statusText;
    throw Object.assign(new Error(sentence), { status: response.status });
  }
  return answer;
}

/** Mark a burst as a favourite, or remove the mark, by a button that shows which; returns the marks of the burst. */
export async function toggleFavourite(button, burst, revision) {
  const favourite = button.getAttribute("aria-pressed") !== "true";
  button.disabled = true;
  try {
    const { marks } = await send(`/bursts/${encodeURIComponent(burst)}/favourite.json`, { favourite, revision });
    notify(text(favourite ? "marked" : "unmarked"));
    return marks;
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("uncia-theme", root.dataset.theme);
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset?.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  const name = event.target.dataset?.checkAll;
  if (!name) return;
  for (const box of event.target.form.querySelectorAll(`input[type="checkbox"][name="${name}"]`)) box.checked = event.target.checked;
});

document.addEventListener("htmx:responseError", (event) => {
  notify(event.detail.xhr.status === 429 ? "…" : `${event.detail.xhr.status} ${event.detail.xhr.statusText}`, "bad");
});

// A picture that the store no longer holds: the server's sentence stands in its place.
async function replaceMissing(img) {
  const reason = document.createElement("span");
  reason.className = "reason";
  img.closest(".picture")?.classList.add("missing");
  img.replaceWith(reason);
  try {
    const response = await fetch(img.src, { headers: { accept: "application/json" } });
    reason.textContent = response.ok ? "" : (await response.json()).detail;
  } catch {
    reason.textContent = "✕";
  }
}

// A recording that cannot be played, likewise.
async function replaceUnplayable(player) {
  const reason = document.createElement("p");
  reason.className = "problem";
  reason.setAttribute("role", "alert");
  player.classList.add("missing");
  player.after(reason);
  try {
    const response = await fetch(player.src, { headers: { accept: "application/json" } });
    reason.textContent = response.ok ? "✕" : (await response.json()).detail;
  } catch {
    reason.textContent = "✕";
  }
}

document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLAudioElement && event.target.dataset.recording !== undefined) replaceUnplayable(event.target);
  if (event.target instanceof HTMLImageElement && event.target.dataset.picture !== undefined) replaceMissing(event.target);
}, true);
// Modules run after the page was parsed: pictures at its top may have failed before.
for (const img of document.querySelectorAll("img[data-picture]")) {
  if (img.complete && img.src && !img.naturalWidth) replaceMissing(img);
}

// Photographs have any shape, their places on a page have one. On a stage the place takes the shape of the photograph;
// in a grid the boxes are laid over the part of the place that the photograph covers.
export function fit(img) {
  const picture = img.closest(".picture");
  const boxes = picture?.querySelector(".boxes");
  if (!picture || !img.naturalWidth) return;
  const ratio = img.naturalWidth / img.naturalHeight;
  if (picture.closest(".stage")) {
    picture.style.aspectRatio = String(ratio);
    picture.style.width = `min(100%, calc(var(--stage-height, 68vh) * ${ratio}))`;
    return;
  }
  if (!boxes) return;
  const place = picture.clientWidth / Math.max(1, picture.clientHeight);
  const [width, height] = ratio > place ? [1, place / ratio] : [ratio / place, 1];
  boxes.style.inset = `${50 * (1 - height)}% ${50 * (1 - width)}%`;
  boxes.style.width = `${100 * width}%`;
  boxes.style.height = `${100 * height}%`;
}

document.addEventListener("load", (event) => {
  if (event.target instanceof HTMLImageElement) fit(event.target);
}, true);
for (const img of document.querySelectorAll(".picture img")) if (img.complete) fit(img);
