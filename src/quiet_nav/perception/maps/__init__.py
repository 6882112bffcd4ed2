"""The near-wall map: readings placed on the floor, kept as files."""
