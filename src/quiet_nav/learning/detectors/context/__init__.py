"""The context detector: network, examples, export."""
