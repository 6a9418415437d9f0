// Draws the cases of one group as bars: the ratio to its baseline where there is one, else the figure itself.
import { figure } from './figures.mjs';

const kWidth = 820;
const kLabels = 230;
const kFigures = 170;
const kBar = 14;
const kRow = 20;
const kTitle = 34;
const kMargin = 14;
/** A bar longer than this many times C ends in an arrow: else it would flatten all others. */
const kMost = 4;

const kStyle = `text{font:12px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600}.note{fill:#57606a}
.other{fill:#8c959f}.c{fill:#57606a}.ours{fill:#0969da}
.one{stroke:#cf222e;stroke-dasharray:3 3}.spread{stroke:#24292f}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.spread{stroke:#e6edf3}
.other{fill:#656c76}.c{fill:#9198a1}.ours{fill:#4493f8}}`;

/** @param summaries of summarize(), of one group */
export function renderPlot(summaries) {
  let y = kMargin;
  const parts = [];
  for (const summary of summaries) {
    const { height, text } = block(summary, y);
    parts.push(text);
    y += height;
  }
  const height = y + kMargin;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${kWidth}" height="${height}" viewBox="0 0 ${kWidth} ${height}">
<style>${kStyle}</style>
${parts.join('\n')}
</svg>
`;
}

function block({ title, unit, better, baseline, rows }, top) {
  const ran = rows.filter(({ value }) => value !== null);
  const relative = ran.some(({ ratio }) => ratio !== null);
  const bars = relative ? ran.filter(({ ratio }) => ratio !== null) : ran;
  const measure = ({ ratio, value, values }) => (relative ? ratio : { median: value, ...values });
  const longest = Math.max(...bars.map((row) => measure(row).max), relative ? 1 : 0);
  const most = relative ? Math.min(longest, kMost) : longest || 1;
  const scale = (value) =>
    (Math.min(Math.max(value, 0), most) / most) * (kWidth - kLabels - kFigures - kMargin);
  const note = `${relative ? `ratio to ${baseline.title}` : unit}, ${better} is better`;
  const lines = [
    `<text class="title" x="${kMargin}" y="${top + 16}">${escaped(title)} <tspan class="note">(${escaped(note)})</tspan></text>`,
  ];
  bars.forEach((row, i) => {
    lines.push(bar({ row, measured: measure(row), scale, most, y: top + kTitle - 8 + i * kRow, unit }));
  });
  const bottom = top + kTitle - 8 + bars.length * kRow;
  if (relative) {
    const x = kLabels + scale(1);
    lines.push(`<line class="one" x1="${x}" x2="${x}" y1="${top + kTitle - 10}" y2="${bottom}"/>`);
  }
  return { height: kTitle + bars.length * kRow, text: lines.join('\n') };
}

function bar({ row, measured, scale, most, y, unit }) {
  const { median, min, max } = measured;
  const width = scale(median);
  const middle = y + kBar / 2;
  const beyond = median > most ? ' ▸' : '';
  const text =
    row.ratio === null ? figure(row.value) : `${figure(median)}${beyond} (${figure(row.value)} ${unit})`;
  const x = kLabels + Math.max(width, scale(max)) + 6;
  return `<text x="${kLabels - 8}" y="${y + 11}" text-anchor="end">${escaped(row.title)}</text>
<rect class="${colour(row.contender)}" x="${kLabels}" y="${y}" width="${round(width)}" height="${kBar}"/>
<line class="spread" x1="${round(kLabels + scale(min))}" x2="${round(kLabels + scale(max))}" y1="${middle}" y2="${middle}"/>
<text x="${round(x)}" y="${y + 11}">${escaped(text)}</text>`;
}

function colour(name) {
  if (name.startsWith('fdpass')) return 'ours';
  return name === 'c' || name.startsWith('c-') ? 'c' : 'other';
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
