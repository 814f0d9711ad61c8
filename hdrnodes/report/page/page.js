"use strict";
// Without a script the page has all there is, in the order of the files; with one, columns sort and exposures enlarge.

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(head.firstElementChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(table.tBodies[0], column, falling);
    });
  });
}

/** Rows without a number stay last, whichever way the others go. */
function sort(body, column, falling) {
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column]) }));
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    const order = typeof a.value === "number" ? a.value - b.value : a.value.localeCompare(b.value);
    return falling ? -order : order;
  });
  body.append(...rows.map(({ row }) => row));
}

function valueOf(cell) {
  if (cell.classList.contains("undefined")) return null;
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
}

for (const strips of document.querySelectorAll(".exposures")) {
  const figures = [...strips.querySelectorAll("figure")];
  const choice = document.createElement("div");
  choice.className = "choice";
  for (const stops of ["all", ...new Set(figures.map((figure) => figure.dataset.stops))]) {
    const button = document.createElement("button");
    const figure = figures.find((each) => each.dataset.stops === stops);
    button.textContent = figure ? figure.querySelector("figcaption").textContent : "All";
    button.setAttribute("aria-pressed", stops === "all");
    button.addEventListener("click", () => {
      choice.childNodes.forEach((each) => each.setAttribute("aria-pressed", each === button));
      strips.classList.toggle("one", stops !== "all");
      figures.forEach((each) => each.classList.toggle("chosen", each.dataset.stops === stops));
    });
    choice.append(button);
  }
  strips.before(choice);
}
