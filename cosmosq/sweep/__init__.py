"""Sweeps: how parameters vary, what is drawn from that, and in which order. No ledger, no clock, no printing."""
