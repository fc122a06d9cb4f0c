"""The lab's workspace: an ordinary one, whose files could stand in a bureau unchanged."""

from __future__ import annotations

import shutil
import textwrap
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from dr.lab import blocks, business
from dr.lab.enter import CONTROL
from dr.lab.keys import public_key
from dr.lab.office import LEDGER
from dr.lab.people import GROUPS, HEADS, PEOPLE, Person
from dr.lab.plan import LabPlan
from dr.lab.postgres import DATABASE, PGBACKREST_CONF, PORT, SOCKET_DIR, STANZA
from dr.lab.topology import PREFIX, Cluster, Topology

MAIL_PORT = 25
SERIAL_BLOCKS = "serial-blocks.csv"
"""The bureau's register of numbered forms, beside branches.yaml."""


SECOND = "control-dr"
"""The control host of the DR centre; it has a copy of the workspace."""


def workspace_folder(directory: Path, host: str = CONTROL) -> Path:
    """Return where the workspace of the lab in ``directory`` lies, or the copy on ``host``."""
    return directory / ("workspace" if host == CONTROL else f"workspace-{host}")


def key_files(directory: Path) -> dict[Path, str]:
    """List the key pairs that the workspace needs, with their comments."""
    keys = workspace_folder(directory) / "keys"
    wanted = {keys / "engine_ed25519": "dr-engine"}
    wanted.update({keys / "people" / person.id: person.id for person in PEOPLE})
    return wanted


def write_workspace(plan: LabPlan, known_hosts: str) -> None:
    """Write the workspace; its keys exist already."""
    folder = workspace_folder(plan.directory)
    today = datetime.now(UTC).date()
    files = {
        "dr.yaml": workspace_file(plan),
        "keys/known_hosts": known_hosts,
        "playbooks/ping.yaml": _PLAYBOOK,
        "runbooks/.keep": "",
    }
    for name, password in plan.passwords.items():
        files[f"keys/{name}.password"] = password
    keys = {person.id: public_key(folder / "keys/people" / person.id) for person in PEOPLE}
    for environment in environments(plan.topology):
        at = f"inventory/{environment}"
        files[f"{at}/hosts.yaml"] = hosts_file(plan, environment)
        files[f"{at}/people.yaml"] = people_file(keys, today)
        files[f"{at}/suppliers.yaml"] = suppliers_file(today)
        files[f"{at}/branches.yaml"] = branches_file(plan.topology, environment)
        files[f"{at}/ledgers.yaml"] = ledgers_file()
        if environment == "lab":
            names = [branch.name for branch in plan.topology.branches]
            before = plan.options.rows * 20 // 100
            files[f"{at}/{SERIAL_BLOCKS}"] = blocks.register(names, before, today)
        clusters = [one for one in plan.topology.clusters if one.environment == environment]
        files[f"{at}/services.yaml"] = services_file(plan, clusters)
        files[f"{at}/backups.yaml"] = backups_file(clusters)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600 if name.endswith(".password") else 0o644)
        path.write_text(text, encoding="utf-8")
    if any(host.name == SECOND for host in plan.topology.hosts):
        _copy_to_second(plan)


def _copy_to_second(plan: LabPlan) -> None:
    copy = workspace_folder(plan.directory, SECOND)
    shutil.copytree(workspace_folder(plan.directory), copy)
    (copy / "dr.yaml").write_text(workspace_file(plan, SECOND), encoding="utf-8")


def environments(topology: Topology) -> list[str]:
    """List the environments that the topology has; ``lab`` always."""
    return ["lab", *(one.environment for one in topology.clusters if one.environment != "lab")]


