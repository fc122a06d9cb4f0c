# The part of the remote wrapper that outlives the connection: leader of its own session.
# Arguments: the job's directory and the two above it.  The command comes in the environment, which
# only this user and root can read, and is taken out of it at once.
umask 077
job=$1 keyed=$2 jobs=$3
payload=$DR_JOB_PAYLOAD
unset DR_JOB_PAYLOAD

mkdir "$job/claim" 2>/dev/null || exit 0
read -r line <"/proc/$$/stat"
set -- ${line##*) }
read -r boot </proc/sys/kernel/random/boot_id
if ! printf 'pid %s\nstart %s\nboot %s\n' "$$" "${20}" "$boot" >"$job/process" ||
  ! mkfifo "$job/out" "$job/err" ||
  ! sync "$job/about" "$job/process" "$job" "$keyed" "$jobs"; then
  : >"$job/void"
  exit 0
fi

# Keeps the first MiB and the last 64 KiB, reads the rest away: a command is never held up or
# killed because nobody wants its output, and the disk is not filled with it.  Unbuffered, so that
# the engine can follow.
unbuffered=
command -v stdbuf >/dev/null && unbuffered='stdbuf -o0'
keep() {
  trap '' TERM INT HUP
  $unbuffered head -c 1048576
  exec tail -c 65536 >"$1"
}
keep "$job/stdout.tail" <"$job/out" >"$job/stdout" &
out=$!
keep "$job/stderr.tail" <"$job/err" >"$job/stderr" &
err=$!
input=/dev/null
[ ! -e "$job/stdin" ] || input=$job/stdin
exec 3<"$input"
rm -f "$job/stdin"
trap : TERM
(
  umask 022
  eval "$payload"
) <&3 3<&- >"$job/out" 2>"$job/err"
code=$?
exec 3<&-

# A daemon that the command left behind may hold the pipes for years: wait a second at most.
trap : USR1
(
  sleep 1
  kill -USR1 $$
) &
timer=$!
wait "$out" "$err"
kill "$timer" 2>/dev/null
rm -f "$job/out" "$job/err"
printf '%s\n' "$code" >"$job/exit"
