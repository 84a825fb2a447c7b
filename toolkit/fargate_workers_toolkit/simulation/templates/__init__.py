"""From a synthesized template to a service that can be simulated."""