def workspace_file(plan: LabPlan, host: str = CONTROL) -> str:
    """Return dr.yaml of the workspace on ``host``."""
    lines = "".join(
        f"  {name}: {{ kind: {name}, inventory: inventory/{name} }}\n"
        for name in environments(plan.topology)
    )
    control = plan.topology.host(CONTROL)
    stands = "" if host == CONTROL else f", host: {host}"
    return f"""\
# The workspace of a practice lab.  A bureau's own has the same files without the entry 'lab'.
format: 1
bureau: {{ en: Lab City Bureau of Natural Resources, zh: 实验市自然资源局 }}
default_environment: lab
environments:
{lines}lab: {{ directory: "{plan.directory}"{stands} }}
runbooks: [runbooks]
state: .dr
mail: {{ host: {control.address}, port: {MAIL_PORT}, from: dr@lab.example }}
ssh:
  user: {plan.accounts.login}
  identity: keys/engine_ed25519
  known_hosts: keys/known_hosts
  connect_timeout: 5s
"""


def hosts_file(plan: LabPlan, environment: str) -> str:
    """Return the Ansible inventory, hosts grouped by site."""
    keys = "../../keys"
    lines = [
        "# An ordinary Ansible inventory: 'ansible-playbook -i hosts.yaml' takes it as it is.",
        "all:",
        "  vars:",
        f"    ansible_user: {plan.accounts.login}",
        "    ansible_python_interpreter: /usr/bin/python3",
        f'    ansible_ssh_private_key_file: "{{{{ inventory_dir }}}}/{keys}/engine_ed25519"',
        "    ansible_ssh_common_args: >-",
        f'      -o UserKnownHostsFile="{{{{ inventory_dir }}}}/{keys}/known_hosts"',
        "      -o ConnectTimeout=5",
        "  children:",
    ]
    hosts = plan.topology.in_environment(environment)
    for site in plan.topology.sites:
        there = [host for host in hosts if host.site == site.name]
        if there:
            lines += [f"    site_{site.name}:", "      vars:", f"        dr_site: {site.name}"]
            lines.append("      hosts:")
        for host in there:
            lines.append(f"        {host.name}:")
            lines.append(f"          ansible_host: {host.address}")
            title = f"{{ en: '{host.title_en}', zh: '{host.title_zh}' }}"
            lines.append(f"          dr_title: {title}")
    return "\n".join(lines) + "\n"


def _indented(sql: list[str], margin: int) -> str:
    """Return a YAML list of literal blocks."""
    blocks = []
    for statement in sql:
        body = textwrap.indent(statement.strip(), " " * (margin + 4))
        blocks.append(f"{' ' * margin}- |-\n{body}\n")
    return "".join(blocks)


def _block(sql: str, margin: int) -> str:
    return "|-\n" + textwrap.indent(sql.strip(), " " * margin)


