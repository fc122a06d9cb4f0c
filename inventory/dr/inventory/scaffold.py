"""``dr init``: a new workspace, with comments that say what to put where."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from dr.engine.core.errors import UserError

_DR = """\
# What dr reads first.  'dr inventory check' tells everything that is wrong, in all files at once.
format: 1
bureau: { en: My City Bureau of Natural Resources, zh: 我市自然资源局 }
default_environment: production
environments:
  # kind: lab | staging | production.  Production asks more before it acts.
  production: { kind: production, inventory: inventory/production }
  # staging: { kind: staging, inventory: inventory/staging }
runbooks: [runbooks]        # searched before the runbooks that come with dr
state: .dr                  # journal, logs and reports; back it up
# mail: { host: 192.0.2.25, port: 25, from: dr@bureau.example }
ssh:                        # for hosts that say nothing else
  user: root
  # identity: keys/engine_ed25519
  # known_hosts: keys/known_hosts
  connect_timeout: 5s
# approvals: { namespace: bureau.example }    # what signatures are made for
"""

_HOSTS = """\
# An ordinary Ansible inventory; any other form that ansible-inventory reads may stand here too
# (hosts.ini, or an executable hosts.py).  dr_site, dr_title and dr_jump are dr's own variables.
all:
  children:
    databases:
      hosts:
        db-a: { ansible_host: 192.0.2.11, dr_site: main, dr_title: Primary database }
        db-b: { ansible_host: 192.0.2.12, dr_site: main, dr_title: Hot standby }
        spare: { ansible_host: 192.0.2.13, dr_site: main, dr_title: Spare storage }
    backup_hosts:
      hosts:
        backup: { ansible_host: 192.0.2.21, dr_site: main, dr_title: Backup repository }
"""

_SERVICES = """\
format: 1
services:
  registry:
    title: { en: Real-estate registration, zh: 不动产登记 }
    rto: 4h                             # back within
    rpo: 15m                            # losing at most
    address: { ip: 192.0.2.100, prefix: 24, interface: eth0, name: registry-db }
    members: [db-a, db-b]               # where to look: who is primary is observed, never declared
    spare_storage: spare                # an empty host for a restored database
    database:
      engine: postgresql
      name: registry
      port: 5432
      bin_dir: /usr/lib/postgresql/15/bin
      data_dir: /var/lib/postgresql/15/main
      # env:NAME, file:PATH (mode 0600), cred:NAME (systemd) or exec:["program", "argument"]
      reader: { user: dr_reader, password: { secret: "env:DR_READER_PASSWORD" } }
      writer: { user: app, password: { secret: "env:DR_APP_PASSWORD" } }
      application_users: [app]
    # business: SQL of the stages of reopening, sequences, holds; see docs/reference/inventory.md
"""

_PEOPLE = """\
# Who acts.  Every key post has a deputy; every approver an own key.
format: 1
groups:
  leadership:
    title: { en: Leadership group, zh: 应急领导组 }
    members: [first.leader, second.leader]
  leadership-deputies:
    title: { en: Deputies of the leadership group, zh: 应急领导组副职 }
    members: [first.leader, second.leader]
  execution-group:
    title: { en: Execution group, zh: 应急执行组 }
    members: [first.engineer, second.engineer]
  support:
    title: { en: Support group, zh: 支持保障组 }
    members: [first.engineer, second.engineer]
people:
  first.leader:
    name: { en: First Leader, zh: 组长甲 }
    phone: "+86-10-5550-0101"
    email: first.leader@bureau.example
    deputy: second.leader
    keys: []                            # the line of ~/.ssh/id_ed25519.pub, in quotes
    verified_on: TODAY                  # when somebody last rang this number
  second.leader:
    name: { en: Second Leader, zh: 组长乙 }
    phone: "+86-10-5550-0102"
    deputy: first.leader
    keys: []
    verified_on: TODAY
  first.engineer:
    name: { en: First Engineer, zh: 工程师甲 }
    phone: "+86-10-5550-0201"
    deputy: second.engineer
    keys: []
    verified_on: TODAY
  second.engineer:
    name: { en: Second Engineer, zh: 工程师乙 }
    phone: "+86-10-5550-0202"
    deputy: first.engineer
    keys: []
    verified_on: TODAY
