#!/bin/sh
# install.sh: puts the files of this archive below a folder, or takes them away again.
#
# Each file is written beside the old one and then takes its name, so that programs that are running keep
# what they have. What was installed is listed in the library folder, with the folders that were made for it.
set -eu
usage='usage: ./install.sh [--prefix FOLDER] [--remove]

Installs coldboost below FOLDER: /usr/local for root, ~/.local for others. Replaces an older version.
--remove takes away what was installed there, and the profiles that "coldboost run" kept for this user.'

here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=${HOME-}/.local; fi
remove=''
while [ $# -gt 0 ]; do
    case $1 in
    --prefix=*) prefix=${1#*=} ;;
    --prefix)
        [ $# -gt 1 ] || { echo "$usage" >&2; exit 2; }
        prefix=$2
        shift
        ;;
    --remove) remove=yes ;;
    --help | -h) echo "$usage"; exit ;;
    *) echo "$usage" >&2; exit 2 ;;
    esac
    shift
done
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
umask 022
cd "$here"
libraries=$(echo lib/*/coldboost)
list=$prefix/$libraries/installed

# make_folder PATH: below the prefix, with its parents; prints those that were not there, the last one first.
make_folder() {
    [ ! -d "$prefix/$1" ] || return 0
    parents=$(case $1 in */*) make_folder "${1%/*}" ;; . | '') ;; *) make_folder . ;; esac)
    if [ "$1" = . ]; then mkdir -p "$prefix"; else mkdir "$prefix/$1"; fi
    printf '%s/\n%s' "${1#.}" "${parents:+$parents
}"
}

# delete: what stands in the lines of its input: files, then folders that are empty by then.
delete() {
    while IFS= read -r path; do
        case $path in
        */) rmdir "$prefix/$path" 2>/dev/null || true ;;
        *) rm -f "$prefix/$path" ;;
        esac
    done
}

if [ "$remove" ]; then
    [ -f "$list" ] || { echo "$0: nothing of coldboost is installed below $prefix" >&2; exit 1; }
    "$prefix/bin/coldboost" forget --all >/dev/null || true
    if [ "$(id -u)" = 0 ]; then store=/var/cache; else store=${XDG_CACHE_HOME:-${HOME-}/.cache}; fi
    rm -f "$store/coldboost/lock"
    [ ! -d "$store/coldboost" ] || rmdir "$store/coldboost" || true
    listed=$(cat "$list")
    rm "$list"
    echo "$listed" | delete
    exit
fi

sha256sum -c SHA256SUMS >/dev/null || { echo "$0: this archive is damaged" >&2; exit 1; }
before=$(cat "$list" 2>/dev/null) || before=''
files=$(cut -c 67- SHA256SUMS | grep /)
folders=$(echo "$files" | sed 's:/[^/]*$::' | sort -u | while IFS= read -r folder; do make_folder "$folder"; done)
echo "$files" | while IFS= read -r path; do
    cp -P "$path" "$prefix/$path.new"
    mv -f "$prefix/$path.new" "$prefix/$path"
done
# The deepest first. A folder that an older version has made is still ours.
folders=$(printf '%s\n%s\n' "$folders" "$before" | grep '/$' | sort -ru || true)
printf '%s\n%s\n' "$files" "$folders" >"$list.new"
mv -f "$list.new" "$list"
echo "$before" | grep '[^/]$' | while IFS= read -r path; do
    grep -qxF "$path" "$list" || rm -f "$prefix/$path"
done
case :$PATH: in
*:"$prefix/bin":*) ;;
*) echo "$0: $prefix/bin is not in your PATH" >&2 ;;
esac
