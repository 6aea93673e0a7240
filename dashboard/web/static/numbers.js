// Plots download as PNG; the map shows the cameras by the number of their bursts. It has no background: the internet,
// from which it would come, is not needed.

function styled(svg) {
  const copy = svg.cloneNode(true);
  const parts = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, at) => {
    const style = getComputedStyle(parts[at]);
    for (const name of ["fill", "stroke", "stroke-width", "font-size", "font-family", "text-anchor", "opacity"]) {
      part.setAttribute(name, style.getPropertyValue(name));
    }
  });
  return copy;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-png]");
  if (!button) return;
  const svg = document.getElementById(button.dataset.png);
  if (!svg) return;
  const { width, height } = svg.getBoundingClientRect();
  const copy = styled(svg);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const source = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  const address = URL.createObjectURL(source);
  const img = new Image();
  img.src = address;
  await img.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(svg.closest(".card")).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(img, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${button.dataset.png.replace("plot-", "uncia-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
});

const place = document.getElementById("map");
if (place && window.L) {
  const positions = JSON.parse(document.getElementById("positions").textContent);
  const map = L.map(place, { attributionControl: false, zoomControl: true, maxZoom: 18 });
  const most = Math.max(1, ...positions.map((one) => one.bursts));
  const style = getComputedStyle(document.documentElement);
  for (const one of positions) {
    const at = [one.latitude, one.longitude];
    if (one.uncertainty_m > 500) L.circle(at, { radius: one.uncertainty_m / 2, weight: 1, color: style.getPropertyValue("--soft"), fillOpacity: 0.08 }).addTo(map);
    const marker = L.circleMarker(at, { radius: 5 + 14 * Math.sqrt(one.bursts / most), color: style.getPropertyValue("--strong"), fillOpacity: 0.6 }).addTo(map);
    // A text node: names come from outside.
    const label = document.createElement("span");
    label.textContent = `${one.camera}: ${one.bursts}`;
    marker.bindTooltip(label);
    marker.on("click", () => location.assign(`/browse?camera=${encodeURIComponent(one.camera)}`));
  }
  map.fitBounds(L.latLngBounds(positions.map((one) => [one.latitude, one.longitude])).pad(0.2));
  L.control.scale({ imperial: false }).addTo(map);
}
