"""What the simulator and the scaling by latency promise."""
