"""Sites, hosts, services, people, suppliers and branches, read from the workspace."""
