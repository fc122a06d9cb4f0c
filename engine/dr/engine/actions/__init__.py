"""What a step can do to the world, each action behind one contract."""
