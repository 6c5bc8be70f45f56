// Sort by a heading, filter by text and by drop-downs. Nothing leaves the page.
"use strict";

function sortKey(cell) {
  const value = cell.dataset.sort;
  return value === undefined ? cell.textContent.trim().toLowerCase() : value === "" ? null : Number(value);
}

function compare(a, b) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1; // blanks last, both ways
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortBy(heading) {
  const headings = [...heading.parentNode.children];
  const column = headings.indexOf(heading);
  const descending = heading.getAttribute("aria-sort") === "ascending";
  headings.forEach(other => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = heading.closest("table").tBodies[0];
  const rows = [...body.rows].map(row => [sortKey(row.cells[column]), row]);
  rows.sort((x, y) => {
    if (x[0] === null || y[0] === null) return compare(x[0], y[0]);
    return descending ? compare(y[0], x[0]) : compare(x[0], y[0]);
  });
  body.append(...rows.map(pair => pair[1]));
}

function fillChoices(select, table) {
  const column = Number(select.dataset.column);
  const values = new Set([...table.tBodies[0].rows].map(row => row.cells[column].textContent.trim()));
  [...values].sort().forEach(value => select.add(new Option(value, value)));
}

function filter(box) {
  const words = box.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
  const choices = [...box.querySelectorAll("select")].filter(select => select.value);
  let shown = 0;
  for (const row of box.querySelector("table").tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    const keep = words.every(word => text.includes(word)) &&
      choices.every(select => row.cells[Number(select.dataset.column)].textContent.trim() === select.value);
    row.hidden = !keep;
    shown += keep;
  }
  box.querySelector("output").textContent = shown + " shown";
}

document.querySelectorAll("thead button").forEach(button =>
  button.addEventListener("click", () => sortBy(button.closest("th"))));

document.querySelectorAll(".data.filtered").forEach(box => {
  box.querySelectorAll("select").forEach(select => fillChoices(select, box.querySelector("table")));
  box.addEventListener("input", () => filter(box));
});

// A link into a folded table opens it first.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded && !folded.open) { folded.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", unfold);
unfold();
