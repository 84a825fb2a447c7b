"""CloudWatch in the emulator."""
