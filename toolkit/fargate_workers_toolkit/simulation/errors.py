"""What cannot be simulated, told in one sentence."""


class SimulationError(ValueError):
    """A template, a load or a wish that the simulator refuses."""
