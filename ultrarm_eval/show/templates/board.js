"use strict";
(() => {
  const source = document.getElementById("data");
  const table = document.getElementById("board");
  if (!source || !table) return;
  const data = JSON.parse(source.textContent);
  const $ = (id) => document.getElementById(id);
  const columns = data.columns.map(([kind, task, title, metric, unit, documents, isMain, isMember, direction, figures], place) => (
    { kind, task, title, metric, unit, documents, isMain, isMember, direction, figures, place, head: null, cells: [], shown: true }));
  const marksOf = (figure) => data.marks.filter((_, bit) => figure[marks] & (1 << bit));
  // More rows at once would be slow to lay out; the search covers all rows.
  const few = 200;
  let most = few;
  const named = (column) => `${column.title}, ${column.metric}`;

  const body = table.tBodies[0];
  const headRow = table.tHead.rows[0];
  const inPlace = [...body.rows].map((element, place) => {
    const [name, facts, remarks, partial] = data.rows[place];
    const who = element.cells[0];
    const words = [name, ...facts.map(([fact, told]) => `${fact} ${told}`), ...remarks].join("\n").toLowerCase();
    return { element, place, name, facts, remarks, partial, words, rank: who.firstElementChild, bar: element.cells[1], detail: null };
  });
  const rows = [...inPlace];
  const mains = columns.filter((column) => column.isMain);
  mains.forEach((column, i) => {
    column.head = headRow.cells[i + 2];
    column.cells = inPlace.map(({ element }) => element.cells[i + 2]);
  });

  // Columns.
  function fillCell(cell, figure) {
    if (!figure) return;
    cell.append(make("span", "", figure[text]));
    if (figure[beside]) cell.append(make("small", /to/.test(figure[beside]) ? "of" : "", ` ${figure[beside]}`));
    if (figure[own]) cell.append(make("small", "of", ` of ${figure[own]}`));
    for (const mark of marksOf(figure)) cell.append(" ", make("small", "mark", mark));
    cell.classList.toggle("first", figure[best] === 1);
    cell.classList.toggle("aside", figure[marks] > 0);
  }
  function addColumn(column) {
    const after = columns.slice(column.place + 1).find((one) => one.head);
    const head = make("th", `n c${column.place} ${column.kind} more`);
    head.scope = "col";
    head.append(make("span", "label", column.title), make("small", "", column.metric + (column.unit && `, ${column.unit}`)), make("small", "", column.documents));
    headRow.insertBefore(head, after ? after.head : null);
    column.head = head;
    column.cells = inPlace.map(({ element, place }) => {
      const cell = make("td", `n c${column.place}`);
      fillCell(cell, column.figures[place]);
      element.insertBefore(cell, after ? after.cells[place] : null);
      return cell;
    });
    makeSortable(head, () => sortBy(column));
  }
  function showColumns() {
    for (const column of columns) {
      const wanted = column.task < 0 || (chosen.tasks.has(column.task) && (column.isMain || chosen.metrics.has(column.metric)));
      if (wanted && !column.head) addColumn(column);
      if (!column.head || wanted === column.shown) continue;
      column.shown = wanted;
      for (const cell of [column.head, ...column.cells]) cell.hidden = !wanted;
    }
    for (const row of rows) if (row.detail) row.detail.cells[0].colSpan = shownCells();
    table.style.setProperty("--columns", shownCells() - 2);
  }
  const shownCells = () => 2 + columns.filter((column) => column.head && column.shown).length;
  const everyTask = [...new Map(mains.filter((c) => c.task >= 0).map((c) => [c.task, c])).values()];
  const atFirst = () => new Set(everyTask.filter((c) => !c.isMember).map((c) => c.task));
  const chosen = { tasks: atFirst(), metrics: new Set() };
  const boxes = [];
  function addBox(into, label, isOn, change) {
    const element = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.addEventListener("change", () => { change(box.checked); settle(); });
    element.append(box, " ", isolated(label));
    into.append(element);
    boxes.push(() => { box.checked = isOn(); });
  }
  function settle() {
    showColumns();
    for (const update of boxes) update();
    if (members) members.checked = everyTask.every((c) => !c.isMember || chosen.tasks.has(c.task));
  }
  const flip = (set, item, isOn) => (isOn ? set.add(item) : set.delete(item));
  for (const { task, title, kind } of everyTask) {
    addBox($("tasks"), kind === "group" ? `${title} (group)` : title, () => chosen.tasks.has(task), (isOn) => flip(chosen.tasks, task, isOn));
  }
  for (const metric of [...new Set(columns.filter((c) => !c.isMain).map((c) => c.metric))].sort()) {
    addBox($("metrics"), metric, () => chosen.metrics.has(metric), (isOn) => flip(chosen.metrics, metric, isOn));
  }
  const members = $("members");
  members?.addEventListener("change", () => {
    for (const column of everyTask) if (column.isMember) flip(chosen.tasks, column.task, members.checked);
    settle();
  });
  const choose = (get) => () => { chosen.tasks = get(); settle(); };
  $("all").addEventListener("click", choose(() => new Set(everyTask.map((c) => c.task))));
  $("none").addEventListener("click", choose(() => new Set()));
  $("first").addEventListener("click", choose(atFirst));
  $("choose").addEventListener("click", () => {
    const isOpen = $("choice").hidden;
    $("choice").hidden = !isOpen;
    $("choose").setAttribute("aria-expanded", String(isOpen));
  });

  // Order.
  let sorted = null;
  let isDown = true;
  let charted = columns[data.by];
  function makeSortable(head, sort) {
    const label = head.querySelector(".label");
    const button = make("button", "sort");
    button.type = "button";
    button.append(...label.childNodes);
    label.replaceChildren(button);
    button.addEventListener("click", sort);
  }
  // In either order, unranked values come after ranked ones, and rows without a value last.
  const state = (figure) => (!figure ? 2 : figure[marks] ? 1 : 0);
  function sortBy(column) {
    const isAgain = sorted === column;
    isDown = isAgain ? !isDown : column !== null && column.direction >= 0;
    sorted = column;
    if (column) charted = column;
    arrange();
  }
  function arrange() {
    const sign = isDown ? -1 : 1;
    const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.place - b.place);
    rows.sort((a, b) => {
      if (!sorted) return sign * byName(a, b);
      const [x, y] = [sorted.figures[a.place], sorted.figures[b.place]];
      return state(x) - state(y) || (x && y ? sign * (x[value] - y[value]) : 0) || byName(a, b);
    });
    body.append(...rows.flatMap((row) => (row.detail ? [row.element, row.detail] : [row.element])));
    for (const head of headRow.cells) head.removeAttribute("aria-sort");
    const head = sorted ? sorted.head : headRow.cells[0];
    head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    filter();
  }
  function filter() {
    const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row) => wanted.every((word) => row.words.includes(word)));
    const shown = new Set(found.slice(0, most));
    for (const row of rows) {
      row.element.hidden = !shown.has(row);
      if (row.detail) row.detail.hidden = row.element.hidden;
    }
    $("rest").hidden = shown.size === found.length;
    $("rest").textContent = `Show all ${found.length} rows`;
    const by = sorted ? `${named(sorted)}, ${isDown ? "highest" : "lowest"} first` : `model, ${isDown ? "Z to A" : "A to Z"}`;
    $("found").textContent = `${shown.size} of ${rows.length} rows, sorted by ${by}`;
    draw(shown);
  }

  // Intervals of the column that was sorted last.
  const at = make("style");
  document.head.append(at);
  function draw(shown) {
    const figures = charted.figures.filter(Boolean);
    const axis = boardAxis(figures.map((f) => f[low] ?? f[value]), figures.map((f) => f[high] ?? f[value]), charted.unit !== "");
    const lines = axis.ticks.map(() => "linear-gradient(var(--line),var(--line))").join(",");
    at.textContent = `#board tbody td.bars{background-image:${lines};background-size:1px 100%;background-position:${axis.ticks.map(([x]) => `${axis.place(x)} 0`).join(",")}}`;
    const ranked = figures.filter((f) => f[best]);
    const bound = charted.direction < 0 ? Math.min(...ranked.map((f) => f[high])) : Math.max(...ranked.map((f) => f[low]));
    for (const row of shown) {
      const figure = charted.figures[row.place];
      row.rank.textContent = rankOf(figure);
      const track = make("div", figure && figure[marks] ? "track aside" : "track");
      if (ranked.length) track.append(dot("rule", bound));
      if (figure) {
        if (figure[low] !== null) {
          const range = dot("range", figure[low]);
          range.style.width = `${Math.max(0.5, axis.share(figure[high]) - axis.share(figure[low])).toFixed(2)}%`;
          track.append(range);
        }
        track.append(dot("dot", figure[value]));
        track.role = "img";
        track.ariaLabel = `${figure[text]}, ${between(figure, charted.unit)}`;
      }
      row.bar.replaceChildren(track);
    }
    function dot(className, x) {
      const element = make("span", className);
      element.style.left = axis.place(x);
      return element;
    }
    const scale = make("div", "axis");
    for (const [x, word] of axis.ticks) {
      const label = dot("tick", x);
      label.textContent = word;
      scale.append(label);
    }
    const title = make("span", "of");
    title.append(isolated(charted.title));
    headRow.cells[1].replaceChildren(title, make("small", "", charted.metric + (charted.unit && `, ${charted.unit}`)), scale);
  }

  // Details.
  function detailOf(row) {
    const element = make("tr", "detail");
    const cell = make("td");
    cell.colSpan = shownCells();
    cell.append(boardDetail(row, columns.filter((c) => c.isMain || chosen.metrics.has(c.metric)), marksOf));
    element.append(cell);
    return element;
  }
  for (const row of rows) {
    const label = row.element.cells[0].lastElementChild;
    const button = make("button", "open");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.append(label.firstElementChild);
    label.prepend(button);
    button.addEventListener("click", () => {
      if (row.detail) {
        row.detail.remove();
        row.detail = null;
      } else {
        row.detail = detailOf(row);
        row.element.after(row.detail);
      }
      button.setAttribute("aria-expanded", String(row.detail !== null));
    });
  }

  for (const column of mains) makeSortable(column.head, () => sortBy(column));
  makeSortable(headRow.cells[0], () => sortBy(null));
  $("search").addEventListener("input", filter);
  $("rest").addEventListener("click", () => { most = rows.length; filter(); });
  $("controls").hidden = false;
  table.classList.add("scripted");
  settle();
  sortBy(charted);
})();
