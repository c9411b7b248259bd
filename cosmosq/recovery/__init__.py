"""What an end without a word leaves behind, and what is done about it."""
