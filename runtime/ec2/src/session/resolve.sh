# Runs a resolving script in a throw-away copy of the root: an overlay in memory, in mounts that nobody else
# sees and that end with it. Before it: `script`.
copy=/run/kiln/copy
mkdir -p $copy
mount -t tmpfs -o mode=755,size=80% kiln $copy
lay() {
    mkdir -p "$copy/$1/upper" "$copy/$1/work"
    mount -t overlay -o "lowerdir=$2,upperdir=$copy/$1/upper,workdir=$copy/$1/work" kiln "$3"
}
mkdir $copy/root
lay 0 / $copy/root
# Other file systems on disks: an overlay shows none that is mounted below it.
number=0
while read -r device target _; do
    case $device.$target in
    /dev/*./ | /dev/*./run/* | /dev/*./boot*) continue ;;
    /dev/*) [ -d "$copy/root$target" ] || continue ;;
    *) continue ;;
    esac
    number=$((number + 1))
    lay $number "$target" "$copy/root$target"
done </proc/mounts
for dir in proc sys dev run; do mount --rbind /$dir $copy/root/$dir; done
# Where the way out is said may be a mount of its own.
for file in resolv.conf hosts; do
    [ ! -f /etc/$file ] || [ -L /etc/$file ] || mount --bind /etc/$file $copy/root/etc/$file
done
mount -t tmpfs -o mode=1777 kiln $copy/root/tmp
exec chroot $copy/root /bin/sh -e -c "$script"
