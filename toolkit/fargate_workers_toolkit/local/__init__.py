"""The whole system on one machine: the synthesized stacks, deployed into an embedded AWS on loopback."""
