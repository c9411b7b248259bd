"""Numbers about videos: what a picture is like, and how well it follows what it was made from. Nothing here is stored.

Definitions, sources and examples are in docs/measures.md; a change of a definition counts up the measure's version.
"""
