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
