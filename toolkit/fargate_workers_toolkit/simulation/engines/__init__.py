"""Two ways to work messages off: fluid, in parts of messages, and exact, one by one."""
