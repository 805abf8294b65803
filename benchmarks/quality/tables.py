"""The tables of docs/quality.md, in Markdown, from what a run has recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from benchmarks.quality.beyond import CATEGORIES, COVERAGE, GINI, NOVELTY, TASTES
from benchmarks.quality.cells import markdown
from benchmarks.quality.curve import ACCURACY, SIDES
from benchmarks.quality.listed import LISTED
from benchmarks.quality.periods import SEGMENTS
from benchmarks.quality.questions import DISCOVERY, PURCHASES, SESSION
from benchmarks.quality.recorded import Recorded, Run
from reco_assets.ranking.evaluation import BLEND, FULL

#: The metrics of each public split, the decisive one first.
_METRICS: Final[Mapping[str, Sequence[str]]] = {
    "diginetica": ("P@20", "MRR@20"),
    "amazon_beauty": ("HR@10", "NDCG@10"),
    "ml_1m": ("Recall@10", "NDCG@10", "Recall@20", "NDCG@20"),
}
_TITLES: Final[Mapping[str, str]] = {
    "diginetica": "Diginetica",
    "amazon_beauty": "Amazon Beauty",
    "ml_1m": "MovieLens-1M",
    "rees46": "REES46 fragment",
    "tmall2014": "Tmall 2014",
    "online_retail": "UCI Online Retail",
    "simulated": "A simulated shop of 300,000 events",
}
_QUESTIONS: Final[Mapping[str, str]] = {
    PURCHASES: "next purchases",
    DISCOVERY: "discovery",
    SESSION: "next of the session",
}
_BEYOND: Final[Mapping[str, str]] = {
    COVERAGE: "coverage",
    GINI: "Gini",
    NOVELTY: "novelty, bits",
    CATEGORIES: "category diversity",
    TASTES: "factor diversity",
}
#: Of whom it is told what accuracy does not say.
_COMPARED: Final = (FULL, BLEND, "popularity")


def tables(run: Run) -> str:
    """Everything that the page shows of ``run``, one data set after the other."""
    machine = run.machine
    head = f"Measured on {machine.cpu}, {machine.cores} cores, {machine.memory_gb:.0f} GB, at `{run.commit}`."
    return "\n\n".join([head, *(part for one in run.found for part in _parts(one))])


def _parts(one: Recorded) -> Iterator[str]:
    title = _TITLES.get(one.name, one.name)
    if one.asked:
        yield f"**{title}, split at {one.split}**"
        yield _shop(one)
        yield _costs(one)
        yield _segments(one)
        yield _beyond(one)
        yield from (_curve(curve) for curve in one.curves)
    else:
        yield f"### {title}, {one.costs['questions']:,.0f} questions"
        yield _split(one)
        yield _costs(one)


def _split(one: Recorded) -> str:
    metrics = _METRICS.get(one.name) or _metrics_of(one.rows[FULL])
    lines = {
        f"`{name}`": [*(_interval(row, metric) for metric in metrics), *_times(row, "answer")]
        for name, row in one.rows.items()
        if not _silent(row)
    }
    values = {f"`{name}`": row[metrics[0]] for name, row in one.rows.items()}
    for name, figures in LISTED.get(one.name, {}).items():
        told = f"{name}, listed"
        lines[told] = [*(f"{figures[metric]:.4f}" if metric in figures else "" for metric in metrics), "", ""]
        values[told] = figures[metrics[0]]
    order = sorted(lines, key=lambda name: -values[name])
    head = ["recommender", *metrics, "fit, s", "answer, ms (p99)"]
    return markdown(head, [[name, *lines[name]] for name in order])


def _shop(one: Recorded) -> str:
    questions = [question for question in _QUESTIONS if question in one.asked]
    lines = {}
    for name, row in one.rows.items():
        if _silent(row):
            continue
        scores = [
            f"{row[f'{question}.recall@20']:.3f} ({row[f'{question}.recall@20_low']:.3f} to "
            f"{row[f'{question}.recall@20_high']:.3f}) / {row[f'{question}.ndcg@20']:.3f}"
            if f"{question}.recall@20" in row else "" for question in questions
        ]  # fmt: skip
        lines[f"`{name}`"] = [*scores, *_times(row, f"{questions[0]}.answer")]
    decisive = f"{questions[0]}.recall@20"
    values = {f"`{name}`": row.get(decisive, 0.0) for name, row in one.rows.items()}
    for name, figures in LISTED.get(one.name, {}).items():
        told = f"{name}, listed, not run here"
        scores = [
            f"{figures[f'{question}.recall@20']:.3f} / {figures[f'{question}.ndcg@20']:.3f}"
            if f"{question}.recall@20" in figures else "" for question in questions
        ]  # fmt: skip
        lines[told] = [*scores, "", ""]
        values[told] = figures[decisive]
    head = ["recommender", *(_QUESTIONS[question] for question in questions), "fit, s", "answer, ms (p99)"]
    return markdown(head, [[name, *lines[name]] for name in sorted(lines, key=lambda name: -values[name])])


def _costs(one: Recorded) -> str:
    silent = [f"`{name}`" for name, row in one.rows.items() if _silent(row)]
    said = f"Silent here, with 0: {', '.join(silent)}. " if silent else ""
    costs = one.costs
    return (
        f"{said}`full` ranks by: {one.ranks_by}. Learning everything took {costs['fit_seconds']:,.0f} s and "
        f"at most {costs['fit_peak_rss_mb']:,.0f} MB; answering with every recommender "
        f"{costs['answer_seconds']:,.0f} s and at most {costs['answer_peak_rss_mb']:,.0f} MB."
    )


def _segments(one: Recorded) -> str:
    """Of the full recommender, by how much the shop knew of a person before."""
    row, lines = one.rows[FULL], []
    for question, counts in one.asked.items():
        cells = []
        for segment in SEGMENTS:
            found = row.get(f"{question}.{segment}.recall@20")
            cells.append(
                f"{found:.3f} / {row[f'{question}.{segment}.ndcg@20']:.3f} "
                f"({counts[f'{segment}_questions']:,})"
                if found is not None
                else ""
            )
        lines.append([_QUESTIONS[question], *cells])
    return markdown(["`full`: recall@20 / NDCG@20 (questions)", *SEGMENTS], lines)


def _beyond(one: Recorded) -> str:
    lines = [
        [
            _QUESTIONS[question],
            f"`{name}`",
            *(_known(one.rows[name], f"{question}.{figure}") for figure in _BEYOND),
        ]
        for question in one.asked
        for name in _COMPARED
    ]
    return markdown(["of the first 20", "recommender", *_BEYOND.values()], lines)


def _curve(curve: Mapping[str, object]) -> str:
    """A line a value of the knob."""
    lines = []
    for point in cast("Sequence[Mapping[str, float | None]]", curve["points"]):
        cells = [f"{point['value']:g}"]
        for metric in ACCURACY:
            mean, low, high = (cast("float", point[f"{metric}{end}"]) for end in ("", "_low", "_high"))
            less = [cast("float", point[f"{metric}_minus{end}"]) for end in ("", "_low", "_high")]
            cells.append(f"{mean:.4f} ({low:.4f} to {high:.4f})")
            cells.append(
                "" if point["value"] == curve["default"] else "{:+.4f} ({:+.4f} to {:+.4f})".format(*less)
            )
        for side in SIDES:
            value = point[side]
            cells.append("" if value is None else f"{value:.3f}")
        lines.append([*cells, f"{point['answer_ms']:.2f}"])
    heads = [
        cell
        for metric in ACCURACY
        for cell in (metric.replace("ndcg", "NDCG"), f"less that of {curve['default']:g}")
    ]
    head = [f"`{curve['knob']}`", *heads, *(_BEYOND[side] for side in SIDES), "answer, ms (median)"]
    asked = f"{_QUESTIONS[str(curve['question'])]}, {curve['asked']:,} questions"
    return f"`{curve['knob']}`, {asked}\n\n{markdown(head, lines)}"


def _metrics_of(row: Mapping[str, float]) -> list[str]:
    return [name for name in row if "@" in name and not name.endswith(("_low", "_high"))]


def _silent(row: Mapping[str, float]) -> bool:
    return not any(row[metric] for metric in _metrics_of(row))


def _interval(row: Mapping[str, float], metric: str) -> str:
    return f"{row[metric]:.4f} ({row[f'{metric}_low']:.4f} to {row[f'{metric}_high']:.4f})"


def _times(row: Mapping[str, float], prefix: str) -> list[str]:
    return [f"{row['fit_seconds']:.1f}", f"{row[f'{prefix}_ms']:.2f} ({row[f'{prefix}_p99_ms']:.2f})"]


def _known(row: Mapping[str, float], figure: str) -> str:
    value = row.get(figure)
    return "" if value is None else f"{value:.3f}"
