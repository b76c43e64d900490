"""Draws how far each ratio is above its bar, as an SVG that reads well on light and on dark ground."""

import math
from xml.sax.saxutils import escape

from .rows import NOBODY, times_better

WIDTH = 960
LEFT = 440
RIGHT = 70
TOP = 46
STEP = 24
BAR = 14
STYLE = """\
  text { font: 13px sans-serif; fill: #24292f; }
  .small { font-size: 11px; fill: #57606a; }
  .line { stroke: #8c959f; stroke-width: 1; }
  .limit { stroke: #57606a; stroke-width: 2; }
  .aim { fill: #1a7f37; } .bar { fill: #3b82d0; } .MISSED { fill: #cf222e; }
  .target { stroke: #9a6700; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .line { stroke: #57606a; }
    .limit { stroke: #9198a1; }
    .aim { fill: #3fb950; } .bar { fill: #58a6ff; } .MISSED { fill: #f85149; }
    .target { stroke: #d29922; }
  }
"""


def plot(comparisons):
    """The text of the SVG. The scale is logarithmic: twice is as far to the right as half is to the left."""
    judged = [told for told in comparisons if told.bar is not None]
    reached = [times_better(told.ratio, told.bar, told.better) for told in judged]
    aims = [times_better(told.aim, told.bar, told.better) for told in judged]
    scale = Scale(reached + aims)
    height = TOP + STEP * len(judged) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>\n{STYLE}</style>",
        '<text x="8" y="20">How many times better than its bar; the mark is what is aimed at</text>',
        *grid(scale, height),
    ]
    for nth, (told, times, aim) in enumerate(zip(judged, reached, aims, strict=True)):
        parts += line(scale, TOP + STEP * nth, told, times, aim)
    return "\n".join([*parts, "</svg>", ""])


class Scale:
    """From times to places: powers of two from the worst to the best, and 1 always among them."""

    def __init__(self, values):
        usable = [value for value in values if 0 < value < math.inf] or [1]
        self.low = min(-1, math.floor(math.log2(min(usable))))
        self.high = max(1, math.ceil(math.log2(max(usable))))

    def x(self, value):
        within = min(max(value, 2**self.low), 2**self.high)
        part = (math.log2(within) - self.low) / (self.high - self.low)
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def marks(self):
        return [2.0**power for power in range(self.low, self.high + 1)]


def grid(scale, height):
    parts = []
    for mark in scale.marks():
        x, kind = scale.x(mark), "limit" if mark == 1 else "line"
        parts.append(f'<line class="{kind}" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{height - 12}"/>')
        parts.append(f'<text class="small" x="{x}" y="{TOP - 10}" text-anchor="middle">{mark:g}</text>')
    return parts


def line(scale, y, told, times, aim):
    middle, ends, target = scale.x(1), scale.x(times), scale.x(aim)
    name = told.title if told.against == NOBODY else f"{told.title} / {told.against}"
    return [
        f'<text x="{LEFT - 12}" y="{y + BAR - 1}" text-anchor="end" class="small">{escape(name)}</text>',
        f'<rect class="{told.verdict}" x="{min(middle, ends)}" y="{y + 1}" width="{max(1, abs(ends - middle)):.1f}" '
        f'height="{BAR}"/>',
        f'<line class="target" x1="{target}" y1="{y - 1}" x2="{target}" y2="{y + BAR + 3}"/>',
        f'<text x="{WIDTH - RIGHT + 10}" y="{y + BAR - 1}" class="small">{times:.2f}</text>',
    ]
