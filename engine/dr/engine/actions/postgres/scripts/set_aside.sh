# Takes a restore back: the server is stopped and the data directory renamed, never deleted.
# In:  DR_OS_USER, DR_BIN_DIR, DR_DATA_DIR, DR_ASIDE
set -u
export LC_ALL=C
cd /
as_db() {
  if [ "$(id -u)" != 0 ]; then "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$DR_OS_USER" --regid="$(id -g "$DR_OS_USER")" --init-groups --reset-env -- "$@"
  else runuser -u "$DR_OS_USER" -- "$@"; fi
}
if [ -e "$DR_DATA_DIR/postmaster.pid" ]; then
  as_db "$DR_BIN_DIR/pg_ctl" stop -D "$DR_DATA_DIR" -m fast -w -t 60 || exit 10
fi
if [ -n "$(ls -A "$DR_DATA_DIR" 2>/dev/null)" ]; then
  mv -- "$DR_DATA_DIR" "$DR_ASIDE" || exit 11
  mkdir -- "$DR_DATA_DIR" && chmod 700 "$DR_DATA_DIR"
  [ "$(id -u)" != 0 ] || chown "$DR_OS_USER:" "$DR_DATA_DIR"
  echo "what was restored lies in $DR_ASIDE"
fi
