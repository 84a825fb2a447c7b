"""Services for tests, made without a template: the benchmarks' own."""

from benchmarks.scaling.services import article, fixed, query, tracking

__all__ = ["article", "fixed", "query", "tracking"]
