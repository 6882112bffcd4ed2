"""How readings are shown, as plain numbers."""
