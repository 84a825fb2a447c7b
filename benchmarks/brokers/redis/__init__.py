"""Redis streams and lists: messages a second and memory, of our worker, of peers, and of a loop without any worker."""
