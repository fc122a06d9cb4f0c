# Fences a host: the service's PostgreSQL is ended, its address taken away, and a mark left that
# keeps both from coming back at boot.
# In:  DR_MARK (path of the mark), DR_MARK_TEXT, DR_DATA_DIR, DR_ADDRESS (may be empty),
#      DR_ADDRESS_FILE, DR_PATIENCE_S
# Out: what was done, one sentence a line.  Exit 10: processes remain.  11: no mark.  12: the
#      address is still there.
set -u
export LC_ALL=C

# The mark comes first: a host that reboots half-way must not come back as a primary.
mkdir -p -- "$(dirname -- "$DR_MARK")" &&
  printf '%s\n' "$DR_MARK_TEXT" >"$DR_MARK.new" &&
  mv -f -- "$DR_MARK.new" "$DR_MARK" &&
  sync -f "$(dirname -- "$DR_MARK")" || { echo "the fence mark could not be written"; exit 11; }
echo "wrote the fence mark $DR_MARK"

# The address goes before the processes: no client may find a server that is about to end.
held=0
if [ -n "$DR_ADDRESS" ]; then
  if [ -e "$DR_ADDRESS_FILE" ]; then
    awk -v ip="$DR_ADDRESS" '{
      for (i = 1; i <= NF; i++) if ($i == ip || index($i, ip "/") == 1) next
      print }' "$DR_ADDRESS_FILE" >"$DR_ADDRESS_FILE.new" &&
      cat "$DR_ADDRESS_FILE.new" >"$DR_ADDRESS_FILE" && rm -f "$DR_ADDRESS_FILE.new" &&
      sync "$DR_ADDRESS_FILE"
  fi
  ip -o address show | awk -v ip="$DR_ADDRESS" 'index($4, ip "/") == 1 {print $2, $4}' |
    while read -r link address; do
      ip address delete "$address" dev "$link" && echo "took $address from $link"
    done
  ip -o address show | grep -qF " $DR_ADDRESS/" && held=1
fi

# Signals by process id: pg_ctl reads the data directory, and that may be what is dead.  Another
# cluster on this host keeps its postmaster (-D elsewhere) and its children.
ours() {
  ps -eo pid=,ppid=,stat=,comm=,args= | awk -v data="$DR_DATA_DIR" '
    $4 != "postgres" && $4 != "postmaster" { next }
    $3 ~ /^Z/ { next }
    { pid[NR] = $1; parent[NR] = $2; state[NR] = $3
      for (i = 5; i < NF; i++) if ($i == "-D" && $(i + 1) != data) other[$1] = 1 }
    END { for (n in pid) if (!(pid[n] in other) && !(parent[n] in other)) print pid[n], state[n] }'
}
end_with() { # SIGNAL SECONDS
  ours | while read -r pid _; do kill -s "$1" "$pid" 2>/dev/null; done
  tenths=$(($2 * 10))
  while [ "$tenths" -gt 0 ] && [ -n "$(ours)" ]; do sleep 0.1; tenths=$((tenths - 1)); done
}
if [ -n "$(ours)" ]; then
  end_with QUIT "$DR_PATIENCE_S"
  [ -z "$(ours)" ] || end_with KILL "$DR_PATIENCE_S"
  if [ -n "$(ours)" ]; then
    echo "these processes remain (pid, state): $(ours | tr '\n' ';')"
    exit 10
  fi
  echo "ended PostgreSQL on $DR_DATA_DIR"
else
  echo "no PostgreSQL was running on $DR_DATA_DIR"
fi
[ "$held" = 0 ] || { echo "the address $DR_ADDRESS is still on this host"; exit 12; }