def services_file(plan: LabPlan, clusters: list[Cluster]) -> str:
    """Return services.yaml."""
    if not clusters or plan.installation is None:
        return "format: 1\nservices: {}\n"
    cluster = clusters[0]
    branches = plan.topology.branches
    verify_from = branches[0].name if cluster.environment == "lab" and branches else "control"
    dr_centre = "\n    dr_centre: dr-a" if "dr-a" in cluster.members else ""
    return f"""\
format: 1
services:
  registry:
    title: {{ en: Real-estate registration, zh: 不动产登记 }}
    rto: 4h
    rpo: 15m
    address:
      ip: {cluster.address}
      prefix: {PREFIX}
      interface: eth0
      name: {cluster.address_name}
      verify_from: {verify_from}
    # where to look; which of them is the primary is observed, never declared
    members: [{", ".join(cluster.members)}]
    expected_primary: {cluster.primary}
    spare_storage: {cluster.spare}{dr_centre}
    database:
      engine: postgresql
      name: {DATABASE}
      port: {PORT}
      os_user: {plan.accounts.database}
      admin_user: postgres
      bin_dir: {plan.installation.bin_dir}
      data_dir: {plan.installation.data_dir}
      socket_dir: {SOCKET_DIR}
      reader: {{ user: dr_reader, password: {{ secret: "file:keys/dr_reader.password" }} }}
      writer: {{ user: app, password: {{ secret: "file:keys/app.password" }} }}
      application_users: [app]
    business:
      # as the application, on the designated test parcel: no legal record, and one row for ever
      write_check:
{_indented([business.WRITE_CHECK], 8)}\
      stage: {business.STAGE}
      stages:
        read_only:
{_indented(business.READ_ONLY, 10)}\
        held:
{_indented(business.HELD, 10)}\
        full:
{_indented(business.FULL, 10)}\
        prove_read_only: {_block(business.WRITE_CHECK, 10)}
      sequences:
        - name: receipt
          sequence: receipt_seq
          column: registration.receipt_no
          issued: SELECT max(receipt_no) FROM registration
        - name: certificate
          sequence: certificate_seq
          column: certificate.serial
          issued: SELECT max(serial) FROM certificate
          # forms are numbered before they are written on: serial-blocks.csv says whose each is
          from_blocks: true
      holds:
        table: parcel_hold
        column: parcel_no
        reason_column: reason
        held: {_block(business.HELD_PARCELS, 10)}
        release: {_block(business.RELEASE, 10)}
      # what a branch did, in the words of branches.yaml (ledger.columns)
      ledger:
        query: {_block(business.LEDGER, 10)}
"""  # noqa: S608  a file for people, no query


def people_file(keys: dict[str, str], today: date) -> str:
    """Return people.yaml; everybody was reached within the last month."""
    lines = ["format: 1", "groups:"]
    for group in GROUPS:
        title = f"{{ en: {group.title_en}, zh: {group.title_zh} }}"
        lines.append(f"  {group.id}: {{ title: {title}, members: [{', '.join(group.members)}] }}")
    lines.append("people:")
    for person in PEOPLE:
        lines += _person(person, keys[person.id], today - timedelta(days=21))
    return "\n".join(lines) + "\n"


def _person(person: Person, key: str, verified: date) -> list[str]:
    lines = [
        f"  {person.id}:",
        f"    name: {{ en: {person.name_en}, zh: {person.name_zh} }}",
        f'    phone: "{person.phone}"',
        f"    email: {person.id}@lab.example",
    ]
    if person.deputy:
        lines.append(f"    deputy: {person.deputy}")
    lines.append(f'    keys: ["{key}"]')
    lines.append(f"    verified_on: {verified.isoformat()}")
    return lines


def suppliers_file(today: date) -> str:
    """Return suppliers.yaml."""
    until = today.replace(day=1) + timedelta(days=400)
    verified = today - timedelta(days=30)
    return f"""\
format: 1
suppliers:
  storage-maker:
    title: {{ en: Great Wall Storage (maker of the disk array), zh: 长城存储（阵列厂商） }}
    items:
      - {{ kind: storage, model: GW-5500, mode: borrow, response: 4h, delivery: 24h }}
    contacts:
      - name: {{ en: Duty desk, zh: 值班台 }}
        phone: "+86-10-5550-0901"
        email: duty@storage.example
    contract: GW-2026-017
    contract_until: {until.isoformat()}
    verified_on: {verified.isoformat()}
  host-rental:
    title: {{ en: Northern Equipment Rental, zh: 北方设备租赁 }}
    items:
      - {{ kind: host, model: 2-socket server, mode: rent, response: 2h, delivery: 12h }}
      - {{ kind: switch, model: core switch, mode: rent, response: 2h, delivery: 12h }}
    contacts:
      - name: {{ en: Duty desk, zh: 值班台 }}
        phone: "+86-10-5550-0902"
        email: duty@rental.example
    contract: NR-2026-004
    contract_until: {until.isoformat()}
    verified_on: {verified.isoformat()}
"""


