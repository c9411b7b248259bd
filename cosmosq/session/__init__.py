"""The story of a session and its attempts on a host."""
