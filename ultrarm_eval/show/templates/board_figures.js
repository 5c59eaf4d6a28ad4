"use strict";
// Positions of the fields of a value in the page's data.
const [value, low, high, text, beside, best, last, marks, own] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

// Third-party texts enter the page as text nodes only, never as markup.
const make = (tag, className, content) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  return element;
};
const isolated = (content) => make("bdi", "", content);
const rankOf = (figure) => (!figure || !figure[best] ? "" : figure[best] === figure[last] ? `${figure[best]}` : `${figure[best]}\u2013${figure[last]}`);
// Only all reads 100.0 and only none 0.0, as in ultrarm_eval/show/formats.py.
const isWhole = (x, digits) => [0, 100].includes(Math.abs(Number(x.toFixed(digits))));
const percents = (x, digits = 1) => (digits < 4 && isWhole(x, digits) && !isWhole(x, 4) ? percents(x, digits + 1) : x.toFixed(digits));
const sized = (x) => (Math.abs(x) < 10 ? x.toFixed(3) : Math.abs(x) < 1000 ? x.toFixed(1) : Math.abs(x) < 1e9 ? x.toFixed(0) : x.toPrecision(3));
const number = (x, unit) => (unit ? percents(100 * x) : sized(x)).replace("-", "\u2212");
const between = (figure, unit) => (figure[low] === null ? "no interval" : `${number(figure[low], unit)} to ${number(figure[high], unit)}`);

// The metrics of a row, and how its results were made.
const boardDetail = (row, columns, marksOf) => {
  const inner = make("div", "inner");
  for (const remark of row.remarks) inner.append(make("p", "warning", remark));
  const facts = make("dl", "facts");
  for (const [name, told] of row.facts) {
    const fact = make("div");
    const [term, said] = [make("dt"), make("dd")];
    term.append(isolated(name));
    said.append(isolated(told));
    fact.append(term, said);
    facts.append(fact);
  }
  const figures = make("table");
  const head = make("tr");
  for (const name of ["", "metric"]) head.append(make("th", "", name));
  for (const name of ["value", "95 % interval", "rank", "documents"]) head.append(make("th", "n", name));
  head.append(make("th"));
  figures.append(head);
  for (const column of columns) {
    const figure = column.figures[row.place];
    if (!figure) continue;
    const ranked = column.figures.filter((one) => one && one[best]).length;
    const title = make("td", "name");
    title.append(isolated(column.title));
    const why = make("td");
    for (const mark of marksOf(figure)) why.append(make("small", "mark", mark === "partial" ? `partial: ${row.partial[column.task]}` : mark), " ");
    const cells = [
      figure[text] + (column.unit && ` ${column.unit}`),
      between(figure, column.unit),
      figure[best] ? `${rankOf(figure)} of ${ranked}` : "\u2013",
      figure[own] || column.documents.replace(/ documents$/, ""),
    ];
    const line = make("tr");
    line.append(title, make("td", "", column.metric), ...cells.map((cell) => make("td", "n", cell)), why);
    figures.append(line);
  }
  const scroll = make("div", "scroll");
  scroll.append(figures);
  inner.append(facts, scroll);
  return inner;
};
