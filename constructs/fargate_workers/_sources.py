"""Where the source of our Lambda functions is: beside the library in a checkout, inside it in an installed wheel."""

from pathlib import Path


def source_dir(name: str) -> Path:
    """The folder `name`; raises ValueError when neither place has it."""
    here = Path(__file__).parent
    for place in (here / name, here.parents[1] / name):
        if place.is_dir():
            return place
    raise ValueError(f"The folder {name!r} of fargate-workers is missing from {here}; install the package again.")
