"""What AWS calculates, as pure functions: no emulator, no clock, no network."""
