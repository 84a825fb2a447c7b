"""What is sent to a queue, second by second."""
