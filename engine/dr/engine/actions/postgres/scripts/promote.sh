# Promotes a standby and gives the remaining standbys their replication slots.
# In:  DR_OS_USER, DR_BIN_DIR, DR_DATA_DIR, DR_SOCKET_DIR, DR_PORT, DR_ADMIN_USER, DR_SYSTEM_ID,
#      DR_SLOTS (names, separated by blanks), DR_WAIT_S
# Exit 10: not the expected cluster.  11: not in recovery.  12: received log was not replayed in
#      time.  13: pg_ctl failed.  14: it did not become writable.
set -u
export LC_ALL=C
cd /
as_db() {
  if [ "$(id -u)" != 0 ]; then "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$DR_OS_USER" --regid="$(id -g "$DR_OS_USER")" --init-groups --reset-env -- "$@"
  else runuser -u "$DR_OS_USER" -- "$@"; fi
}
ask() {
  as_db env PGCONNECT_TIMEOUT=5 "$DR_BIN_DIR/psql" -XAtq -v ON_ERROR_STOP=1 -h "$DR_SOCKET_DIR" \
    -p "$DR_PORT" -U "$DR_ADMIN_USER" -d postgres -c "$1"
}
until_true() { # QUERY: asks ten times a second until it answers t or the time is over
  end=$(($(date +%s) + DR_WAIT_S))
  while [ "$(ask "$1")" != t ]; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# The last look, in the same breath as the act.
[ "$(ask 'SELECT system_identifier FROM pg_control_system()')" = "$DR_SYSTEM_ID" ] ||
  { echo "this is not the cluster $DR_SYSTEM_ID"; exit 10; }
[ "$(ask 'SELECT pg_is_in_recovery()')" = t ] || { echo "this server is not in recovery"; exit 11; }
# The last record received may be torn, and then replay stops short of what was received for ever:
# caught up means equal, or standing still for two seconds.  (Promotion itself replays the rest.)
still=0
before=
end=$(($(date +%s) + DR_WAIT_S))
while [ "$still" -lt 20 ]; do
  now=$(ask "SELECT CASE WHEN pg_last_wal_receive_lsn() IS NULL
    OR pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() THEN 'level'
    ELSE pg_last_wal_replay_lsn()::text END")
  [ "$now" != level ] || break
  if [ "$now" = "$before" ]; then still=$((still + 1)); else still=0; fi
  before=$now
  [ "$(date +%s)" -lt "$end" ] ||
    { echo "what was received has not been replayed within $DR_WAIT_S s"; exit 12; }
  sleep 0.1
done
echo "replayed to $(ask 'SELECT pg_last_wal_replay_lsn()')"

as_db "$DR_BIN_DIR/pg_ctl" promote -D "$DR_DATA_DIR" -w -t "$DR_WAIT_S" || exit 13
until_true 'SELECT NOT pg_is_in_recovery()' || { echo "it is still in recovery"; exit 14; }
echo "promoted"

# PostgreSQL before 17 does not carry slots over: without them the other standbys stand still.
for slot in $DR_SLOTS; do
  ask "SELECT pg_create_physical_replication_slot('$slot', true) WHERE NOT EXISTS
    (SELECT FROM pg_replication_slots WHERE slot_name = '$slot')" >/dev/null &&
    echo "slot $slot is there" || echo "slot $slot could not be made"
done
exit 0
