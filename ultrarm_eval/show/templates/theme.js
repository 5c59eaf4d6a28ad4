"use strict";
(() => {
  const button = document.getElementById("theme");
  if (!button) return;
  const names = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  const order = ["", "light", "dark"];
  let now = 0;
  const show = () => {
    if (order[now]) document.documentElement.dataset.theme = order[now];
    else delete document.documentElement.dataset.theme;
    button.textContent = names[order[now]];
  };
  button.addEventListener("click", () => { now = (now + 1) % order.length; show(); });
  button.hidden = false;
  show();
})();
