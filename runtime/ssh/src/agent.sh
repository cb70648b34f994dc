# What runs on the machine: reads ops on its standard input, does them, says how each went.
# POSIX sh, so that the machine needs nothing else. All data arrives as data, never as text of this script.
# Before it, in variables: `nonce`; `mem`, the directory in memory, or `-` for one to be made under `name`.

# Every program that is started costs the machine a millisecond, and a small one far more: what the shell can do by
# itself it does. The environment is what commands get, apart from HOME.

umask 022
cd /
unset OLDPWD

say() { printf '\n%s %s\n' "$nonce" "$*"; }

# Exactly so many bytes of what follows: `head` of some systems reads ahead.
take() { dd bs="$1" count=1 iflag=fullblock 2>/dev/null; }

# A directory in memory where programs can be executed.
make_mem() {
    for dir in /dev/shm /run /tmp; do
        # One that is there is ours: nobody else can guess the name.
        mkdir -m 711 "$dir/$name" 2>/dev/null || [ -d "$dir/$name" ] || continue
        mem=$dir/$name
        printf '#!/bin/sh\n' >"$mem/try" && chmod 700 "$mem/try" && "$mem/try" 2>/dev/null && return
        rm -rf "$mem"
    done
    mem=-
}

# A line of `/etc/passwd` by name or number: sets u, g, home, known.
user() {
    known=yes
    while IFS=: read -r x _ u g _ home _; do
        [ "$x" = "$1" ] && return
        [ "$u" = "$1" ] && return
    done </etc/passwd
    line=$(getent passwd "$1" 2>/dev/null) && IFS=: read -r x _ u g _ home _ <<END && return
$line
END
    known=no home=/
    case $1 in
    *[!0-9]*) return 1 ;;
    *) u=$1 g=$1 ;;
    esac
}

# A group by name or number: sets g.
group() {
    case $1 in
    *[!0-9]*) ;;
    *) g=$1 && return ;;
    esac
    while IFS=: read -r x _ g _; do
        [ "$x" = "$1" ] && return
    done </etc/group
    line=$(getent group "$1" 2>/dev/null) && IFS=: read -r x _ g _ <<END && return
$line
END
    return 1
}

# A user and a group, `-` for the user's own: sets u, g, home; or says what is not there.
account() {
    user "$1" || { say "missing $2 user"; return 1; }
    [ "$3" = - ] || group "$3" || { say "missing $2 group"; return 1; }
}

inflate() {
    case $1 in
    zstd) zstd -dcq ;;
    gzip) gzip -dcq ;;
    esac
}

case $(tar --version 2>/dev/null) in
*GNU*) gnu=yes ;;
*) gnu=no ;;
esac

# Length (`-`: all that follows), compression, directory, what becomes of directories.
extract() {
    [ -d "$3" ] || mkdir -p -- "$3" || return
    into=$3
    if [ $gnu = yes ]; then
        set -- "$1" "$2" -b 128 --numeric-owner --same-owner --keep-directory-symlink --warning=no-timestamp "$4"
    else
        set -- "$1" "$2"
    fi
    length=$1 how=$2
    shift 2
    case $length.$how in
    -.none) tar -x -p "$@" -C "$into" -f - ;;
    -.*) inflate "$how" | tar -x -p "$@" -C "$into" -f - ;;
    *.none) take "$length" | tar -x -p "$@" -C "$into" -f - ;;
    *) take "$length" | inflate "$how" | tar -x -p "$@" -C "$into" -f - ;;
    esac
}

# Removes what was uploaded for an op.
clean() {
    case $dirt in
    large) rm -rf "$mem/$1-"* "/var/tmp/$name/$1" ;;
    small) rm -f "$mem/$1-"* ;;
    esac
    dirt=
}

# Says how an op ended. After a failure nothing more is done.
end() {
    clean "$1"
    printf 'end %s %s\n' "$1" "$2" >>"$mem/journal"
    say "end $1 $2 $late"
    [ "$2" = 0 ] || exit 0
}

# Number, time limit in seconds or `-`, user, group or `-`, whether standard output is wanted by itself.
execute() {
    late=
    number=$1 limit=$2 who=$3 alone=$5
    set -- /bin/sh "$mem/$1-job"
    if [ "$u.$g" != 0.0 ]; then
        chown -R "$u:$g" "$mem/$number-"*
        groups=--clear-groups
        [ $known = no ] || groups=--init-groups
        if command -v setpriv >/dev/null 2>&1; then
            set -- setpriv --reuid="$u" --regid="$g" $groups -- "$@"
        else
            set -- su -s /bin/sh "$who" -c 'exec "$0" "$@"' -- "$@"
        fi
    fi
    # Before it begins: an agent whose connection has ended ends here, and the command can be begun anew.
    say "start $number"
    printf 'start %s -\n' "$number" >>"$mem/journal"
    HOME=$home
    if [ "$alone" = yes ]; then
        setsid "$@" </dev/null &
    else
        setsid "$@" </dev/null 2>&1 &
    fi
    p=$!
    printf 'start %s %s\n' "$number" "$p" >>"$mem/journal"
    w=
    if [ "$limit" != - ]; then
        setsid sh -c 'sleep "$1"; : >"$2"; kill -s TERM -- "-$3" "$3"; sleep 5; kill -s KILL -- "-$3" "$3"' \
            watch "$limit" "$mem/late" "$p" </dev/null >/dev/null 2>&1 &
        w=$!
    fi
    wait "$p" 2>/dev/null
    status=$?
    if [ -n "$w" ]; then
        # By itself too: it may not have got as far as a group of its own.
        kill -s KILL -- "-$w" "$w" 2>/dev/null
        wait "$w" 2>/dev/null
        if [ -e "$mem/late" ]; then
            kill -s KILL -- "-$p" "$p" 2>/dev/null
            rm -f "$mem/late"
            status=124 late=late
        fi
    fi
    end "$number" "$status"
}

