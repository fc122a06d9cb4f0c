# The part of the remote wrapper that a connection runs; docs/reference/remote-wrapper.md explains it.
# Set before this text: verb root run key number epoch digest payload_bytes stdin_bytes out_from err_from
# user supervisor.  POSIX sh with flock, setsid (util-linux), stat, sync, head, tail (coreutils).
umask 077
jobs=$root/jobs
keyed=$jobs/$key
job=$keyed/$number

# What comes before these marks is noise of the login shell; what follows the last one is output.
say() {
  printf 'dr-job %s\n' "$*"
  [ "$1" = begun ] || printf 'dr-job\n' >&2
}
finish() { say "$@"; exit 0; }

check_root() {
  [ -d "$root" ] || finish refused missing
  case $(stat -f -c %t "$root") in
    1021994 | 858458f6) finish refused volatile ;;  # tmpfs, ramfs
  esac
  [ -w "$root" ] || finish refused not-writable
  for tool in flock setsid; do
    command -v "$tool" >/dev/null || finish refused "tool $tool"
  done
  [ -d "$jobs" ] || mkdir "$jobs" 2>/dev/null || [ -d "$jobs" ] || finish refused not-writable
  [ -d "$root/guard" ] || mkdir "$root/guard" 2>/dev/null || [ -d "$root/guard" ] ||
    finish refused not-writable
}

check_user() {
  [ -z "$user" ] && return
  [ "$(id -un)" = "$user" ] && return
  [ "$(id -u)" = 0 ] || finish refused "user $user"
  id "$user" >/dev/null 2>&1 || finish refused "no-user $user"
}

# Holds the lock (fd 9) when it returns, so that nothing gets between the look and the mkdir.
guard() {
  exec 9>>"$root/guard/$run.lock"
  flock -w 10 9 || finish busy
  seen=0
  if [ -e "$root/guard/$run" ]; then
    read -r seen <"$root/guard/$run" || finish refused guard-damaged
  fi
  case $seen in '' | *[!0-9]*) finish refused guard-damaged ;; esac
  [ "$epoch" -ge "$seen" ] || finish fenced "$seen"
  if [ "$epoch" -gt "$seen" ]; then
    printf '%s\n' "$epoch" >"$root/guard/$run.new" &&
      sync "$root/guard/$run.new" &&
      mv "$root/guard/$run.new" "$root/guard/$run" &&
      sync "$root/guard" || finish refused not-durable
  fi
}

boot_now() { read -r boot </proc/sys/kernel/random/boot_id; }

# The supervisor makes the same directory before it starts anything: one of the two wins.
void() { mkdir "$job/claim" 2>/dev/null && : >"$job/void" && sync "$job/void" "$job" "$keyed" "$jobs"; }

cut() { if [ -s "$job/$1.tail" ]; then printf cut; else printf whole; fi; }

ended() {
  say ended "$1" "$(cut stdout)" "$(cut stderr)"
  cat "$job/stdout"
  cat "$job/stderr" >&2
  [ ! -s "$job/stdout.tail" ] || cat "$job/stdout.tail"
  [ ! -s "$job/stderr.tail" ] || cat "$job/stderr.tail" >&2
  exit 0
}

start() {
  payload=$(head -c "$payload_bytes")
  case $payload in *'# end of payload') ;; *) finish refused cut-short ;; esac
  check_root
  check_user
  guard
  [ -d "$keyed" ] || mkdir "$keyed" 2>/dev/null || finish refused not-writable
  if ! mkdir "$job" 2>/dev/null; then
    [ -d "$job" ] || finish refused not-writable
    finish exists
  fi
  exec 9>&-
  boot_now
  printf 'epoch %s\nboot %s\ndigest %s\n' "$epoch" "$boot" "$digest" >"$job/about" || {
    void
    finish refused not-writable
  }
  if [ "$stdin_bytes" -gt 0 ]; then
    head -c "$stdin_bytes" >"$job/stdin"
    if [ "$(wc -c <"$job/stdin")" -ne "$stdin_bytes" ]; then
      rm -f "$job/stdin"
      void
      finish refused cut-short
    fi
  fi
  say begun
  # In the foreground: a background command would inherit ignored interrupts.  Its session is its
  # own and its files are its own, so it outlives this shell.
  DR_JOB_PAYLOAD=$payload setsid sh -c "$supervisor" dr-job "$job" "$keyed" "$jobs" \
    </dev/null >/dev/null 2>"$job/supervisor.log"
  if [ -e "$job/void" ]; then finish refused not-durable; fi
  code=
  [ ! -e "$job/exit" ] || read -r code <"$job/exit"
  [ -n "$code" ] || finish gone "the supervisor was killed"
  ended "$code"
}

