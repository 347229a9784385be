"""The report as one HTML page that needs nothing else: no script, no font, no network."""

import time
from collections.abc import Iterable, Sequence
from html import escape
from math import floor, log10

from .figures import Figure, Series, number, percentile
from .results import Result, Run

WIDTH = 890
LEFT = 240
ROW = 26
BAR_ROW = 40

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --faint: #66717d; --paper: #fff; --line: #d9dee3;
  --good: #1d7a46; --bad: #b3261e; --skip: #8a6d1a; --mark: #2563a8; --soft: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ed; --faint: #9aa5b0; --paper: #14191f;
  --line: #333c45; --good: #58c48a; --bad: #ff8a80; --skip: #e0c068; --mark: #7ab3f0;
  --soft: #1c232b; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 8px; }
p.about { color: var(--faint); margin: 0 0 16px; }
.banner { border: 2px solid var(--skip); border-radius: 6px; padding: 10px 14px; font-weight: 600; }
.banner.hardware { border-color: var(--mark); }
.totals span { margin-right: 18px; font-weight: 600; }
.passed { color: var(--good); } .failed, .interrupted { color: var(--bad); }
.skipped { color: var(--skip); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; vertical-align: top; padding: 6px 10px 6px 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; }
td.outcome { font-weight: 600; } td.where { white-space: nowrap; color: var(--faint); }
td small, .reason { color: var(--faint); display: block; white-space: pre-wrap;
  font-weight: 400; }
.out { color: var(--bad); font-weight: 600; }
code { font: 12.5px ui-monospace, monospace; overflow-wrap: anywhere; }
svg { width: 100%; max-width: 900px; height: auto; display: block; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .faint { fill: var(--faint); }
svg line { stroke: var(--line); } svg .bound { stroke: var(--bad); stroke-dasharray: 3 3; }
svg .dot { fill: var(--mark); fill-opacity: .45; } svg .median { stroke: var(--ink);
  stroke-width: 2; } svg rect { fill: var(--mark); fill-opacity: .6; }
svg .expected { stroke: var(--skip);
  stroke-dasharray: 5 3; stroke-width: 1.5; }
"""


def page(run: Run) -> str:
    """The whole page."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.started))
    banner = (
        f"Hardware: {escape(run.description)}"
        if run.is_hardware
        else f"No hardware was tested. Rig {escape(run.rig)}: {escape(run.description)}."
    )
    totals = "".join(
        f'<span class="{outcome}">{count} {outcome}</span>'
        for outcome, count in run.totals().items()
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>ruuvi-host hil: {escape(run.rig)}</title><style>{STYLE}</style></head>",
            "<body><h1>Hardware in the loop</h1>",
            f'<p class="about">ruuvi-host, rig <b>{escape(run.rig)}</b>, {when}</p>',
            f'<p class="banner{" hardware" if run.is_hardware else ""}">{banner}</p>',
            f'<p class="totals">{totals}</p>',
            *_latencies(run.results),
            *_rates(run.results),
            "<h2>Tests</h2>",
            '<div class="scroll"><table><thead><tr><th>Test</th><th>Result</th><th>Rig</th>'
            "<th>Firmware</th><th>Address</th><th>Measured</th><th>Bound</th></tr></thead><tbody>",
            *(_row(result) for result in sorted(run.results, key=_order)),
            "</tbody></table></div></body></html>",
        ]
    )


def _order(result: Result) -> int:
    return ("failed", "interrupted", "passed", "skipped").index(result.outcome)


def _row(result: Result) -> str:
    figures = result.figures.figures
    reason = f'<span class="reason">{escape(result.reason)}</span>' if result.reason else ""
    return (
        f"<tr><td><code>{escape(result.test)}</code><small>{escape(result.description)}</small></td>"
        f'<td class="outcome {result.outcome}">{result.outcome}{reason}</td>'
        f'<td class="where">{escape(result.rig)}</td>'
        f'<td class="where">{escape(result.firmware)}</td>'
        f'<td class="where">{escape(result.address)}</td>'
        f"<td>{'<br>'.join(_measured(figure) for figure in figures)}</td>"
        f"<td>{'<br>'.join(escape(figure.bound) or '&nbsp;' for figure in figures)}</td></tr>"
    )


