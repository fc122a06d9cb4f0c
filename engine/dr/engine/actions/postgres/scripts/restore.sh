# Restores a backup into an empty data directory and brings the server up, writing.
# In:  DR_OS_USER, DR_BIN_DIR, DR_DATA_DIR, DR_SOCKET_DIR, DR_PORT, DR_ADMIN_USER, DR_SYSTEM_ID, DR_LOG,
#      DR_MARK, DR_NEED_KB, DR_WAIT_S, DR_RESTORE (the command, quoted), DR_SETTINGS (quoted -c options)
# Exit 10: the target is not empty or runs.  11: too little space.  12: pgbackrest failed.  13: the
#      server did not start.  14: it did not end its recovery.  15: another cluster came out.
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

# Never over anything: no --delta, no --force, and a look of our own besides the tool's.
[ ! -e "$DR_MARK" ] || { echo "this host carries the fence mark $DR_MARK"; exit 10; }
if [ -e "$DR_DATA_DIR" ] && [ -n "$(ls -A "$DR_DATA_DIR")" ]; then
  echo "$DR_DATA_DIR is not empty"
  exit 10
fi
if ps -eo comm=,args= | awk -v data="$DR_DATA_DIR" '
  ($1 == "postgres" || $1 == "postmaster") {
    for (i = 2; i < NF; i++) if ($i == "-D" && $(i + 1) == data) found = 1 }
  END { exit !found }'; then
  echo "PostgreSQL runs on $DR_DATA_DIR"
  exit 10
fi
if [ ! -e "$DR_DATA_DIR" ]; then
  mkdir -p -- "$DR_DATA_DIR" && chmod 700 "$DR_DATA_DIR" || exit 10
  [ "$(id -u)" != 0 ] || chown "$DR_OS_USER:" "$DR_DATA_DIR"
fi
free=$(df -Pk -- "$DR_DATA_DIR" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$DR_NEED_KB" ] || { echo "$free KB are free, $DR_NEED_KB are needed"; exit 11; }

eval "as_db $DR_RESTORE" || exit 12

# Settings on the command line beat every file that came out of the backup.
as_db "$DR_BIN_DIR/pg_ctl" start -D "$DR_DATA_DIR" -w -t "$DR_WAIT_S" -l "$DR_LOG" \
  -o "$DR_SETTINGS" || { tail -n 20 "$DR_LOG"; exit 13; }
end=$(($(date +%s) + DR_WAIT_S))
until [ "$(ask 'SELECT NOT pg_is_in_recovery()')" = t ]; do
  as_db "$DR_BIN_DIR/pg_ctl" status -D "$DR_DATA_DIR" >/dev/null ||
    { tail -n 20 "$DR_LOG"; exit 13; }
  [ "$(date +%s)" -lt "$end" ] || { tail -n 20 "$DR_LOG"; exit 14; }
  sleep 0.2
done
found=$(ask 'SELECT system_identifier FROM pg_control_system()')
[ "$found" = "$DR_SYSTEM_ID" ] || { echo "cluster $found came out, not $DR_SYSTEM_ID"; exit 15; }
echo "the server writes on timeline $(ask 'SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)')"
