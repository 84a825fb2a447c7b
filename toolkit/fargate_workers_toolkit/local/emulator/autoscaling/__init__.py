"""Application Auto Scaling in the emulator."""