def _measured(figure: Figure) -> str:
    text = escape(str(figure))
    return text if figure.holds else f'<span class="out">{text}</span>'


def _found(results: Iterable[Result], kind: str) -> list[tuple[Result, Series]]:
    return [
        (result, series)
        for result in results
        for series in result.figures.series
        if series.kind == kind and series.values
    ]


def _latencies(results: Sequence[Result]) -> list[str]:
    """A row of dots for each series, on a common logarithmic axis."""
    found = _found(results, "latency")
    if not found:
        return []
    values = [max(value, 0.01) for _, series in found for value in series.values]
    low, high = floor(log10(min(values))), floor(log10(max(values))) + 1
    scale = (WIDTH - LEFT - 90) / (high - low)

    def x(value: float) -> float:
        return LEFT + (log10(max(value, 0.01)) - low) * scale

    height = ROW * len(found) + 40
    parts = [
        f'<line x1="{x(10**power):.1f}" x2="{x(10**power):.1f}" y1="6" y2="{height - 26}"/>'
        f'<text class="faint" text-anchor="middle" x="{x(10**power):.1f}" y="{height - 10}">'
        f"{number(10**power)} ms</text>"
        for power in range(low, high + 1)
    ]
    for row, (result, series) in enumerate(found):
        y = 20 + ROW * row
        median, tail = percentile(series.values, 50), percentile(series.values, 99)
        label = f"{series.name} · {result.firmware}"
        parts.append(f'<text text-anchor="end" x="{LEFT - 10}" y="{y + 4}">{escape(label)}</text>')
        parts += [
            f'<circle class="dot" r="3" cx="{x(value):.1f}" cy="{y}"/>' for value in series.values
        ]
        parts.append(
            f'<line class="median" x1="{x(median):.1f}" x2="{x(median):.1f}" y1="{y - 8}" '
            f'y2="{y + 8}"/><text class="faint" x="{WIDTH - 84}" y="{y + 4}">'
            f"{number(median)} / {number(tail)}</text>"
        )
    return [
        "<h2>Latency</h2>",
        '<p class="about">From the write of a command to its answer, in milliseconds; the stroke '
        "is the median. On the right: p50 / p99.</p>",
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Latency of each command">',
        *parts,
        "</svg>",
    ]


def _rates(results: Sequence[Result]) -> list[str]:
    """A row for each series: reports per second in the course of the test."""
    found = _found(results, "rate")
    if not found:
        return []
    height = BAR_ROW * len(found) + 10
    right = WIDTH - 120
    parts = []
    for row, (result, series) in enumerate(found):
        bottom = BAR_ROW * (row + 1) - 4
        top = 1.15 * max([*series.values, series.expected or 0]) or 1
        scale = (BAR_ROW - 10) / top
        step = (right - LEFT) / len(series.values)
        label = f"{series.name} · {result.firmware}"
        mean = sum(series.values) / len(series.values)
        told = f"{number(mean)}/s"
        if series.expected:
            told += f" of {number(series.expected)}"
            y = bottom - series.expected * scale
            parts.append(
                f'<line class="expected" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        parts.append(
            f'<text text-anchor="end" x="{LEFT - 10}" y="{bottom - 8}">{escape(label)}</text>'
            f'<text class="faint" x="{right + 8}" y="{bottom - 8}">{told}</text>'
            f'<line x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
        )
        parts += [
            f'<rect x="{LEFT + step * index:.1f}" width="{max(step - 0.6, 0.5):.1f}" '
            f'y="{bottom - value * scale:.1f}" height="{value * scale:.1f}"/>'
            for index, value in enumerate(series.values)
        ]
    return [
        "<h2>Reports per second</h2>",
        '<p class="about">What was received, from the beginning of each test to its end; dashed: '
        "what was in the air. On the right: the mean.</p>",
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Reports per second">',
        *parts,
        "</svg>",
    ]
