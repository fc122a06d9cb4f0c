"""The way to the hosts: SSH by paramiko, pooled, with host keys checked."""
