# packages.sh: installs what a script needs and is missing; for tools/quickstart and tools/check.

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

# Runs a command quietly: its output is shown only if it fails.
quietly() {
    quiet_log=$(mktemp)
    if "$@" >"$quiet_log" 2>&1 </dev/null; then
        rm -f "$quiet_log"
    else
        quiet_status=$?
        cat "$quiet_log" >&2
        rm -f "$quiet_log"
        say "failed ($quiet_status): $*"
        return "$quiet_status"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

# install_packages PACKAGE…: those that dpkg does not have yet.
install_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "please install:$missing (there is no apt-get here)"
    say "installing:$missing"
    case $missing in
    *:arm64*) quietly as_root dpkg --add-architecture arm64 || die "cannot add packages for arm64" ;;
    esac
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get update ||
        die "cannot update the package lists; as root: apt-get install$missing"
    # shellcheck disable=SC2086 # a list of words
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $missing || die "cannot install; as root: apt-get install$missing"
}

# install_programs COMMAND:PACKAGE…: the packages of those commands that are not found.
install_programs() {
    wanted=
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || wanted="$wanted ${pair#*:}"
    done
    # shellcheck disable=SC2086 # a list of words
    install_packages $wanted
}

build_packages="gcc libc6-dev meson ninja-build pkg-config libelf-dev libarchive-dev libunwind-dev python3"
# What tools/package links statically and packs with, beyond those; and who looks at its packages.
package_packages="nettle-dev zlib1g-dev xz-utils dpkg-dev lintian"
check_packages="abigail-tools clang clang-format clang-format-14 clang-tidy cppcheck g++ gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
 libcairo2-dev libcriterion-dev zlib1g-dev libdeflate-dev libisal-dev musl-tools valgrind git perl xz-utils zstd
 bash zsh fish make file procps util-linux tini dumb-init catatonit bubblewrap libfuse3-dev fuse3 curl libcurl4-openssl-dev
 autoconf automake libtool cmake golang-go busybox-static squashfs-tools python3-prometheus-client
 mandoc man-db libclang-rt-14-dev gdb strace fakeroot libfaketime libjemalloc2 libc6-dev-i386 lib32gcc-12-dev musl-dev:arm64
 systemd buildah podman runc containernetworking-plugins"
# What tests/fuzz/run --afl takes.
afl_packages="afl++"
# What tests/bench/suite measures and measures against, beyond check_programs.
bench_packages="python3-boto3 ffmpeg vmtouch git clang-tidy"
bench_programs="npm:npm"
# Programs that tests start, by whatever package they are there already: COMMAND:PACKAGE.
check_programs="javac:default-jdk-headless node:nodejs promtool:prometheus rustc:rustc"
# The programs of tests/field that `meson test --suite field` starts.
field_packages="bc busybox-static coreutils curl dbus gawk git jq lighttpd lua5.4 lynx nginx-light
 redis-server redis-tools sqlite3 w3m"
