// The place of a mistake leads to the text: everything else on this page works by its form.
const rules = document.getElementById("rules");

document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-line]");
  if (!place || !rules) return;
  event.preventDefault();
  const lines = rules.value.split("\n");
  const line = Number(place.dataset.line) - 1;
  const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
  const at = start + Number(place.dataset.column) - 1;
  rules.focus();
  rules.setSelectionRange(at, start + (lines[line]?.length ?? 0));
  rules.scrollTop = (rules.scrollHeight / lines.length) * Math.max(0, line - 4);
});
