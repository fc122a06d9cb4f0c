# Ends every process of a session: TERM, and after five seconds KILL.  Set before this text: session
# started boot.  A session's number is not given away while one of its members lives.
finish() { printf 'dr-job %s\n' "$*"; printf 'dr-job\n' >&2; exit 0; }

members() {
  pids=''
  for each in /proc/[0-9]*; do
    line=''
    read -r line 2>/dev/null <"$each/stat" || continue
    set -- ${line##*) }
    [ "$4" != "$session" ] || [ "$1" = Z ] || pids="$pids ${each#/proc/}"
  done
  [ -n "$pids" ]
}

read -r now </proc/sys/kernel/random/boot_id
[ "$now" = "$boot" ] || finish gone "the host was restarted"
line=''
if read -r line 2>/dev/null <"/proc/$session/stat"; then
  set -- ${line##*) }
  [ "${20}" = "$started" ] || finish gone "its processes are gone and left no exit code"
fi
for signal in TERM KILL; do
  members || finish over
  kill "-$signal" $pids 2>/dev/null
  tries=0
  while [ "$tries" -lt 50 ] && members; do
    tries=$((tries + 1))
    sleep 0.1
  done
done
if members; then finish running; fi
finish over
