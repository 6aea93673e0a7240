// Plots and tables download as PNG. The map of the page is a drawing; where Leaflet is installed, one that can be moved
// takes its place. It has no background but the user's own tiles: the internet is not needed.

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "font-size", "font-family", "text-anchor", "opacity"];
const SCALE = 2;
const HEAD = 30;
const NAMED = 8;

function styled(svg) {
  const copy = svg.cloneNode(true);
  const parts = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, at) => {
    const style = getComputedStyle(parts[at]);
    for (const name of STYLES) part.setAttribute(name, style.getPropertyValue(name));
  });
  copy.removeAttribute("hidden");
  return copy;
}

function canvasOf(width, height, title, card) {
  const canvas = document.createElement("canvas");
  canvas.width = SCALE * width;
  canvas.height = SCALE * (height + HEAD);
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  const style = getComputedStyle(card);
  context.fillStyle = style.backgroundColor;
  context.fillRect(0, 0, width, height + HEAD);
  context.fillStyle = style.color;
  context.font = `600 15px ${style.fontFamily}`;
  context.fillText(title, 10, 20, width - 20);
  context.translate(0, HEAD);
  return context;
}

async function drawPlot(svg) {
  const { width, height } = svg.viewBox.baseVal;
  const copy = styled(svg);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const source = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  const address = URL.createObjectURL(source);
  const img = new Image();
  img.src = address;
  await img.decode();
  const context = canvasOf(width, height, svg.getAttribute("aria-label"), svg.closest(".card"));
  context.drawImage(img, 0, 0, width, height);
  URL.revokeObjectURL(address);
  return context.canvas;
}

function drawTable(table) {
  const whole = table.getBoundingClientRect();
  const title = table.closest("[aria-label]").getAttribute("aria-label");
  const context = canvasOf(whole.width, whole.height, title, table.closest(".card"));
  for (const cell of table.querySelectorAll("th, td")) {
    const place = cell.getBoundingClientRect();
    const [x, y] = [place.x - whole.x, place.y - whole.y];
    const style = getComputedStyle(cell);
    context.fillStyle = style.backgroundColor;
    context.fillRect(x, y, place.width, place.height);
    context.fillStyle = style.borderTopColor;
    if (parseFloat(style.borderTopWidth)) context.fillRect(x, y, place.width, 1);
    context.fillStyle = style.color;
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const right = style.textAlign === "right";
    context.textAlign = right ? "right" : "left";
    context.fillText(cell.innerText, right ? x + place.width - 12 : x + 12, y + place.height / 2 + 5, place.width - 16);
  }
  return context.canvas;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-png]");
  const drawing = button && document.getElementById(button.dataset.png);
  if (!drawing) return;
  const canvas = drawing instanceof SVGElement ? await drawPlot(drawing) : drawTable(drawing);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${button.dataset.png.replace(/^(plot|table)-/, "uncia-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
});

/** Lines of latitude and longitude at round degrees, about five across. */
function graticule(map, lines, colour) {
  lines.clearLayers();
  const bounds = map.getBounds();
  const extent = Math.max(bounds.getEast() - bounds.getWest(), 1e-4) / 5;
  const power = 10 ** Math.floor(Math.log10(extent));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= extent);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const every = (low, high) => {
    const found = [];
    for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
    return found.slice(0, 60);
  };
  const add = (from, to, text, at) => {
    L.polyline([from, to], { color: colour, weight: 1, opacity: 0.35, interactive: false }).addTo(lines);
    L.marker(at, { icon: L.divIcon({ className: "degrees", html: text, iconSize: [70, 14], iconAnchor: [-3, 15] }), interactive: false, keyboard: false }).addTo(lines);
  };
  for (const x of every(bounds.getWest(), bounds.getEast())) {
    add([bounds.getSouth(), x], [bounds.getNorth(), x], `${Math.abs(x).toFixed(digits)}° ${x < 0 ? "W" : "E"}`, [bounds.getSouth(), x]);
  }
  for (const y of every(Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85))) {
    add([y, bounds.getWest()], [y, bounds.getEast()], `${Math.abs(y).toFixed(digits)}° ${y < 0 ? "S" : "N"}`, [y, bounds.getWest()]);
  }
}

/** Circles of Leaflet react to the mouse alone. */
function makeLink(map, marker, one) {
  const circle = marker.getElement();
  circle.setAttribute("tabindex", "0");
  circle.setAttribute("role", "link");
  circle.setAttribute("aria-label", `${one.cameras.join(", ")}: ${one.text}`);
  circle.addEventListener("focus", () => map.panInside(marker.getLatLng(), { padding: [10, 10] }));
  circle.addEventListener("keydown", (event) => {
    if (event.key === "Enter") location.assign(one.href);
  });
}

function showMap(place) {
  const places = JSON.parse(document.getElementById("places").textContent);
  const style = getComputedStyle(document.documentElement);
  const [soft, strong] = [style.getPropertyValue("--soft"), style.getPropertyValue("--link")];
  place.hidden = false;
  document.getElementById("plot-map").setAttribute("hidden", "");
  const map = L.map(place, { attributionControl: false, maxZoom: 18, zoomSnap: 0.25 });
  const most = Math.max(1e-9, ...places.map((one) => one.value));
  if (place.dataset.tiles) L.tileLayer(place.dataset.tiles, { maxZoom: 18 }).addTo(map);
  for (const one of places) {
    const at = [one.latitude, one.longitude];
    if (one.uncertainty_m > 100) L.circle(at, { radius: one.uncertainty_m, weight: 1, color: soft, fillOpacity: 0.06, interactive: false }).addTo(map);
    const marker = L.circleMarker(at, { radius: 5 + 17 * Math.sqrt(one.value / most), color: strong, weight: 2, fillOpacity: 0.45 });
    // Before it is added: its element exists only when the map has a view.
    marker.on("add", () => makeLink(map, marker, one));
    marker.addTo(map);
    // A text node: names come from outside.
    const label = document.createElement("span");
    label.textContent = `${one.cameras.join(", ")}: ${one.text}`;
    marker.bindTooltip(label, { direction: "right", permanent: places.length <= NAMED });
    marker.on("click", () => location.assign(one.href));
  }
  const lines = L.layerGroup().addTo(map);
  map.on("moveend", () => graticule(map, lines, soft));
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  map.fitBounds(L.latLngBounds(places.map((one) => [one.latitude, one.longitude])).pad(0.25), { maxZoom: 14 });
}

const place = document.getElementById("map");
if (place && window.L) showMap(place);
