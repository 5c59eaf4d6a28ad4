"use strict";
// The axis of the intervals: the position of a value, and round numbers as ticks.
const boardAxis = (lows, highs, isShare) => {
  const [least, most] = [Math.min(...lows), Math.max(...highs)];
  const room = (most - least || Math.abs(most) || 1) * 0.04;
  // A share stays between 0 and 1.
  const from = isShare ? Math.max(Math.min(0, least), least - room) : least - room;
  const to = isShare ? Math.min(Math.max(1, most), most + room) : most + room;
  const width = to - from || 1;
  const share = (x) => (100 * (x - from)) / width;
  const raw = width / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.8) || width;
  const first = Math.ceil(from / step - 1e-9) * step;
  const ticks = Array.from({ length: 6 }, (_, i) => first + i * step).filter((x) => x <= to + 1e-9 * step);
  const scale = isShare ? 100 : 1;
  const digits = Math.min(6, Math.max(0, -Math.floor(Math.log10(step * scale) + 1e-9)));
  const word = (x) => (Math.abs(x) < 1e6 ? (x * scale).toFixed(digits) : x.toPrecision(3)).replace("-", "\u2212");
  return { share, place: (x) => `${share(x).toFixed(2)}%`, ticks: ticks.map((x) => [x, word(x)]) };
};
