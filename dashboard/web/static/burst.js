// The burst page: film strip, flicker between frames, difference from the background.
import { notify, toggleFavourite } from "./site.js";
import { Stage, largePicture } from "./stage.js";

const favourite = document.getElementById("favourite");
const root = document.querySelector("[data-inspect]");
const stage = new Stage(document.getElementById("stage"));
const MOST_COMPARED = 9;
const buttons = [...root.querySelectorAll("[data-frame]:not(:disabled)")];
let at = Math.max(0, buttons.findIndex((button) => button.classList.contains("shown")));
let flicker = null;

function show(index, mark = true) {
  if (!buttons.length) return;
  const button = buttons[(index + buttons.length) % buttons.length];
  stage.show(largePicture(button));
  if (!mark) return;
  at = buttons.indexOf(button);
  history.replaceState(history.state, "", `#frame=${Number(button.dataset.frame) + 1}`);
  for (const other of buttons) other.classList.toggle("shown", other === button);
  document.getElementById("full").href = button.dataset.full;
}

function tool(name) {
  return root.querySelector(`[data-tool="${name}"]`);
}

function pressed(name, value) {
  tool(name).setAttribute("aria-pressed", String(value));
}

function isPressed(name) {
  return tool(name).getAttribute("aria-pressed") === "true";
}

function step(by) {
  stop();
  show(at + by);
}

const tools = {
  boxes() {
    pressed("boxes", !root.classList.toggle("no-boxes"));
  },
  flicker() {
    stop();
    if (flicker) {
      clearInterval(flicker);
      flicker = null;
      show(at);
    } else if (!tool("flicker").disabled) {
      let other = false;
      // Below 3 flashes a second, the limit for people with photosensitive epilepsy.
      flicker = setInterval(() => show((other = !other) ? at - 1 : at, false), 400);
    }
    pressed("flicker", Boolean(flicker));
  },
  async difference() {
    if (tool("difference").disabled) return;
    if (flicker) tools.flicker();
    if (isPressed("difference")) return stop();
    pressed("difference", true);
    const own = at;
    const canvas = await differencePicture(own);
    // Another frame may have been chosen meanwhile.
    if (at !== own || !isPressed("difference")) return;
    if (canvas) stage.show(canvas);
    else stop();
  },
  "zoom-in": () => stage.zoom(1.4),
  "zoom-out": () => stage.zoom(1 / 1.4),
  reset() {
    stage.reset();
    for (const name of ["brightness", "contrast"]) tool(name).value = 1;
  },
};

function stop() {
  if (isPressed("difference")) {
    pressed("difference", false);
    show(at);
  }
}

// A frame minus the median of it and those around it, amplified: what moved is bright.
async function differencePicture(own) {
  const width = 640, height = 480;
  const first = Math.max(0, Math.min(own - (MOST_COMPARED >> 1), buttons.length - MOST_COMPARED));
  const frames = await Promise.all(buttons.slice(first, first + MOST_COMPARED).map(async (button) => {
    const img = new Image();
    img.src = button.dataset.view;
    await img.decode();
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(img, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  })).catch(() => []);
  if (frames.length < 2) return null;
  const shown = frames[own - first];
  const picture = largePicture(buttons[own]);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const result = context.createImageData(width, height);
  const values = new Array(frames.length);
  for (let i = 0; i < shown.length; i += 4) {
    for (let c = 0; c < 3; c++) {
      for (let n = 0; n < frames.length; n++) values[n] = frames[n][i + c];
      values.sort((a, b) => a - b);
      result.data[i + c] = Math.min(255, 3 * Math.abs(shown[i + c] - values[values.length >> 1]));
    }
    result.data[i + 3] = 255;
  }
  context.putImageData(result, 0, 0);
  picture.querySelector("img").replaceWith(canvas);
  return picture;
}

/** Show the frame that the address names. */
function showAddressed() {
  const number = /^#frame=(\d+)$/.exec(location.hash)?.[1];
  const index = buttons.findIndex((button) => Number(button.dataset.frame) + 1 === Number(number));
  if (index < 0) return;
  stop();
  show(index);
}

addEventListener("hashchange", showAddressed);
showAddressed();

root.addEventListener("click", (event) => {
  const frame = event.target.closest("[data-frame]");
  if (frame) {
    stop();
    show(buttons.indexOf(frame));
  }
  const button = event.target.closest("button[data-tool]");
  if (button) tools[button.dataset.tool]();
});

async function mark() {
  if (!favourite || favourite.disabled) return;
  try {
    const marks = await toggleFavourite(favourite, favourite.dataset.burst, Number(favourite.dataset.revision));
    favourite.setAttribute("aria-pressed", String(marks.includes("favourite")));
  } catch (error) {
    notify(error.message, "bad");
  }
}

favourite?.addEventListener("click", mark);

root.addEventListener("input", (event) => {
  const name = event.target.dataset.tool;
  if (!name) return;
  stage.light[name] = Number(event.target.value);
  stage.apply();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, select, textarea")) return;
  const keys = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    b: tools.boxes,
    f: tools.flicker,
    d: tools.difference,
    "+": tools["zoom-in"],
    "-": tools["zoom-out"],
    0: tools.reset,
    g: mark,
    j: () => document.getElementById("before")?.click(),
    k: () => document.getElementById("after")?.click(),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
