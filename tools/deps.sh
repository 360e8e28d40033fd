#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that building, testing and the demo need. Does nothing when all are there.
set -eu
packages="gcc make pkg-config protobuf-c-compiler libprotobuf-c-dev libev-dev liblz4-dev libcap-dev libseccomp-dev
libsqlite3-dev libssl-dev libcmocka-dev binutils python3 python3-cryptography python3-django python3-numpy python3-pandas
clang-format clang-tidy cppcheck less procps util-linux sqlite3 gnuplot-nox"
# Any node with its headers will do; Debian's only where there is none.
command -v node >/dev/null || packages="$packages nodejs libnode-dev"
# Any JDK will do for the SDK of Java, which the demo does not need.
[ "${1:-}" = --quiet ] || command -v javac >/dev/null || packages="$packages openjdk-17-jdk-headless"
missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "make deps: these packages are missing, and only root can install them:$missing" >&2
    exit 1
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
