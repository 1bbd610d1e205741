export default function ({ parentElement, data }) {
  for (const station of parentElement.querySelectorAll("[data-station]")) {
    station.classList.toggle("here", station.dataset.station === data.here);
  }
  for (const line of parentElement.querySelectorAll("[data-line]")) {
    const words = String(data[line.dataset.line] ?? "");
    line.textContent = words.length > 18 ? `${words.slice(0, 16)}…` : words;
  }
}
