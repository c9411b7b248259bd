"""What cosmosq ships to a GPU box; every file here runs there by itself and imports nothing of cosmosq."""
