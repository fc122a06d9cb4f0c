"""Right inputs for every action, for the conformance suite."""

from __future__ import annotations

from typing import Any

from dr.engine.core.values import Secret

TWO = {"en": "a", "zh": "b"}
SECRET = Secret("do-not-show-me", "file:keys/x")

EXAMPLES: dict[str, dict[str, Any]] = {
    "ssh.run": {"argv": ["true"], "env": {"DR_PASSWORD": SECRET}},
    "path.check": {"path": "/var/lib/x", "within": "100ms", "pause": "1ms"},
    "tcp.check": {"address": "127.0.0.1", "port": 1, "within": "200ms"},
    "http.check": {"url": "http://127.0.0.1:1/health", "within": "200ms"},
    "sql.check": {"service": "registry", "query": "SELECT 1", "within": "2s"},
    "wait.until": {
        "check": {"uses": "tcp.check", "with": {"address": "127.0.0.1", "port": 1}},
        "until": {"state": "open"},
        "every": "50ms",
        "within": "100ms",
    },
    "ansible.playbook": {"playbook": "playbooks/none.yml", "extra_vars": {"password": SECRET}},
    "human.task": {
        "group": "support",
        "instructions": TWO,
        "evidence": [{"id": "barcode", "type": "string", "required": True}],
    },
    "business.release": {"service": "registry", "parcels": ["P1"], "keep": ["P2"]},
    "reconcile.close": {
        "service": "registry",
        "compared": {"branch-01": {}},
        "close_when": {"signed_off": "100%", "unexplained": 0, "waivable": "95%"},
        "waiver": {"group": "leadership"},
        "due": "24h",
        "escalate": [{"group": "deputies", "after": "48h"}],
    },
    "gate.approve": {
        "ask": TWO,
        "approvers": {"group": "leadership"},
        "quorum": 1,
        "chooses": "database",
        "decide_within": "30m",
        "on_timeout": {"escalate": [{"group": "deputies", "after": "10m"}], "then": "fail"},
        "standing": "allowed",
        "binds": "plan",
    },
    "postgres.assess": {"service": "registry"},
    "postgres.fence": {"service": "registry"},
    "postgres.promote": {"service": "registry"},
    "postgres.start": {"service": "registry"},
    "address.move": {"service": "registry", "to": "db-b"},
    "business.reopen": {"service": "registry", "stage": "full"},
    "backup.check": {"set": "registry-db"},
    "backup.restore": {"set": "registry-db", "medium": "disk"},
    "reconcile.branches": {"service": "registry", "since": "2026-11-01T00:00:00Z"},
    "report.write": {},
    "notify.send": {"to": {"group": "leadership"}, "subject": TWO, "text": TWO},
}

INVENTORY: dict[str, Any] = {
    "environment": {"name": "lab", "kind": "lab"},
    "hosts": {
        name: {"address": "127.0.0.1", "port": 1, "user": "root", "vars": {}}
        for name in ("db-a", "db-b", "spare", "backup", "branch-01")
    },
    "groups": {},
    "services": {
        "registry": {
            "title": TWO,
            "rto": "4h",
            "rpo": "15m",
            "address": {
                "ip": "127.0.0.1",
                "prefix": 16,
                "interface": "eth0",
                "name": "registry-db",
                "verify_from": "branch-01",
            },
            "members": ["db-a", "db-b"],
            "expected_primary": "db-a",
            "spare_storage": "spare",
            "database": {
                "engine": "postgresql",
                "name": "registry",
                "port": 1,
                "os_user": "postgres",
                "admin_user": "postgres",
                "bin_dir": "/usr/lib/postgresql/15/bin",
                "data_dir": "/var/lib/postgresql/15/main",
                "socket_dir": "/run/postgresql",
                "reader": {"user": "dr_reader", "password": "x"},
                "writer": {"user": "app", "password": "x"},
                "application_users": ["app"],
            },
            "business": {
                "write_check": ["SELECT 1"],
                "stages": {
                    "read_only": ["SELECT 1"],
                    "held": ["SELECT 1"],
                    "full": ["SELECT 1"],
                    "prove_read_only": "SELECT 1",
                },
                "sequences": [],
                "holds": {"table": "parcel_hold", "column": "parcel_no"},
                "ledger": {"query": "SELECT 1"},
            },
        }
    },
    "people": {"chen.wei": {"name": TWO, "email": "chen.wei@lab.example"}},
    "people_groups": {"leadership": {"title": TWO, "members": ["chen.wei"]}},
    "suppliers": {},
    "branches": {
        "branch-01": {
            "title": TWO,
            "host": "branch-01",
            "ledger": {"kind": "csv", "path": "/var/lib/registry/ledger.csv", "columns": {}},
        }
    },
    "backups": {
        "registry-db": {
            "service": "registry",
            "title": TWO,
            "rpo": "15m",
            "copies": [
                {
                    "id": "disk",
                    "driver": "pgbackrest",
                    "medium": "disk",
                    "host": "backup",
                    "stanza": "registry",
                    "config": "/etc/pgbackrest.conf",
                }
            ],
        }
    },
    "ssh": {},
    "mail": {"host": "127.0.0.1", "port": 1, "from": "dr@lab.example"},
}
