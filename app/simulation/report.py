"""The report of simulated sales: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.simulation.charts import Drawn, chart, swatch
from app.simulation.figures import Figures

STATIC = Path(__file__).parents[2] / "static" / "css"
MOST_SETTINGS = 6  # lines that an eye can tell apart


def html(about: str, made: Sequence[Figures], *, seats: int | None) -> str:
    """`about`: a sentence on the crowd and where it is from."""
    loader = PackageLoader("app.simulation", ".")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.filters |= {"span": span, "count": "{:,}".format, "share": share, "breaks": breaks}
    sheets = [STATIC / f"{name}.css" for name in ("tokens", "categories")]
    styles = (*sheets, Path(__file__).with_name("report.css"))
    pictures = [(title, _safe(svg), note) for title, svg, note in _charts(made)]
    return pages.get_template("report.html").render(
        about=about,
        made=made,
        seats=seats,
        styles=_safe("\n".join(path.read_text("utf-8") for path in styles)),
        swatches=[_safe(swatch(style)) for style in range(len(made))],
        charts=pictures,
    )


def _safe(ours: str) -> Markup:
    """Text made here, of numbers and files of our own; what others named is escaped in it."""
    return Markup(ours)  # noqa: S704


def _charts(made: Sequence[Figures]) -> list[tuple[str, str, str]]:
    """(title, picture, what to see in it)."""
    waiting = [Drawn(f.waiting, n) for n, f in enumerate(made)]
    away = [Drawn(f.away, n, limit=True) for n, f in enumerate(made) if f.went_away]
    waited = [Drawn(f.waited, n) for n, f in enumerate(made)]
    busy = [Drawn(f.busy, n) for n, f in enumerate(made)]
    calls = [Drawn(f.calls, n) for n, f in enumerate(made)]
    caps = [Drawn(f.cap, n, limit=True) for n, f in enumerate(made)]
    paces = [Drawn(f.pace, n, limit=True) for n, f in enumerate(made)]
    charts = [
        (
            "Fans waiting",
            chart("Fans waiting over time", "fans", waiting + away),
            "In the queue at that moment, and there. Thin: away, with their place kept.",
        ),
        (
            "How long fans waited",
            chart("Called fans by wait", "% of the called", waited, time="waited at most"),
            "A line further to the left is a shorter wait. Who was never called is not in it.",
        ),
        (
            "Called and shopping",
            chart("Called and shopping over time", "fans", busy + caps),
            "Thin: the cap. Where a line touches it, the cap binds and the pace is not reached.",
        ),
        (
            "Calls a minute",
            chart("Calls a minute over time", "calls", calls + paces),
            "Thin: the pace. Above it are replacements of calls that lapsed.",
        ),
    ]
    if any(f.sold for f in made):
        sales = [Drawn(f.sales, n) for n, f in enumerate(made)]
        picture = chart("Tickets sold over time", "tickets", sales)
        charts.append(("Tickets sold", picture, "A basket counts when its fan is done."))
    return charts


def span(ms: int | None) -> str:
    """A time in words that fit a column; a dash when it did not come to that."""
    if ms is None:
        return "–"
    minutes = ms / 60_000
    if minutes < 1:
        return f"{ms / 1000:.0f} s"
    if minutes < 10:
        return f"{minutes:.1f} min"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{int(minutes // 60)} h {int(minutes % 60):02} min"


def breaks(name: str) -> Markup:
    """A setting may go on in the next line after a comma."""
    return Markup(",<wbr>").join(name.split(","))


def share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"
