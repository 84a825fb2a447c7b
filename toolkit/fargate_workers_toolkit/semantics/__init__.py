"""What AWS calculates, as pure functions: no clock, no network. The local environment and the simulator share them."""
