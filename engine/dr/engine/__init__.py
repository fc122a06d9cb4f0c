"""The recovery engine: core, journal, loader, actions, runtime and the services over them."""
