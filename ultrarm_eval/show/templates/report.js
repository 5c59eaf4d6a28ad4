"use strict";
(() => {
  // A link to a task opens it.
  const openNamed = () => {
    const task = document.getElementById(location.hash.slice(1));
    if (task instanceof HTMLDetailsElement) task.open = true;
  };
  addEventListener("hashchange", openNamed);
  openNamed();

  const source = document.getElementById("data");
  const list = document.getElementById("list");
  if (!source || !list) return;
  const $ = (id) => document.getElementById(id);
  const page = 20;

  // Third-party texts enter the page as text nodes only, never as markup.
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const hidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
  const visible = (text) => text.replace(hidden, (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
  const isolated = (text, most = 200) => {
    const characters = [...visible(text)];
    return make("bdi", "", characters.length > most ? `${characters.slice(0, most - 1).join("")}\u2026` : characters.join(""));
  };
  const number = (x) => (x === null ? "\u2013" : x.toFixed(3));
  const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

  const pairs = JSON.parse(source.textContent).pairs;
  for (const pair of pairs) {
    const [, first, second] = pair.rewards[0];
    pair.margin = first - second;
    pair.size = pair.chosen.size + pair.rejected.size;
    const texts = [...pair.prompt, pair.chosen, pair.rejected].map((one) => one.text);
    pair.words = texts.join("\n").toLowerCase();
  }
  const judges = new Set(pairs.flatMap((pair) => pair.rewards.map(([judge]) => judge)));

  const filters = [
    ["reason", "all reasons", (pair) => [pair.reason]],
    ["judge", "all judges", (pair) => pair.rewards.map(([judge]) => judge)],
    ["task", "all tasks", (pair) => [pair.task]],
    ["part", "all subsets", (pair) => pair.parts.map(([name, value]) => `${name}: ${value}`)],
  ].map(([id, everything, get]) => {
    const select = $(id);
    const values = [...new Set(pairs.flatMap(get))];
    // Reasons have an order of their own.
    if (id !== "reason") values.sort();
    select.hidden = values.length < 2;
    select.append(new Option(everything, "-1"));
    values.forEach((value, i) => select.append(new Option(isolated(value, 80).textContent, String(i))));
    select.addEventListener("change", render);
    return (pair) => select.value === "-1" || get(pair).includes(values[Number(select.value)]);
  });
  const orders = {
    wrong: (a, b) => a.margin - b.margin,
    right: (a, b) => b.margin - a.margin,
    close: (a, b) => Math.abs(a.margin) - Math.abs(b.margin),
    gap: (a, b) => (b.gap ?? -1) - (a.gap ?? -1),
    length: (a, b) => b.size - a.size,
  };

  const token = (text, reward, change, scale) => {
    const element = make("span", "token", visible(text));
    if (change !== null && scale) {
      const share = Math.round(Math.min(1, Math.abs(change) / scale) * 60);
      const colour = change < 0 ? "--wrong" : "--right";
      element.style.backgroundColor = `color-mix(in srgb, var(${colour}) ${share}%, transparent)`;
    }
    if (reward !== null) element.title = `reward after this token: ${number(reward)}${change === null ? "" : ` (${change < 0 ? "" : "+"}${number(change)})`}`;
    return element;
  };
  const tokensInto = (element, side) => {
    // The largest tenth of the changes have the full colour.
    const sizes = side.changes.filter((x) => x !== null).map(Math.abs).sort((a, b) => a - b);
    const scale = sizes[Math.floor(sizes.length * 0.9)] || 0;
    if (side.cut) element.append(make("small", "", "\u2026 truncated: the judge did not read the text before this "));
    side.tokens.forEach((text, i) => {
      // The space between the template and the answer.
      element.append(token(i ? text : text.trimStart(), side.rewards[i], side.changes[i], scale));
    });
  };
  const text = (one, side) => {
    const element = make("div", "text");
    element.dir = "auto";
    if (side) tokensInto(element, side);
    else if (one.text) element.textContent = visible(one.text);
    else element.append(make("small", "", "empty"));
    // Characters, not halves of surrogate pairs.
    const more = one.size - [...one.text].length;
    if (more > 0) element.append(make("small", "", ` \u2026 ${counted(more, "more character")}`));
    return element;
  };
  const answer = (title, one, reward, side) => {
    const element = make("div");
    const role = make("div", "role");
    role.append(make("b", "", title), ` \u00b7 reward ${number(reward)} \u00b7 ${counted(one.size, "character")}`);
    if (one.name) role.append(" \u00b7 ", isolated(one.name));
    element.append(role, text(one, side));
    if (side) element.append(make("div", "note readout"));
    return element;
  };
  const show = (pair) => {
    const element = make("article", "pair");
    const about = make("div", "about");
    const sign = pair.margin < 0 ? "bad" : pair.margin > 0 ? "good" : "";
    about.append(make("b", "", pair.reason), make("span", sign, `margin ${number(pair.margin)}`));
    if (pair.gap !== null) about.append(make("span", "", `rating gap ${Number(pair.gap.toFixed(3))}`));
    about.append(isolated(pair.task));
    if (pair.document !== null) about.append(isolated(`document ${pair.document}`));
    for (const [name, value] of pair.parts) about.append(isolated(`${name}: ${value}`, 120));
    element.append(about);
    if (judges.size > 1) {
      for (const [judge, first, second] of pair.rewards) {
        const line = make("div", "about");
        const words = make("span");
        words.append(isolated(judge), `: reward ${number(first)} against ${number(second)}`);
        line.append(words);
        element.append(line);
      }
    }
    const prompt = make("div", "prompt");
    for (const turn of pair.prompt) {
      const role = make("div", "role");
      role.append(isolated(turn.name ?? ""));
      prompt.append(role, text(turn));
    }
    const sides = make("div", "sides");
    const names = pair.kind === "reference" ? ["answer", "reference"] : ["chosen answer", "rejected answer"];
    const [, first, second] = pair.rewards[0];
    sides.append(
      answer(names[0], pair.chosen, first, pair.tokens?.[0]),
      answer(names[1], pair.rejected, second, pair.tokens?.[1]),
    );
    element.append(prompt, sides);
    return element;
  };

  let found = pairs;
  let shown = 0;
  function render() {
    const wanted = searched();
    found = pairs.filter((pair) => filters.every((allows) => allows(pair)) && pair.words.includes(wanted));
    const order = orders[$("order").value];
    if (order) found.sort(order);
    shown = 0;
    list.replaceChildren();
    showMore();
  }
  function showMore() {
    list.append(...found.slice(shown, shown + page).map(show));
    shown = Math.min(found.length, shown + page);
    const all = found.length === pairs.length ? counted(pairs.length, "pair") : `${found.length} of ${counted(pairs.length, "pair")}`;
    $("found").textContent = shown < found.length ? `${all}, first ${shown} shown` : all;
    if (!found.length) list.append(make("p", "note", "No pair matches all filters."));
    $("more").hidden = shown === found.length;
    highlight();
  }
  function searched() { return $("search").value.trim().toLowerCase(); }

  // Matches of the search are highlighted, and each text is scrolled to its first match.
  function highlight() {
    if (!window.Highlight) return;
    CSS.highlights.delete("found");
    const wanted = searched();
    if (!wanted) return;
    const ranges = [];
    for (const element of list.querySelectorAll(".text")) {
      const before = ranges.length;
      const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
        const lower = node.data.toLowerCase();
        // A few letters change their length.
        if (lower.length !== node.data.length) continue;
        for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
      if (ranges.length > before) {
        const place = ranges[before].getBoundingClientRect().top - element.getBoundingClientRect().top;
        if (place > element.clientHeight - 20) element.scrollTop = place - element.clientHeight / 3;
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  // Where a pointer cannot hover, a tap shows the same.
  list.addEventListener("click", ({ target }) => {
    if (target.classList.contains("token")) target.closest(".text").nextElementSibling.textContent = target.title;
  });
  $("search").addEventListener("input", render);
  $("order").addEventListener("change", render);
  $("more").addEventListener("click", showMore);
  $("controls").hidden = false;
  render();
})();
