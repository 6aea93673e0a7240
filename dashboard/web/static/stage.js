// A stage that shows one frame of a burst: zoom, pan, brightness, contrast. Used by the burst page and by the review.

import { fit } from "./site.js";

export class Stage {
  constructor(element) {
    this.element = element;
    this.light = { brightness: 1, contrast: 1 };
    this.reset();
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event);
    }, { passive: false });
    const pointers = new Map();
    element.addEventListener("pointerdown", (event) => {
      if (this.locked || event.button) return;
      pointers.set(event.pointerId, event);
      if (this.scale > 1) element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      if (pointers.size === 2) {
        const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
        const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        this.zoom(distance(event) / Math.max(1, distance(before)), event);
      } else {
        this.x += event.clientX - before.clientX;
        this.y += event.clientY - before.clientY;
        this.apply();
      }
      pointers.set(event.pointerId, event);
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      element.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
  }

  get picture() {
    return this.element.querySelector(".picture");
  }

  /** Put a picture (an element with an image and boxes) on the stage. */
  show(picture) {
    // Until the new picture is loaded, it has the shape of the one before: nothing on the page moves.
    const before = this.picture;
    picture.style.aspectRatio = before?.style.aspectRatio ?? "";
    picture.style.width = before?.style.width ?? "";
    before?.replaceWith(picture);
    const img = picture.querySelector("img");
    if (img?.complete) fit(img);
    this.apply();
  }

  zoom(factor, at) {
    const frame = this.element.getBoundingClientRect();
    const [px, py] = at ? [at.clientX - frame.left - frame.width / 2, at.clientY - frame.top - frame.height / 2] : [0, 0];
    const scale = Math.min(12, Math.max(1, this.scale * factor));
    this.x = px - (px - this.x) * (scale / this.scale);
    this.y = py - (py - this.y) * (scale / this.scale);
    this.scale = scale;
    this.apply();
  }

  reset() {
    this.scale = 1;
    this.x = this.y = 0;
    this.light = { brightness: 1, contrast: 1 };
    this.apply();
  }

  apply() {
    if (this.scale === 1) this.x = this.y = 0;
    const picture = this.picture;
    if (!picture) return;
    picture.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.element.classList.toggle("zoomed", this.scale > 1);
    const img = picture.querySelector("img, canvas");
    const { brightness, contrast } = this.light;
    if (img) img.style.filter = brightness === 1 && contrast === 1 ? "" : `brightness(${brightness}) contrast(${contrast})`;
  }
}

/** The large picture of a frame, from its button in the film strip. */
export function largePicture(button) {
  const picture = button.querySelector(".picture").cloneNode(true);
  const img = picture.querySelector("img");
  if (img) {
    img.removeAttribute("loading");
    picture.querySelector(".boxes")?.removeAttribute("style");
    img.src = button.dataset.view;
    img.alt = button.getAttribute("aria-label");
  }
  return picture;
}
