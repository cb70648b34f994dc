# Runs a command as a container would: `/tmp` of its own, which no snapshot holds; the network only where the
# step has it; the user's own groups and home. Before it, in variables: what `enter.rs` says.
fail() { echo "kiln: $*" >&2; exit 96; }

mkdir -p -m 711 "$work"
[ -d "$work/tmp" ] || mkdir -m 1777 "$work/tmp" && chmod 1777 "$work/tmp"
mkdir -p /run/kiln/files /run/kiln/step
mount --bind "$work/tmp" /tmp
[ "$files" = no ] || mount --bind "$work/files" /run/kiln/files
[ -z "$KILN_STEP" ] || mount --bind "$KILN_STEP" /run/kiln/step
unset KILN_STEP
[ "$network" = yes ] || ip link set lo up 2>/dev/null || true

if [ "$user" != root ] || [ -n "$group" ]; then
    entry=$(getent passwd "$user") || entry=
    if [ -n "$entry" ]; then
        groups=--init-groups
        uid=$(echo "$entry" | cut -d: -f3)
        gid=$(echo "$entry" | cut -d: -f4)
        home=$(echo "$entry" | cut -d: -f6)
    else
        case $user in *[!0-9]*) fail "the image has no user \`$user\`" ;; esac
        groups=--clear-groups uid=$user gid=$user home=/
    fi
    if [ -n "$group" ]; then
        case $group in
        *[!0-9]*)
            entry=$(getent group "$group") || fail "the image has no group \`$group\`"
            gid=$(echo "$entry" | cut -d: -f3)
            ;;
        *) gid=$group ;;
        esac
    fi
    [ "$sets_home" = yes ] || HOME=$home
    export HOME
    set -- setpriv --reuid="$uid" --regid="$gid" $groups -- "$@"
fi
cd "$cwd" 2>/dev/null || fail "the image has no directory \`$cwd\` to run the command in"
unset OLDPWD
exec "$@"
