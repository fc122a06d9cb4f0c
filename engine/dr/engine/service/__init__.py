"""The use cases that the faces call, and the one place that wires concrete parts."""
