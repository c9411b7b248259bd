"""One file a revision of the ledger's schema."""
