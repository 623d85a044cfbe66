"""What the settings of a training did to its rows, in words for the model card."""

from collections.abc import Iterator

from skillmill.train.rows.config import LOSS, Markers, Part, Phase, RowsConfig


def row_facts(settings: RowsConfig) -> list[tuple[str, str]]:
    """Return (name, value) of each setting of the rows that is not the default, with the values of its parts."""
    return list(_facts(settings))


def _facts(settings: RowsConfig) -> Iterator[tuple[str, str]]:
    for part in settings.mixture or ():
        if measure := _measure(part):
            yield f"mixture, {part.name}", measure
    for number, phase in enumerate(settings.phases or (), start=1):
        yield f"phase {number}", _phase(phase)
    if settings.order is not None:
        value = "loss of the student before the training" if settings.order == LOSS else f"value of {settings.order}"
        within = ", within each phase" if settings.phases else ""
        yield "order", f"from the smallest {value} to the largest{within}"
    if settings.markers is not None:
        yield "markers after prompts", _markers(settings.markers)
    if settings.response_only:
        yield "prompts", "the turns of the user are empty (response_only)"
    if not settings.thinking:
        yield "reasoning", "not learnt (thinking: false)"
    if settings.streaming:
        yield "streaming", "tokens are made when the training comes to a row"


def _phase(phase: Phase) -> str:
    sets = ", ".join(f"{part.name}{_in_brackets(_measure(part))}" for part in phase.parts)
    epochs = "1 epoch" if phase.epochs == 1 else f"{phase.epochs} epochs"
    again = f", with {phase.rehearsal:g} of the rows of earlier phases (rehearsal)" if phase.rehearsal else ""
    return f"{sets}; {epochs}{again}"


def _measure(part: Part) -> str:
    if part.share is not None:
        return f"share {part.share:g}"
    return "" if part.rows is None else f"{part.rows} rows"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _markers(markers: Markers) -> str:
    columns = ", ".join(markers.columns)
    return f"{columns}; on {markers.rows:g} of the rows, each left out of {markers.dropout:g} of them (dropout)"
