"""Whole nights in which everything that can go wrong does, from a seed."""
