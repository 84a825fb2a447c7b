"""EventBridge in the emulator: rules, schedules, their targets."""
