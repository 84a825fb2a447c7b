"""The embedded AWS: MiniStack in-process, and what a Fargate system needs beyond it. Runs in `.local/venv`."""
