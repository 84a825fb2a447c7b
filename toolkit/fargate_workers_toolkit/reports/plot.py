"""A plot of what a simulation found, as a picture that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.reports.picture import Picture, pictures
from fargate_workers_toolkit.reports.plot_as_svg import plot_as_svg
from fargate_workers_toolkit.reports.study import Study


def plot(studies: Sequence[Study], *, suffix: str) -> bytes:
    """The plot of one study, or of several side by side on the same scales.

    Args:
        studies: The studies, at least one.
        suffix: The kind of file: ".png" or ".svg".

    Raises:
        SimulationError: The suffix is another one, or matplotlib, which a PNG needs, is not installed.
    """
    kinds: Mapping[str, Callable[[Sequence[Picture]], bytes]] = {".png": _png, ".svg": plot_as_svg}
    draw = kinds.get(suffix.lower())
    if draw is None:
        raise SimulationError(f"A plot is a .png or a .svg file, not a {suffix or 'file without a suffix'}.")
    return draw(pictures(studies))


def _png(drawn: Sequence[Picture]) -> bytes:
    # Only who wants a PNG needs matplotlib.
    try:
        from fargate_workers_toolkit.reports.plot_as_png import plot_as_png  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SimulationError(
            f"A plot as PNG needs {error.name}: install fargate-workers[plot], or ask for a .svg, which needs nothing."
        ) from None
    return plot_as_png(drawn)
