"""ECS in the emulator."""
