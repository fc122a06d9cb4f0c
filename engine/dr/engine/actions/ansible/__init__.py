"""``ansible.playbook``: the whole Ansible ecosystem behind one action."""