# Stops what an earlier agent, whose connection broke, still does; says what it did last.
recover() {
    [ -e "$mem/agent" ] || { say recovered gone; return; }
    read -r old <"$mem/agent"
    kill -s KILL -- "-$old" 2>/dev/null
    tries=50
    while [ $tries -gt 0 ] && kill -s 0 -- "-$old" 2>/dev/null; do
        tries=$((tries - 1))
        sleep 0.1
    done
    last=none
    while read -r line; do
        last=$line
    done <"$mem/journal"
    case $last in
    start*[0-9]) kill -s KILL -- "-${last##* }" "${last##* }" 2>/dev/null ;;
    esac
    rm -rf "$mem"/[0-9]*-* "/var/tmp/$name" "$mem/late"
    say recovered "$last"
}

wait_for_cloud_init() {
    command -v cloud-init >/dev/null 2>&1 || { say cloud-init absent; return; }
    say waiting
    # Written when the last stage of this boot is over: spares the half second that asking takes.
    if grep -q '"errors": \[\]' /run/cloud-init/result.json 2>/dev/null; then
        say cloud-init 0
        return
    fi
    cloud-init status --wait >/dev/null 2>&1
    status=$?
    [ $status = 0 ] || { cloud-init status --long; tail -n 100 /var/log/cloud-init-output.log; } 2>&1
    say cloud-init $status
}

[ "$mem" != - ] || make_mem
read -r boot </proc/sys/kernel/random/boot_id
zstd=no
! command -v zstd >/dev/null 2>&1 || zstd=yes
while read -r field uid _; do
    [ "$field" != Uid: ] || break
done </proc/self/status
say "hello $uid $boot $zstd $mem"
late= dirt=

while read -r verb number a b c d e; do
    case $verb in
    begin)
        # Which process group to stop, should the connection break.
        read -r _ _ _ _ agent _ <"/proc/$$/stat"
        printf '%s\n' "$agent" >"$mem/agent"
        [ "$a" = more ] || : >"$mem/journal"
        ;;
    ids)
        if user "$a" && { [ "$b" = - ] || group "$b"; }; then say "ids $number $u $g"; else say "ids $number -"; fi
        ;;
    unpack)
        # Length, compression, directories, then lines: directory; user, group, and the numbers expected of them.
        IFS= read -r into
        read -r who of expected
        say "start $number"
        if [ "$who" != - ] && { ! user "$who" || { [ "$of" != - ] && ! group "$of"; } || [ "$u $g" != "$expected" ]; }; then
            say "stale $number"
            exit 0
        fi
        extract "$a" "$b" "$into" "$c" 2>&1
        end $number $?
        [ "$a" != - ] || exit 0
        ;;
    stage)
        # Length, name: appends to a file of an op.
        [ "$dirt" = large ] || dirt=small
        umask 077
        take "$a" >>"$mem/$number-$b"
        umask 022
        [ "$c" != program ] || chmod 700 "$mem/$number-$b"
        ;;
    text)
        # Name, then a line of escapes: a small file of an op.
        [ "$dirt" = large ] || dirt=small
        IFS= read -r line
        umask 077
        printf %b "$line" >"$mem/$number-$a"
        umask 022
        ;;
    files)
        # Length, compression, medium.
        dirt=large
        at=$mem/$number-files
        umask 077
        if [ "$c" = disk ]; then
            mkdir -p -m 711 "/var/tmp/$name"
            at=/var/tmp/$name/$number
        fi
        extract "$a" "$b" "$at" --overwrite-dir 2>&1 || end $number $?
        umask 022
        [ "$a" != - ] || { say "staged $number"; exit 0; }
        ;;
    exec)
        [ ! -e "$mem/$number-files" ] && [ ! -e "/var/tmp/$name/$number" ] || dirt=large
        account "$b" "$number" "$c" || { clean "$number"; exit 0; }
        [ ! -d "/var/tmp/$name/$number" ] || chown -R "$u:$g" "/var/tmp/$name/$number"
        execute "$number" "$a" "$b" "$c" "$d"
        ;;
    remove)
        IFS= read -r path
        say "start $number"
        rm -rf -- "$path" 2>&1
        end $number $?
        ;;
    recover) recover ;;
    cloud-init) wait_for_cloud_init ;;
    bye)
        rm -rf "$mem" "/var/tmp/$name"
        say bye
        exit 0
        ;;
    esac
done
