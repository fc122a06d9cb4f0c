# Starts the service's PostgreSQL on this host.
# In:  DR_OS_USER, DR_BIN_DIR, DR_DATA_DIR, DR_LOG, DR_WAIT_S, DR_MARK, DR_STANDBY (yes or no)
# Exit 10: the host is fenced.  11: it would come up as a primary, and a standby was wanted.
set -u
export LC_ALL=C
cd /
as_db() {
  if [ "$(id -u)" != 0 ]; then "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$DR_OS_USER" --regid="$(id -g "$DR_OS_USER")" --init-groups --reset-env -- "$@"
  else runuser -u "$DR_OS_USER" -- "$@"; fi
}
[ ! -e "$DR_MARK" ] || { echo "this host carries the fence mark $DR_MARK"; exit 10; }
if [ "$DR_STANDBY" = yes ] && [ ! -e "$DR_DATA_DIR/standby.signal" ]; then
  echo "there is no standby.signal in $DR_DATA_DIR: it would come up as a primary"
  exit 11
fi
if as_db "$DR_BIN_DIR/pg_ctl" status -D "$DR_DATA_DIR" >/dev/null; then
  echo "PostgreSQL was running already"
  exit 0
fi
as_db "$DR_BIN_DIR/pg_ctl" start -D "$DR_DATA_DIR" -w -t "$DR_WAIT_S" -l "$DR_LOG"
