"""Lambda functions in the emulator."""
