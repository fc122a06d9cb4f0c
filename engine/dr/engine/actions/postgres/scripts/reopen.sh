# Runs the SQL of a stage on the primary, as the superuser over the local socket.
# In:  DR_OS_USER, DR_BIN_DIR, DR_SOCKET_DIR, DR_PORT, DR_ADMIN_USER, DR_DATABASE, DR_WRITER, DR_PROOF (SQL that
#      must fail as DR_WRITER while the service is read-only; may be empty); the SQL comes on
#      standard input: what makes it read-only, a line "-- dr: then", and the rest, which may be empty.
# Exit 10: it is not a primary.  11: making it read-only failed.  12: a write succeeded, although it
#      should be read-only.  13: the proof could not be carried out.  14: opening failed.
set -u
export LC_ALL=C
cd /
as_db() {
  if [ "$(id -u)" != 0 ]; then "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$DR_OS_USER" --regid="$(id -g "$DR_OS_USER")" --init-groups --reset-env -- "$@"
  else runuser -u "$DR_OS_USER" -- "$@"; fi
}
sql() {
  as_db env PGCONNECT_TIMEOUT=5 "$DR_BIN_DIR/psql" -XAtq -v ON_ERROR_STOP=1 -h "$DR_SOCKET_DIR" \
    -p "$DR_PORT" -U "$DR_ADMIN_USER" -d "$DR_DATABASE" "$@"
}
all=$(cat)
first=${all%%-- dr: then*}
rest=${all#*-- dr: then}

[ "$(sql -c 'SELECT pg_is_in_recovery()' </dev/null)" = f ] || { echo "it is not a primary"; exit 10; }
printf '%s\n' "$first" | sql -1 -f - || exit 11

# As the application's role, in a transaction that always ends with a rollback.
if [ -n "$DR_PROOF" ]; then
  said=$(printf 'SET SESSION AUTHORIZATION "%s";\nBEGIN;\nSELECT 1;\n\\echo ready\n%s;\n\\echo wrote\nROLLBACK;\n' \
    "$DR_WRITER" "$DR_PROOF" | sql -v VERBOSITY=verbose -f - 2>&1)
  why=$(printf '%s\n' "$said" | sed -n 's/.*ERROR: *//p' | head -n 1)
  case $said in
    *wrote*) echo "the application can still write"; exit 12 ;;
    *ready*) ;;
    *) echo "the proof could not be carried out: $said"; exit 13 ;;
  esac
  # Refused is not the same as mistaken: a wrong name, a constraint or a full disk proves nothing.
  case $why in
    42501:*) ;;
    42* | 23* | 53* | 57* | 58* | 08* | XX* | '')
      echo "the write failed for another reason: $why"; exit 13 ;;
  esac
  echo "a write as $DR_WRITER was refused: $why"
fi
if [ -n "$(printf '%s' "$rest" | tr -d '[:space:]')" ]; then
  printf '%s\n' "$rest" | sql -1 -f - || exit 14
fi
exit 0
