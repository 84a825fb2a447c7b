"""A plot of what a simulation found, as a picture that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.pictures.picture import Picture, pictures
from fargate_workers_toolkit.simulation.pictures.plot_as_svg import plot_as_svg
from fargate_workers_toolkit.simulation.study import Study


def plot(studies: Sequence[Study], *, suffix: str) -> bytes:
    """The plot of one study, or of several beside each other on the same scales. `suffix`: ".png" or ".svg".

    Raises SimulationError for another one, and for a PNG without matplotlib.
    """
    kinds: Mapping[str, Callable[[Sequence[Picture]], bytes]] = {".png": _png, ".svg": plot_as_svg}
    draw = kinds.get(suffix.lower())
    if draw is None:
        raise SimulationError(f"A plot is a .png or a .svg file, not a {suffix or 'file without a suffix'}.")
    return draw(pictures(studies))


def _png(drawn: Sequence[Picture]) -> bytes:
    # Only who wants a PNG needs matplotlib.
    try:
        from fargate_workers_toolkit.simulation.pictures.plot_as_png import plot_as_png  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SimulationError(
            f"A plot as PNG needs {error.name}: install fargate-workers[plot], or ask for a .svg, which needs nothing."
        ) from None
    return plot_as_png(drawn)
