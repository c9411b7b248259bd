"""cosmosq: queue, run and compare many Cosmos-Transfer videos."""

__version__ = "0.1.0"
