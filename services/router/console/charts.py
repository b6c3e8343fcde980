"""Small charts as SVG, drawn from values: bars against a target, and lines. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 320.0, 120.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 4.0, 4.0, 10.0, 18.0
_PLOT_WIDTH = _WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """`value` None is a gap; `words` is the tooltip; `link` where a click leads."""

    label: str
    value: float | None
    words: str
    link: str | None = None
    tone: str = "main"


def bars(points: Sequence[Point], title: str, top: float | None = None, target: float | None = None) -> Markup:
    """Bars from zero to `top` (the largest value when None), with a dashed line at `target`."""
    height = top or max((point.value or 0 for point in points), default=0) or 1
    step = _PLOT_WIDTH / max(len(points), 1)
    parts = [_bar(point, index * step, step, height) for index, point in enumerate(points)]
    if target is not None:
        parts.append(_target(target / height))
    return _svg(Markup("").join([*parts, *_labels(points, step)]), title)


def lines(series: Sequence[Sequence[Point]], title: str) -> Markup:
    """One line for each series on a common scale from zero; a gap breaks the line."""
    values = [point.value for points in series for point in points if point.value is not None]
    height = max(values, default=0) or 1
    parts: list[Markup] = []
    for number, points in enumerate(series):
        parts += _line(points, number, height)
    longest = max(series, key=len, default=())
    step = _PLOT_WIDTH / max(len(longest), 1)
    return _svg(Markup("").join([*parts, *_labels(longest, step)]), title)


def _bar(point: Point, x: float, step: float, height: float) -> Markup:
    if point.value is None:
        return Markup("")
    tall = max(1.5, _PLOT_HEIGHT * min(point.value / height, 1))
    bar = Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2">{}</rect>').format(
        point.tone, _LEFT + x + step * 0.14, _TOP + _PLOT_HEIGHT - tall, step * 0.72, tall, _title(point.words)
    )
    return _linked(bar, point)


def _line(points: Sequence[Point], number: int, height: float) -> list[Markup]:
    step = _PLOT_WIDTH / max(len(points), 1)
    places = [
        (_LEFT + step * (index + 0.5), _TOP + _PLOT_HEIGHT * (1 - point.value / height), point)
        for index, point in enumerate(points)
        if point.value is not None
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    drawn = [Markup('<polyline class="line line-{}" points="{}"/>').format(number, path)]
    for x, y, point in places:
        dot = Markup('<circle class="dot line-{}" cx="{:.1f}" cy="{:.1f}" r="3">{}</circle>').format(
            number, x, y, _title(point.words)
        )
        drawn.append(_linked(dot, point))
    return drawn


def _target(share: float) -> Markup:
    y = _TOP + _PLOT_HEIGHT * (1 - min(share, 1))
    return Markup('<line class="target" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
        _LEFT, _WIDTH - _RIGHT, y, y
    )


def _labels(points: Sequence[Point], step: float) -> list[Markup]:
    every = -(-len(points) // _MOST_LABELS) or 1
    return [
        Markup('<text class="axis" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            _LEFT + step * (index + 0.5), _HEIGHT - 4, point.label
        )
        for index, point in enumerate(points)
        if (len(points) - 1 - index) % every == 0
    ]


def _title(words: str) -> Markup:
    return Markup("<title>{}</title>").format(words)


def _linked(shape: Markup, point: Point) -> Markup:
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(point.link, point.words, shape) if point.link else shape


def _svg(content: Markup, title: str) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" role="group" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, escape(title), content
    )