"""

_SUPPLIERS = """\
format: 1
suppliers:
  storage-maker:
    title: { en: The storage maker, zh: 存储厂商 }
    items:
      # mode: borrow | rent | buy
      - { kind: storage, model: "", mode: borrow, response: 4h, delivery: 24h }
    contacts:
      - { name: { en: Duty desk, zh: 值班台 }, phone: "+86-10-5550-0901" }
    contract_until: NEXT_YEAR
    verified_on: TODAY
"""

_BRANCHES = """\
format: 1
branches: {}
#  branch-01:
#    title: { en: First branch, zh: 一分局 }
#    host: branch-01                    # a host of hosts.yaml, when dr can read its ledger
#    phone: "+86-10-5550-1001"
#    ledger: { kind: csv, path: /var/lib/registry/ledger.csv, columns: { receipt: receipt_no } }
"""

_LEDGERS = """\
# What one record of the business is, and how each type of branch writes it.  `dr schema ledgers`
# has every key.
format: 1
records:
  registration:
    # all records, one row each, with a column `branch`; it is only read
    query: |
      SELECT r.branch, r.receipt_no AS receipt, r.parcel_no AS parcel, r.holder, r.amount,
             r.serial, r.accepted_at FROM registration AS r
    columns:
      receipt: { kind: code }
      parcel: { kind: code, severity: critical }
      holder: { kind: owners, severity: critical }
      amount: { kind: number, scale: 2 }
      serial: { kind: code }
      accepted_at: { kind: moment }
    key: receipt
    moment: accepted_at
    serial: serial
    amount: amount
    # an equal key counts when two of these are equal too
    agree: [parcel, holder, amount, serial]
    # the same business under another number
    same: [parcel, holder, amount]
types:
  office:
    title: { en: Office with a ledger, zh: 有台账的网点 }
    record: registration
    source: csv
    zone: "+08:00"
    # our word: the header in their file
    columns:
      receipt: 受理号
      parcel: 不动产单元号
      holder: 权利人
      amount: 金额
      serial: 证书流水号
      accepted_at: 受理时间
"""

_BACKUPS = """\
format: 1
sets:
  registry-db:
    service: registry
    title: { en: Registration database, zh: 登记数据库 }
    rpo: 15m
    copies:
      - { id: disk, driver: pgbackrest, medium: disk, host: backup, stanza: registry,
          config: /etc/pgbackrest.conf, expect: { fixed: 5s, rate_mb_s: 100 } }
"""

_REVOKED = """\
# Standing authorisations that no longer hold: the name of the file and the reason.
revoked: {}
"""

_IGNORED = ".dr/\nkeys/\n"


def init_workspace(directory: Path, today: date | None = None) -> list[Path]:
    """Write a new workspace; return the files written.  A file that is there stays as it is.

    Raises:
        UserError: there is a workspace already, or the folder can not be written.
    """
    if (directory / "dr.yaml").exists():
        raise UserError(
            f"there is a workspace in {directory} already",
            hint="Type 'dr inventory check' there, or name an empty folder.",
        )
    day = today or date.today()  # noqa: DTZ011 - a day on the calendar of whoever types
    inventory = "inventory/production"
    files = {
        f"{inventory}/hosts.yaml": _HOSTS,
        f"{inventory}/services.yaml": _SERVICES,
        f"{inventory}/people.yaml": _PEOPLE,
        f"{inventory}/suppliers.yaml": _SUPPLIERS,
        f"{inventory}/branches.yaml": _BRANCHES,
        f"{inventory}/ledgers.yaml": _LEDGERS,
        f"{inventory}/backups.yaml": _BACKUPS,
        f"{inventory}/standing/revoked.yaml": _REVOKED,
        "runbooks/README.md": "Your own runbooks; they come before those that ship with dr.\n",
        "playbooks/README.md": "Ansible playbooks that runbooks call.\n",
        ".gitignore": _IGNORED,
        # last: a folder is a workspace once everything else is there
        "dr.yaml": _DR,
    }
    written = []
    next_year = day + timedelta(days=365)
    for name, text in files.items():
        path = directory / name
        filled = text.replace("TODAY", day.isoformat()).replace("NEXT_YEAR", next_year.isoformat())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(filled)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {(error.strerror or '').lower()}",
                hint="Name a folder that you may write to.",
            ) from None
        written.append(path)
    return written
