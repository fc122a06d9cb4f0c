"""Types, states, planner, ports and errors: pure, standard library only."""