start_time_of() {
  line=
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  set -- ${line##*) }
  state=$1 session=$4 begun=${20}
}

session_lives() {
  for each in /proc/[0-9]*; do
    start_time_of "${each#/proc/}" || continue
    [ "$session" = "$1" ] && [ "$state" != Z ] && return 0
  done
  return 1
}

# Says how the job stands and, while it runs, sends what it printed since out_from and err_from.
look() {
  code=
  [ ! -e "$job/exit" ] || read -r code <"$job/exit"
  [ -z "$code" ] || ended "$code"
  if [ -e "$job/void" ]; then finish never "it was withdrawn before it began"; fi
  boot_now
  name='' pid='' started='' then=''
  if [ -e "$job/process" ]; then
    while read -r name value; do
      case $name in pid) pid=$value ;; start) started=$value ;; boot) then=$value ;; esac
    done <"$job/process"
  elif [ -e "$job/about" ]; then
    while read -r name value; do [ "$name" != boot ] || then=$value; done <"$job/about"
    [ "$then" = "$boot" ] || finish never "the host went down before it began"
    finish running starting
  else
    finish running starting
  fi
  if [ -z "$pid" ] || [ -z "$started" ] || [ -z "$then" ]; then
    finish gone "its record was cut short"
  fi
  [ "$then" = "$boot" ] || finish gone "the host was restarted"
  if start_time_of "$pid" && [ "$begun" = "$started" ] && [ "$state" != Z ]; then
    finish_running supervised
  fi
  [ ! -e "$job/exit" ] || read -r code <"$job/exit"
  [ -z "$code" ] || ended "$code"
  if session_lives "$pid"; then finish_running orphaned; fi
  finish gone "its processes are gone and left no exit code"
}

finish_running() {
  say running "$1"
  [ ! -e "$job/stdout" ] || tail -c "+$((out_from + 1))" "$job/stdout" | head -c 65536
  [ ! -e "$job/stderr" ] || tail -c "+$((err_from + 1))" "$job/stderr" | head -c 65536 >&2
  exit 0
}

# Like look, but what has not begun is withdrawn for good: a start that is still on its way finds
# the directory taken.
attach() {
  attach_quietly
  look
}

attach_quietly() {
  [ -d "$root" ] || finish never "there is no $root, so nothing can have been started"
  check_root
  guard
  if [ ! -d "$job" ]; then
    [ -d "$keyed" ] || mkdir "$keyed" 2>/dev/null
    mkdir "$job" 2>/dev/null
  fi
  [ -d "$job" ] || finish refused not-writable
  exec 9>&-
  [ -d "$job/claim" ] || void
}

# Whether the job's session is this pid's: a pid that was given out again is somebody else's.
is_ours() {
  if start_time_of "$1" && [ "$begun" != "$2" ]; then return 1; fi
  session_lives "$1"
}

# Ends the command: TERM to its session, and after five seconds KILL.  The supervisor stays to write
# the exit code.  What has not begun is withdrawn, as by attach.
end() {
  attach_quietly
  boot_now
  pid='' started='' then='' tries=0
  while [ ! -e "$job/process" ] && [ ! -e "$job/void" ] && [ "$tries" -lt 10 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  [ ! -e "$job/process" ] || while read -r name value; do
    case $name in pid) pid=$value ;; start) started=$value ;; boot) then=$value ;; esac
  done <"$job/process"
  [ -n "$pid" ] && [ "$then" = "$boot" ] && [ ! -s "$job/exit" ] && is_ours "$pid" "$started" || look
  signal_session TERM
  tries=0
  while [ ! -s "$job/exit" ] && [ "$tries" -lt 50 ] && is_ours "$pid" "$started"; do
    tries=$((tries + 1))
    sleep 0.1
  done
  # also when the exit code is there: the command may have left others of its session behind
  if is_ours "$pid" "$started"; then signal_session KILL; fi
  tries=0
  while [ "$tries" -lt 30 ]; do
    [ -s "$job/exit" ] && break
    is_ours "$pid" "$started" || break
    tries=$((tries + 1))
    sleep 0.1
  done
  look
}

# Tells every member of the job's session but its supervisor.
signal_session() {
  for each in /proc/[0-9]*; do
    start_time_of "${each#/proc/}" || continue
    [ "$session" = "$pid" ] && [ "${each#/proc/}" != "$pid" ] || continue
    kill "-$1" "${each#/proc/}" 2>/dev/null
  done
}

"$verb"
