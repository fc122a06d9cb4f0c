# Puts the service address on this host, at once and for the next boot, or takes it away.
# In:  DR_ADDRESS, DR_PREFIX, DR_INTERFACE, DR_ADDRESS_FILE, DR_DO (add or remove)
# Exit 10: somebody else on the network answers for the address.  11: it could not be put on.
set -u
export LC_ALL=C
has() { ip -o address show | grep -qF " $DR_ADDRESS/"; }
without() {
  [ -e "$DR_ADDRESS_FILE" ] || return 0
  awk -v ip="$DR_ADDRESS" '{
    for (i = 1; i <= NF; i++) if ($i == ip || index($i, ip "/") == 1) next
    print }' "$DR_ADDRESS_FILE"
}
kept=$(without)
{
  [ -z "$kept" ] || printf '%s\n' "$kept"
  [ "$DR_DO" != add ] || printf '%s/%s %s\n' "$DR_ADDRESS" "$DR_PREFIX" "$DR_INTERFACE"
} >"$DR_ADDRESS_FILE.new"

if [ "$DR_DO" = remove ]; then
  cat "$DR_ADDRESS_FILE.new" >"$DR_ADDRESS_FILE" && rm -f "$DR_ADDRESS_FILE.new"
  sync "$DR_ADDRESS_FILE"
  if has; then ip address delete "$DR_ADDRESS/$DR_PREFIX" dev "$DR_INTERFACE"; fi
  if has; then exit 11; fi
  exit 0
fi
if ! has; then
  # duplicate address detection: two hosts with one address would tear the business apart
  # (an answer comes within a round trip, and ends arping at once; only silence has to be waited for)
  if command -v arping >/dev/null; then
    timeout 0.7 arping -q -D -c 1 -I "$DR_INTERFACE" "$DR_ADDRESS"
    if [ $? = 1 ]; then
      rm -f "$DR_ADDRESS_FILE.new"
      echo "another host on the network answers for $DR_ADDRESS"
      exit 10
    fi
  fi
  ip address add "$DR_ADDRESS/$DR_PREFIX" dev "$DR_INTERFACE"
fi
has || { rm -f "$DR_ADDRESS_FILE.new"; echo "the address could not be put on"; exit 11; }
cat "$DR_ADDRESS_FILE.new" >"$DR_ADDRESS_FILE" && rm -f "$DR_ADDRESS_FILE.new"
sync "$DR_ADDRESS_FILE"
# Without this the neighbours keep sending to the old host until their tables age: 28 s were measured.
# In the background: arping waits a second for each packet.
if command -v arping >/dev/null; then
  (for kind in -U -A; do
    arping -q $kind -c 3 -I "$DR_INTERFACE" -s "$DR_ADDRESS" "$DR_ADDRESS" </dev/null >/dev/null 2>&1
  done) &
fi
echo "$DR_ADDRESS/$DR_PREFIX is on $DR_INTERFACE"