def branches_file(topology: Topology, environment: str) -> str:
    """Return branches.yaml."""
    branches = topology.branches if environment == "lab" else ()
    if not branches:
        return "format: 1\nbranches: {}\n"
    lines = ["format: 1", "branches:"]
    for number, branch in enumerate(branches, 1):
        lines += [
            f"  {branch.name}:",
            f"    title: {{ en: {branch.title_en}, zh: {branch.title_zh} }}",
            f"    host: {branch.name}",
            f'    phone: "+86-10-5550-{1000 + number}"',
            f"    responsible: {HEADS[(number - 1) % len(HEADS)]}",
            "    group: clerks",
            "    type: counter",
            "    ledger:",
            "      kind: csv",
            f"      path: {LEDGER}",
            "      # dr's word, also of the query in services.yaml: the header in the file.",
            "      # key: the slip, 21 digits, given by the branch; receipt: by the centre;",
            "      # certificate: the printed number of a form of the branch's own stock, see",
            f"      # {SERIAL_BLOCKS}; at: ISO 8601 with its zone; holder: names joined by 、;",
            "      # amount: yuan with two decimals, empty when there is none; status: accepted,",
            "      # registered, issued or void, empty when the branch does not know.",
            "      columns:",
            *(f"        {word}: {header}" for word, header in business.LEDGER_COLUMNS.items()),
            "      acknowledged: [acknowledged]",
            "      unknown: [unknown]",
            "      failed: [failed]",
        ]
    return "\n".join(lines) + "\n"


def ledgers_file() -> str:
    """Return ledgers.yaml: what a record is, and how the lab's counters write it."""
    columns = [w for w in business.LEDGER_COLUMNS if w not in {"outcome", "branch"}]
    lines = "".join(f"      {word}: {business.LEDGER_COLUMNS[word]}\n" for word in columns)
    return f"""\
format: 1
records:
  registration:
    # all records, one row each, with a column `branch`; it is only read
    query: {_block(business.RECORDS, 6)}
    columns:
      key: {{ kind: code, length: 21 }}
      receipt: {{ kind: code }}
      certificate: {{ kind: code }}
      parcel: {{ kind: code, severity: critical }}
      kind: {{ kind: text }}
      clerk: {{ kind: text, severity: minor }}
      holder: {{ kind: owners, severity: critical }}
      amount: {{ kind: number, scale: 2 }}
      status: {{ kind: text }}
      at: {{ kind: moment }}
    key: key
    receipt: receipt
    moment: at
    serial: certificate
    status: status
    amount: amount
    # an equal slip number counts when two of these are equal too
    agree: [parcel, holder, amount, certificate]
    # the same business under another number
    same: [parcel, holder, amount, kind]
    in_flight: [accepted, registered]
    voided: [void]
types:
  counter:
    title: {{ en: Counter with a ledger, zh: 有台账的登记窗口 }}
    record: registration
    source: csv
    zone: "+08:00"
    branch: branch
    outcome: outcome
    acknowledged: [acknowledged]
    failed: [failed]
    # our word: the header in their file
    columns:
{lines}"""


def backups_file(clusters: list[Cluster]) -> str:
    """Return backups.yaml."""
    if not clusters:
        return "format: 1\nsets: {}\n"
    return f"""\
format: 1
sets:
  registry-db:
    service: registry
    title: {{ en: Registration database, zh: 登记数据库 }}
    rpo: 15m
    copies:
      - id: disk
        driver: pgbackrest
        medium: disk
        host: {clusters[0].backup}
        stanza: {STANZA}
        config: {PGBACKREST_CONF}
        expect: {{ fixed: 5s, rate_mb_s: 100 }}
      - id: tape
        driver: tape
        medium: tape
        unavailable: {{ en: tape restore is not built yet, zh: 磁带恢复尚未实现 }}
"""


_PLAYBOOK = """\
# Reaches every host and changes nothing.
- name: Ping
  hosts: all
  gather_facts: false
  tasks:
    - name: Answer
      ansible.builtin.ping:
"""
