"""The search for the cheapest policy that keeps an SLO."""
