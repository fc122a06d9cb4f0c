#!/usr/bin/env bash
# storage-failure by hand: the same commands on the same hosts, typed by somebody who knows every
# answer beforehand and types without a pause.  No plan, no journal, no approval, no undo, no
# resume, no report but a page of text.  Runs inside the control network of a lab.
#
#     by_hand.sh LABDIR     prints the seconds it took
set -euo pipefail
began=$EPOCHREALTIME

lab=$1
keys=$lab/workspace/keys
scripts=$(dirname "$(readlink -f "$0")")/../engine/dr/engine/actions/postgres/scripts
bin=$(sed -n 's/^ *bin_dir: //p;' "$lab/workspace/inventory/lab/services.yaml" | head -n 1)
data=$(sed -n 's/^ *data_dir: //p;' "$lab/workspace/inventory/lab/services.yaml" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# options and environment of PostgreSQL's scripts, as the runbook's actions give them
database=(DR_OS_USER=postgres "DR_BIN_DIR=$bin" "DR_DATA_DIR=$data" DR_SOCKET_DIR=/run/postgresql
  DR_PORT=5432 DR_ADMIN_USER=postgres DR_DATABASE=registry DR_WRITER=app)
address=(DR_ADDRESS=198.18.1.100 DR_PREFIX=16 DR_INTERFACE=eth0 DR_ADDRESS_FILE=/etc/dr-addresses)

on() { # HOST COMMAND: connections are kept, as dr keeps its own
  ssh -F none -i "$keys/engine_ed25519" -o "UserKnownHostsFile=$keys/known_hosts" \
    -o BatchMode=yes -o ConnectTimeout=5 -o ControlMaster=auto -o "ControlPath=$work/%h" \
    -o ControlPersist=20 "root@$1" "$2"
}
with() { # HOST SCRIPT VARIABLE...: standard input goes to the script
  local host=$1 script=$2
  shift 2
  on "$host" "env $(printf '%q ' "$@") sh -c $(printf %q "$(cat "$scripts/$script.sh")")"
}
sql() { # HOST DATABASE QUERY
  on "$1" "cd / && setpriv --reuid=postgres --regid=postgres --init-groups --reset-env -- \
    $bin/psql -XAtq -v ON_ERROR_STOP=1 -h /run/postgresql -U postgres -d $2" <<<"$3"
}
scan="SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
  SELECT count(*), sum((xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s',
  c.oid::regclass), false, true, '')))[1]::text::bigint)
  FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'"

# -- assess, all at once
(
  for look in 1 2 3; do
    if on db-a "head -c 2 $data/PG_VERSION" >/dev/null 2>&1; then echo "readable" >"$work/alive"; fi
    [ "$look" = 3 ] || sleep 0.5
  done
) &
(sql db-a registry "$scan" || true) >"$work/second" 2>&1 </dev/null &
(sql db-b registry "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(); $scan") >"$work/standby" &
on backup "cd / && setpriv --reuid=postgres --regid=postgres --init-groups --reset-env -- \
  pgbackrest --stanza=registry --output=json info" >"$work/backups" &
sql dr-a registry "SELECT pg_last_wal_replay_lsn()" >"$work/centre" &
wait
[ ! -e "$work/alive" ] || { echo "the storage of db-a can be read" >&2; exit 1; }

# -- isolate
with db-a fence "${database[@]}" "${address[@]}" DR_MARK=/var/lib/dr/fenced/registry \
  "DR_MARK_TEXT=fenced by hand" DR_PATIENCE_S=10 </dev/null

# -- recover
system=$(sql db-b postgres "SELECT system_identifier FROM pg_control_system()")
since=$(sql db-b postgres "SELECT pg_last_xact_replay_timestamp()")
with db-b promote "${database[@]}" "DR_SYSTEM_ID=$system" "DR_SLOTS=dr_a" DR_WAIT_S=60 </dev/null
proof="INSERT INTO registration (receipt_no, branch, slip, clerk, parcel_no, kind, accepted_at)
  VALUES (0, 'control', 'write-proof', 'dr', 'TEST-0000', 'test', clock_timestamp())
  ON CONFLICT (receipt_no) DO UPDATE SET registered_at = clock_timestamp()"
stage() { # STAGE THEN: reads only first, then opens as far as asked
  printf "UPDATE service_state SET stage = 'read_only', changed_at = clock_timestamp();\n%s\n%s\n" \
    "-- dr: then" "$1" | with db-b reopen "${database[@]}" "DR_PROOF=$proof"
}
stage ""
with db-b address "${address[@]}" DR_DO=add </dev/null

# -- prove: what branches acknowledged and the database lacks is held
branches=$(sed -n 's/^ *host: \(branch-[0-9]*\).*/\1/p' "$lab/workspace/inventory/lab/branches.yaml" | sort -u)
collect() {
  for branch in $branches; do
    on "$branch" "cat /var/lib/registry/ledger.csv" >"$work/$branch.csv" &
  done
  wait
}
compare() { # leaves the parcels of cases that only a branch knows
  sql db-b registry "SELECT slip FROM registration WHERE slip IS NOT NULL" | sort >"$work/central"
  cat "$work"/branch-*.csv | awk -F, '$8 == "acknowledged" { print $1 "," $5 }' | sort |
    join -t, -v 1 - "$work/central" >"$work/missing"
}
collect
compare
held=$(cut -d, -f2 "$work/missing" | sort -u | sed "s/.*/('&', 'by hand')/" | paste -sd,)
hold=${held:+"INSERT INTO parcel_hold (parcel_no, reason) VALUES $held;"}
stage "$hold UPDATE service_state SET stage = 'held', changed_at = clock_timestamp();"
PGPASSWORD=$(cat "$keys/app.password") "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h 198.18.1.100 -U app \
  -d registry -c "$proof" >/dev/null
on branch-01 'timeout 3 bash -c "exec 3<>/dev/tcp/198.18.1.100/5432"'
collect
compare

# -- tell, and a page for the file
{
  exec 3<>/dev/tcp/198.18.1.5/25
  read -r _ <&3
  for line in "HELO control" "MAIL FROM:<dr@lab.example>" "RCPT TO:<liu.yang@lab.example>" DATA; do
    printf '%s\r\n' "$line" >&3
    read -r _ <&3
  done
  printf 'Subject: the registration database is back\r\n\r\nsince %s on db-b\r\n.\r\nQUIT\r\n' "$since" >&3
  cat <&3 >/dev/null
}
{
  echo "storage of db-a lost; db-b promoted; data up to $since; missing:"
  cat "$work/missing"
} >"$work/report.txt"

awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "seconds %.3f\n", b - a }'
